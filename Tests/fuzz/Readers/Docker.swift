@testable import FWBase
@testable import FWDocker
@testable import FWHTTP
@testable import FWModel

// What an engine sends, and the files of its command line.

extension Reader {
  static let docker: [Reader] = [
    Reader("frames", { try frames($0) }),
    Reader("engine", longest: 512, { try engine($0) }),
    Reader("images", longest: 2048, { try images($0) }),
    Reader("references", longest: 300, { try reference($0) }),
    Reader("dockerconfig", { try dockerConfig($0) }),
    Reader("contexts", longest: 512, { try contexts($0) }),
    Reader("helpers", longest: 512, { try helpers($0) }),
    Reader("heads", longest: 512, { try heads($0) }),
  ]

  private struct Output: Equatable {
    var stdout: [UInt8] = []
    var stderr: [UInt8] = []
    var isCutShort = false
    var isInputRefused = false
  }

  private static func output(_ pieces: [UnsafeRawBufferPointer], hasInput: Bool) -> Output {
    var frames = Frames(hasInput: hasInput)
    var output = Output()
    for piece in pieces {
      frames.take(piece) { stream, part in
        if stream == .stdout { output.stdout += part } else { output.stderr += part }
      }
    }
    output.isCutShort = frames.isCutShort
    output.isInputRefused = frames.isInputRefused
    return output
  }

  private static func frames(_ bytes: UnsafeRawBufferPointer) throws {
    var choices = Choices(bytes)
    let (hasInput, seed) = (choices.next(below: 2) == 1, choices.next(below: 256))
    let stream = choices.rest
    let whole = output([stream], hasInput: hasInput)
    let cut = output(pieces(of: stream, seed), hasInput: hasInput)
    try hold(cut == whole, "a stream in pieces has another output")
    try hold(whole.stdout.count + whole.stderr.count <= max(0, stream.count - 8), "there is more output than stream")
    try holdMessage(Frames.text(stream))
    _ = EngineErrors.isOutput(stream)
    _ = EngineErrors.isRefusal(stream)
    // The text of a notebook's container has the runner's lines among its output.
    try notebookStream(stream, seed)
  }

  private static func notebookStream(_ bytes: UnsafeRawBufferPointer, _ seed: Int) throws {
    func split(_ pieces: [UnsafeRawBufferPointer]) -> (output: [UInt8], lines: [[UInt8]], isWhole: Bool) {
      var stream = MarkedStream(marker: "ab")
      var output: [UInt8] = []
      var lines: [[UInt8]] = []
      for piece in pieces { stream.take(piece, output: { output += $0 }, line: { lines.append(Array($0)) }) }
      let isWhole = stream.finish { output += $0 }
      return (output, lines, isWhole)
    }
    let (whole, cut) = (split([bytes]), split(pieces(of: bytes, seed)))
    try hold(
      whole.output == cut.output && whole.lines == cut.lines && whole.isWhole == cut.isWhole,
      "a stream with lines of the runner is another one in pieces")
  }

  /// The first byte chooses the answer.
  private static func engine(_ bytes: UnsafeRawBufferPointer) throws {
    var choices = Choices(bytes)
    let kind = choices.next(below: 6)
    func answer(_ status: Int32) -> HTTPAnswer {
      var body = ByteBuffer()
      body.append(choices.rest)
      return HTTPAnswer(
        status: status, apiVersion: nil, isPodman: false, body: body, failure: nil, isAbsent: false,
        isUnreachable: false, headers: [], moved: 0, fileError: 0)
    }
    try holdMessage(EngineReply(answer(500)).message, limit: 1001)
    try holdMessage(EngineReply(answer(200), isUnderstood: false).message, limit: 1001)
    switch kind {
    case 0: _ = ContainerState(answer(200))
    case 1: _ = ExecState(answer(200))
    case 2:
      let endpoint = EngineEndpoint(try EngineAddress("unix:///x"), certificates: nil, source: "a test")
      do throws(StepFailure) {
        let status = try ContainerExit.status(ContainerExit(answer(200)), at: endpoint)
        guard (0...255).contains(status) else { throw StepFailure("a status of \(status)") }
      } catch { try holdMessage(error.reason) }
    case 3:
      let text = String(decoding: choices.rest, as: UTF8.self)
      if let seconds = EngineTime.seconds(text) { try hold(seconds.isFinite, "a time is no number") }
      _ = HostLabel(text)
    case 4:
      let text = String(decoding: choices.rest, as: UTF8.self)
      for read in [{ try EngineAddress(text) }, { try EngineAddress(variable: text) }] as [() throws -> EngineAddress] {
        do { _ = try read() } catch {
          if let fault = error as? EngineAddress.Fault { try holdMessage(FlowError(.document, fault.text).message) }
        }
      }
    default:
      let reference = try ImageReference("debian")
      _ = answer(200).read { json in reference.digest(among: json["RepoDigests"]?.strings ?? []) }
    }
  }

