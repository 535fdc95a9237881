@testable import FWBase
@testable import FWDocker
@testable import FWModel
@testable import FWProcess

// Templates and quoting, words, messages, and keys.

extension Reader {
  static let texts: [Reader] = [
    Reader("templates", { try template($0) }),
    Reader("quoting", { try quoting($0) }),
    Reader("words", { try words($0) }),
    Reader("messages", longest: 2048, { try messages($0) }),
    Reader("keys", longest: 1200, { try keys($0) }),
    Reader("mask", longest: 512, { try mask($0) }),
  ]

  /// The command and, behind a NUL, the value of its placeholder `a`.
  private static func template(_ bytes: UnsafeRawBufferPointer) throws {
    let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
    let command = parts.first.map { String(decoding: $0, as: UTF8.self) } ?? ""
    let value = parts.count > 1 ? String(decoding: parts[1].filter { $0 != 0 }, as: UTF8.self) : "it's"
    let template = Template(command)
    if let fault = template.fault {
      try hold(fault.position.line >= 1 && fault.position.column >= 1, "the place of a fault")
      return
    }
    _ = template.unprotected
    var writer = JSONWriter()
    writer.object { $0.member("a", value) }
    let text = writer.buffer()
    let values = ContextValues(try JSONText.parse(text.bytes))
    var output = ByteBuffer()
    output.append("before" as StaticString)
    let range = template.expand(nil, values, into: &output)
    try hold(range.lowerBound >= 6 && range.upperBound <= output.count, "the range of an expanded command")
    // The parts of a template are its text.
    var whole: [UInt8] = []
    for part in template.parts {
      switch part {
      case .text(let text): whole += text
      case .name(let name): whole += Array(Array(name.text.utf8) == [UInt8(ascii: "a")] ? value.utf8 : name.text.utf8)
      }
    }
    if template.placeholders(where: { _, isQuoted in isQuoted }).isEmpty {
      try hold(output.bytes.dropFirst(6).elementsEqual(whole), "the parts of a template are not what it expands to")
    }
    // A quoted placeholder is one word with the bytes of its value, for the readers of words that the library has.
    var quoted = ByteBuffer()
    _ = Template("x ${a:q} y").expand(nil, values, into: &quoted)
    try hold(
      try CommandWords.split(quoted.bytes).map(Array.init(_:)) == ["x", value, "y"].map(Array.init(_:)),
      "a quoted value is other words")
  }

  private static func quoting(_ bytes: UnsafeRawBufferPointer) throws {
    do throws(FlowError) {
      let quoted = try Quoting.shell(bytes)
      var command = ByteBuffer()
      command.append("x " as StaticString)
      command.append(quoted.bytes)
      guard let words = SimpleCommand.words(command.bytes) else { throw FlowError(.invalid, "no words") }
      guard words.count == 2, words.text(1).elementsEqual(bytes) else { throw FlowError(.invalid, "other words") }
    } catch { try hold(bytes.contains(0), "a quoted text is not that word: \(error.message)") }
    if String(validating: bytes, as: UTF8.self) != nil, !bytes.contains(0) {
      let word = try Quoting.shell(bytes)
      let words = try CommandWords.split(word.bytes)
      try hold(
        words.count == 1 && Array(words[0].utf8).elementsEqual(bytes), "a quoted text is not that word of Python")
      let quoted = try Quoting.json(bytes)
      let string = try JSONText.parse(quoted.bytes).read { $0.string }
      try hold(string.map { $0.utf8.elementsEqual(bytes) } == true, "a text is not that string of JSON")
    } else {
      do throws(FlowError) {
        _ = try Quoting.json(bytes)
        throw FlowError(.invalid, "not refused")
      } catch {
        try holdMessage(error.message)
        try hold(!error.message.isSame(as: "not refused"), "a text that no string can be is not refused")
      }
    }
    var readable = ByteBuffer()
    Quoting.appendReadably(bytes, to: &readable)
    if !bytes.contains(0), String(validating: bytes, as: UTF8.self) != nil {
      let words = try CommandWords.split(readable.bytes)
      try hold(words.count == 1 && words[0].utf8.elementsEqual(bytes), "a text that is shown readably is another word")
    }
  }

  private static func words(_ bytes: UnsafeRawBufferPointer) throws {
    if let words = SimpleCommand.words(bytes) {
      try hold(words.count > 0 && !words.text(0).isEmpty, "a simple command without a program")
      // The words are the same when they are quoted.
      var command = ByteBuffer()
      for index in 0..<words.count {
        if index > 0 { command.append(byte: UInt8(ascii: " ")) }
        Quoting.appendForShell(words.text(index), to: &command)
      }
      guard let again = SimpleCommand.words(command.bytes), again.count == words.count else {
        throw Broken(description: "quoted words are no simple command")
      }
      for index in 0..<words.count {
        try hold(
          again.text(index).elementsEqual(words.text(index)), "the word \(index) is another one when it is quoted")
      }
    }
    do throws(CommandWords.Fault) {
      let words = try CommandWords.split(bytes)
      var command = ByteBuffer()
      for word in words {
        lend(word) { Quoting.appendForShell($0, to: &command) }
        command.append(byte: UInt8(ascii: "\t"))
      }
      let again = try CommandWords.split(command.bytes)
      guard again.map({ Array($0.utf8) }) == words.map({ Array($0.utf8) }) else { throw .openQuote(0) }
    } catch {
      if case .openQuote(0) = error { throw Broken(description: "the words are others when they are quoted") }
      try holdMessage(error.text)
    }
  }

