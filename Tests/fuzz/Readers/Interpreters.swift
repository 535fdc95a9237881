@testable import FWBase
@testable import FWModel
@testable import FWPython

// What Python interpreters send.

extension Reader {
  static let interpreters: [Reader] = [Reader("lines", { try lines($0) }), Reader("runner", { try runner($0) })]

  /// The stream of an interpreter. The first bytes choose the pieces, and whether the interpreter does a job.
  private static func lines(_ bytes: UnsafeRawBufferPointer) throws {
    var choices = Choices(bytes)
    let (isWorking, seed) = (choices.next(below: 2) == 1, choices.next(below: 256))
    let stream = choices.rest
    func read(_ pieces: [UnsafeRawBufferPointer]) -> (messages: [String], isReady: Bool, isReaper: Bool) {
      var lines = InterpreterLines()
      var messages: [String] = []
      for piece in pieces {
        let received = lines.receive(piece.count) { room in
          UnsafeMutableRawBufferPointer(start: room, count: piece.count).copyMemory(from: piece)
          return piece.count
        }
        if received == nil { return ([], false, false) }
        while let message = lines.next(isWorking: isWorking) {
          messages.append(text(of: message))
          if case .fault = message { break }
        }
      }
      return (messages, lines.isReady, lines.isReaper)
    }
    let (whole, cut) = (read([stream]), read(pieces(of: stream, seed)))
    for message in whole.messages { try holdMessage(message, limit: 8 * stream.count + 200) }
    // After a fault nobody reads on, and how much was received by then is chance.
    let end = whole.messages.firstIndex { $0.utf8.first == UInt8(ascii: "!") } ?? whole.messages.count
    try hold(
      whole.messages.prefix(end + 1).map { Array($0.utf8) } == cut.messages.prefix(end + 1).map { Array($0.utf8) },
      "the lines of an interpreter are others in pieces")
    try hold(
      whole.isReady == cut.isReady && whole.isReaper == cut.isReaper,
      "an interpreter is ready in another way in pieces")
    try hold(!whole.messages.isEmpty || !whole.isReady, "an interpreter is ready without a message")
  }

  private static func text(of message: InterpreterLines.Message) -> String {
    switch message {
    case .ready: return "ready"
    case .line(let value):
      guard let text = value.read({ JSONText.compact($0) }) else { return "no memory" }
      return MessageFormat.foreign(String(decoding: text.bytes, as: UTF8.self), limit: 8 * text.bytes.count + 8)
    case .fault(let why): return "!" + why
    }
  }

  /// The lines of an interpreter. The first byte chooses the job.
  private static func runner(_ bytes: UnsafeRawBufferPointer) throws {
    var choices = Choices(bytes)
    let job = choices.next(below: 2) == 0 ? call : notebook
    var messages = RunnerMessages()
    for line in choices.rest.split(separator: UInt8(ascii: "\n")) {
      guard let value = try? JSONText.parse(UnsafeRawBufferPointer(rebasing: line)) else { continue }
      try value.read { json in
        if let done = RunnerDone(json) {
          try hold(done.pid > 0 && (0...255).contains(done.exitCode), "the end of a process")
          try hold(done.left.allSatisfy { $0 > 0 } && (done.signal ?? 1) > 0, "the processes that a job has left")
          try holdMessage(done.ending)
        }
        let before = messages.progress
        switch messages.take(json["event"]?.string ?? "", json, of: job) {
        case .fault(let why): try holdMessage(why)
        case .progress(let progress): try hold(progress.follows(before), "progress that does not follow")
        case .result: try hold(messages.result != nil, "a result that is none")
        }
      }
    }
    guard let result = messages.result else { return }
    var end = CommandEnd(outcome: .exited, started: 0)
    result.apply(to: &end)
    if let failure = end.failure { _ = FlowError(.ended, failure) }
    try hold(!result.isSuccess || end.exitCode == 0 && end.outcome == .exited, "a success is none")
    try hold(result.isSuccess || end.exitCode != 0 || end.outcome != .exited, "a failure is a success")
  }

  private static let call: PythonJob = {
    do {
      let step = try lend(#"{"name": "s", "action": {"func": "os:getcwd", "arg": "x"}}"#) { try Step($0) }
      guard let job = PythonJob.call(step.code, nil) else { fatalError("no job") }
      return job
    } catch { fatalError("\(error)") }
  }()

  private static let notebook: PythonJob = {
    do {
      let step = try lend(#"{"name": "s", "action": {"notebook": "n.ipynb"}}"#) { try Step($0) }
      return try PythonJob.notebook(step, PythonOptions(), nil, .none)
    } catch { fatalError("\(error)") }
  }()
}