  private static func images(_ bytes: UnsafeRawBufferPointer) throws {
    func read(_ pieces: [UnsafeRawBufferPointer]) -> ImageDocuments {
      var documents = ImageDocuments()
      for piece in pieces { documents.take(piece) }
      documents.end()
      return documents
    }
    let (whole, cut) = (read([bytes]), read(pieces(of: bytes, bytes.count)))
    try hold(whole.progress == cut.progress, "the progress of a pull is another one in pieces")
    try hold((whole.failure ?? "-") == (cut.failure ?? "-"), "the failure of a pull is another one in pieces")
    let lines = Array(whole.log.lines(from: 0))
    try hold(lines == Array(cut.log.lines(from: 0)), "the log of a build is another one in pieces")
    for line in lines + [whole.failure ?? "", whole.progress.status] { try holdMessage(line, limit: 201) }
    try hold(whole.progress.layersDone <= whole.progress.layers, "more layers are done than there are")
  }

  private static func reference(_ bytes: UnsafeRawBufferPointer) throws {
    let text = String(decoding: bytes, as: UTF8.self)
    do throws(StepFailure) {
      let reference = try ImageReference(text)
      let query = reference.pullQuery
      guard query.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
        throw StepFailure("the query of a pull: \(query)")
      }
      if reference.isID { return }
      // What is written out in full names the same image.
      let full = reference.name + ":" + reference.tag + (reference.digest.map { "@" + $0 } ?? "")
      let again = try ImageReference(full)
      guard again.name.isSame(as: reference.name), again.tag.isSame(as: reference.tag),
        again.registry.isSame(as: reference.registry), again.digest == reference.digest
      else { throw StepFailure("the name of an image in full is another one: \(full)") }
    } catch {
      try holdMessage(error.reason)
      try hold(error.reason.contains(" is not the name of an image: "), error.reason)
    }
  }

  private static func dockerConfig(_ bytes: UnsafeRawBufferPointer) throws {
    let config = DockerConfig(bytes)
    try hold(config.warnings.count <= 8, "\(config.warnings.count) warnings")
    for warning in config.warnings { try holdMessage(FlowError(.document, warning).message) }
    for registry in ["https://index.docker.io/v1/", "r.example", "r.example:5000"] {
      let credentials = Credentials(config.entry(for: registry), for: registry, warnings: config.warnings)
      if let header = credentials.header {
        try hold(header.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "the header with credentials: \(header)")
      }
    }
    // Base64 that the library writes is what it reads.
    let text = String(decoding: bytes, as: UTF8.self)
    let encoded = lend(text) { Base64.url($0) }
    let standard = String(decoding: encoded.utf8.map { $0 == 45 ? 43 : $0 == 95 ? 47 : $0 }, as: UTF8.self)
    try hold(
      Base64.decoded(standard).map { $0.isSame(as: text) } == true, "Base64 is another text when it is read again")
  }

  /// The file of a context, whose address is read as well.
  private static func contexts(_ bytes: UnsafeRawBufferPointer) throws {
    guard let json = try? JSONText.parse(foreign: bytes) else { return }
    try json.read { json in
      let name = json["Name"]?.string ?? ""
      guard let context = EngineSearch.Context(json, named: name) else {
        return try hold(json["Name"]?.string == nil, "a context has not its own name")
      }
      guard let host = context.host else { return }
      do { _ = try EngineAddress(host) } catch {
        if let fault = error as? EngineAddress.Fault { try holdMessage(FlowError(.document, fault.text).message) }
      }
    }
  }

  /// The answer of a credential helper.
  private static func helpers(_ bytes: UnsafeRawBufferPointer) throws {
    guard let credentials = CredentialHelper.read(bytes, "r.example", noConfig) else { return }
    try holdMessage(credentials.shown)
    guard let header = credentials.header else { return }
    let standard = String(decoding: header.utf8.map { $0 == 45 ? 43 : $0 == 95 ? 47 : $0 }, as: UTF8.self)
    guard let text = Base64.decoded(standard) else { throw Broken(description: "the header \(header)") }
    try lend(text) { text in
      try JSONText.parse(text, allowingNUL: true).read { json in
        try hold(json["serveraddress"]?.string == "r.example", "the credentials are those for another registry")
        try hold(
          json["password"] != nil || json["username"] != nil || json["identitytoken"] != nil,
          "a header without credentials")
      }
    }
  }

  private static let noConfig = DockerConfig(UnsafeRawBufferPointer(start: nil, count: 0))

  /// The lines of the head of an answer.
  private static func heads(_ bytes: UnsafeRawBufferPointer) throws {
    var (head, plain) = (HTTPHead(keepsLines: true), HTTPHead(keepsLines: false))
    var colons = 0
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      head.take(UnsafeRawBufferPointer(rebasing: line))
      plain.take(UnsafeRawBufferPointer(rebasing: line))
      if line.contains(UInt8(ascii: ":")) { colons += 1 }
    }
    try hold(head.lines.count == min(colons, 100) && plain.lines.isEmpty, "\(head.lines.count) lines of \(colons)")
    try hold(head.isPodman == plain.isPodman && head.apiVersion == plain.apiVersion, "two heads of the same lines")
    for line in head.lines {
      let capitals = UInt8(ascii: "A")...UInt8(ascii: "Z")
      try hold(!line.name.utf8.contains { capitals.contains($0) || $0 == UInt8(ascii: ":") }, "the name \(line.name)")
    }
    // The lines of S3 and registries come before that limit.
    if head.apiVersion != nil, colons <= 100 {
      try hold(head.lines.contains { $0.name.isSame(as: "api-version") }, "a version without a line of it")
    }
  }
}
