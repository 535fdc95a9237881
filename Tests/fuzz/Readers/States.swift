import Glibc

@testable import FWBase
@testable import FWModel
@testable import FlowWorker

// The files of a state directory, and the views of results, which may come from such files.

extension Reader {
  static let states: [Reader] = [
    Reader("records", longest: 2048, { try record($0) }),
    Reader("begun", longest: 512, { try begun($0) }),
    Reader("views", longest: 2048, { try view($0) }),
    Reader("runs", longest: 2048, { try run($0) }),
  ]

  private static func text(_ write: (inout JSONWriter) -> Void) -> ByteBuffer {
    var writer = JSONWriter()
    write(&writer)
    return writer.buffer()
  }

  private static func record(_ bytes: UnsafeRawBufferPointer) throws {
    guard let value = try? JSONText.parse(bytes, allowingNUL: true) else { return }
    try value.read { json in
      if let record = StepRecord(json) {
        try hold(StepRecord.identity(json) == record.identity, "two identities of one record")
        _ = record.isOf(step)
      }
      // What is written again is read as the same.
      if let seen = SeenFiles(json) ?? json["seen"].flatMap({ SeenFiles($0) }) {
        let written = text { seen.write(to: &$0) }
        let again = try JSONText.parse(written.bytes, allowingNUL: true).read { SeenFiles($0) }
        guard let again else { throw Broken(description: "files that a step has seen cannot be read again") }
        let second = text { again.write(to: &$0) }
        try hold(
          second.bytes.elementsEqual(written.bytes), "files that a step has seen are others when they are read again")
        try hold(again.keys.count == seen.keys.count, "files that a step has seen are lost")
      }
      if let places = StepRecord.KnownPlaces.list(json) ?? StepRecord.KnownPlaces.list(json["files"]) {
        let written = text { StepRecord.KnownPlaces.write(places, to: &$0) }
        let again = try JSONText.parse(written.bytes, allowingNUL: true).read { StepRecord.KnownPlaces.list($0) }
        guard let again else { throw Broken(description: "the places of files cannot be read again") }
        try hold(
          again.map(\.key) == places.map(\.key) && again.map(\.locations) == places.map(\.locations)
            && again.map(\.isMade) == places.map(\.isMade), "the places of files are others when they are read again")
      }
    }
  }

  private static func begun(_ bytes: UnsafeRawBufferPointer) throws {
    for line in String(decoding: bytes, as: UTF8.self).pieces(at: "\n", keepingEmpty: true) {
      guard let identity = StepIdentity(line: line) else { continue }
      try hold(StepIdentity(line: identity.line[...]) == identity, "a step is another one when its line is read again")
    }
  }

  private static let step: Step = {
    let text = #"{"name": "s", "action": {"environment": "", "commands": ["a", "b"]}}"#
    do { return try lend(text) { try Step($0) } } catch { fatalError("\(error)") }
  }()