  private static func messages(_ bytes: UnsafeRawBufferPointer) throws {
    let text = String(decoding: bytes, as: UTF8.self)
    try holdMessage(MessageFormat.quoted(text), limit: 60 + 3)
    try holdMessage(MessageFormat.path(text), limit: 200 + 3)
    try holdMessage(MessageFormat.foreign(text), limit: 200 + 1)
    try holdMessage(MessageFormat.quoted(bytes: Array(bytes)), limit: 8 * bytes.count + 70)
    try holdMessage(FlowError(.invalid, text).message)
    try holdMessage(StepFailure(text).reason)
    let lines = text.pieces(at: "\n").map(String.init)
    try holdMessage(FlowError(.invalid, MessageFormat.names(lines)).message)
    if let first = lines.first {
      _ = MessageFormat.hint(for: first, among: lines.dropFirst())
      try holdMessage(FlowError(.invalid, MessageFormat.hint(for: first, among: lines.dropFirst())).message)
    }
    // A message that is formatted again is the same.
    let foreign = MessageFormat.foreign(text)
    try hold(
      MessageFormat.foreign(foreign, limit: 400).isSame(as: foreign), "a message changes when it is formatted again")
    // Bytes that are no UTF-8 are replaced as Swift does it.
    var repaired = ByteBuffer()
    if UTF8Text.repair(bytes, into: &repaired) > 0 { repaired.append("\u{FFFD}" as StaticString) }
    try hold(repaired.bytes.elementsEqual(text.utf8), "bytes that are no UTF-8 are replaced in another way")
  }

  private static func keys(_ bytes: UnsafeRawBufferPointer) throws {
    do throws(ValidationError) {
      let key = try VolumeKey(checking: Array(bytes))
      guard VolumeKey(listed: key.bytes) == key else { throw ValidationError("not normal") }
      let parts = key.components
      guard !parts.isEmpty, !key.bytes.isEmpty, key.bytes.first != UInt8(ascii: "/"),
        !parts.contains(where: { $0.isEmpty || $0.elementsEqual(".".utf8) || $0.elementsEqual("..".utf8) })
      else { throw ValidationError("not normal") }
      guard key.path.folder == key.folder, key.depth == parts.count - 1, key.prefix(parts.count) == key.path,
        key.parent.map({ key.isInside($0) }) ?? (parts.count == 1)
      else { throw ValidationError("not normal") }
    } catch {
      try hold(!error.message.isSame(as: "not normal"), "a key in normal form is not in normal form")
      try holdMessage(FlowError(.document, error.message).message)
    }
    _ = Reference(String(decoding: bytes, as: UTF8.self))
  }

  /// A secret, a NUL, and a stream that may have it.
  private static func mask(_ bytes: UnsafeRawBufferPointer) throws {
    let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].count > 3 else { return }
    let secret = Array(parts[0])
    guard String(validating: secret, as: UTF8.self) != nil else { return }
    var env = KeyValues()
    env.set("s", String(decoding: secret, as: UTF8.self))
    let secrets = try Secrets([Name("s")], envs: [env], [])
    let stream = UnsafeRawBufferPointer(rebasing: parts[1])
    let whole = masked([stream], secrets)
    try hold(masked(pieces(of: stream, bytes.count), secrets) == whole, "a stream in pieces is masked in another way")
    let stars = Array("***".utf8)
    // Stars and what is beside them may together be the secret.
    if !secret.contains(UInt8(ascii: "*")) {
      try hold(!contains(whole, secret), "a secret was not masked")
    }
    if !contains(Array(stream), secret), secrets.isEmpty == false, !contains(whole, stars) {
      try hold(whole == Array(stream), "a stream without the secret was changed")
    }
  }

  private static func masked(_ pieces: [UnsafeRawBufferPointer], _ secrets: Secrets) -> [UInt8] {
    var mask = Mask(secrets)
    var result: [UInt8] = []
    for piece in pieces { mask.take(piece) { result += $0 } }
    mask.finish { result += $0 }
    return result
  }

  private static func contains(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
    if part.count > bytes.count { return false }
    return (0...(bytes.count - part.count)).contains { bytes[$0..<($0 + part.count)].elementsEqual(part) }
  }
}