  private static let worker: Worker = {
    do { return try lend(#"{"name": "w", "type": "subprocess"}"#) { try Worker($0) } } catch { fatalError("\(error)") }
  }()

  /// A result of a state directory; `nil` if the bytes are none.
  private static func result(_ bytes: UnsafeRawBufferPointer) -> StepResult? {
    (try? JSONText.parse(bytes, allowingNUL: true))?.read { StepResult($0, of: step, by: worker, rundir: "/x") }
  }

  /// A result of a state directory, as JSON and as views.
  private static func view(_ bytes: UnsafeRawBufferPointer) throws {
    guard let result = result(bytes) else { return }
    try hold(result.returncode == 0 && result.outcome == .exited, "a result that was kept is no success")
    try views(bytes) { bytes in Reader.result(bytes).map { ExecResult($0) } }
  }

  /// The results of steps, one on each line, as those of a run of a workflow. The first byte chooses how it ended.
  private static func run(_ bytes: UnsafeRawBufferPointer) throws {
    var choices = Choices(bytes)
    let (end, jobs, copies) = (choices.next(below: 4), choices.next(below: 4), choices.next(below: 3))
    try views(choices.rest) { bytes in
      let lines = bytes.split(separator: UInt8(ascii: "\n")).prefix(12)
      let steps = lines.enumerated().compactMap { index, line -> ExecResult? in
        guard let result = Reader.result(UnsafeRawBufferPointer(rebasing: line)) else { return nil }
        // Some steps are instances, and some were run now and not by an earlier run.
        let place = StepPlace(index: index / 2, instance: index % 3 == 0 ? nil : index)
        let schedule = StepSchedule(
          ready: result.started - Double(index), after: index == 0 ? nil : (result.step, StepPlace(index: 0)),
          lane: index % (jobs + 1), held: index % 2 == 0 ? .jobs : nil, barrier: index == 5 ? result.worker : nil)
        return ExecResult(result.placed(at: place, index % 4 == 3 ? nil : schedule), isLent: true)
      }
      guard let first = steps.first else { return nil }
      let text = String(decoding: bytes.prefix(40), as: UTF8.self)
      let facts = RunResult.Facts(
        name: text, rundir: text, state: end == 0 ? nil : text, arguments: nil, jobs: jobs,
        notRun: [RunResult.NotRun(step: text, index: 1, instances: copies, isWhole: end == 1, reason: text)])
      let file = CopiedFile(
        key: VolumeKey(inBase: Array(bytes.prefix(20))), from: Location(text), to: Location("b"), bytes: 7,
        duration: first.duration)
      return ExecResult(
        RunResult(
          facts, steps: steps, failed: end == 2 ? steps.count - 1 : nil, succeeded: steps.count, total: 9, restored: 1,
          failure: end == 3 ? StepFailure(text) : nil, started: first.started, duration: first.duration,
          context: try? JSONText.parse(UnsafeRawBufferPointer(rebasing: lines.first ?? bytes[...])),
          copies: (0..<copies).map { RunResult.Copy(step: $0 - 1, instance: nil, file: file, ended: first.started) },
          unkept: end == 1 ? StepFailure(text) : nil))
    }
  }

  /// Writes what `read` makes of bytes as JSON, trace and page.
  private static func views(_ bytes: UnsafeRawBufferPointer, _ read: (UnsafeRawBufferPointer) -> ExecResult?) throws {
    guard let exec = read(bytes) else { return }
    for stream in [Stream.stdout, .stderr] {
      for index in 0..<exec.outputCount(of: stream) { _ = exec.bytes(of: stream, index)?.count }
    }
    let json = try exec.toJSON()
    defer { free(json) }
    _ = try parse(json)
    let trace = try exec.view(as: "trace")
    defer { free(trace) }
    _ = try parse(trace)
    let page = try exec.view(as: "html")
    defer { free(page) }
    let angles = try count(of: page)
    // No text of a result begins an element of the page: without its angle brackets the page has as many elements.
    var plain = Array(bytes)
    for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "<") { plain[index] = UInt8(ascii: "(") }
    guard let other = plain.withUnsafeBytes({ read($0) }) else { return }
    let plainPage = try other.view(as: "html")
    defer { free(plainPage) }
    try hold(try count(of: plainPage) == angles, "a text of a result is an element of its page")
  }

  /// The number of angle brackets in a page, which has to be UTF-8.
  private static func count(of page: UnsafeMutablePointer<UInt8>) throws -> Int {
    let count = strlen(UnsafeRawPointer(page).assumingMemoryBound(to: CChar.self))
    let bytes = UnsafeRawBufferPointer(start: page, count: count)
    try hold(String(validating: bytes, as: UTF8.self) != nil, "a page is not UTF-8")
    return bytes.reduce(0) { $0 + ($1 == UInt8(ascii: "<") ? 1 : 0) }
  }

  private static func parse(_ text: UnsafeMutablePointer<UInt8>) throws -> JSONValue {
    let count = strlen(UnsafeRawPointer(text).assumingMemoryBound(to: CChar.self))
    return try JSONText.parse(UnsafeRawBufferPointer(start: text, count: count), allowingNUL: true)
  }
}
