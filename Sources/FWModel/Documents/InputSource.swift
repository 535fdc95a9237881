package import FWBase

/// Where the standard input of a step's commands comes from, as its document says it.
package enum InputSource: Sendable {
  static let keys = ["text", "file", "value"]

  case text(String)
  /// A file of the run directory.
  case file(VolumeKey)
  /// A value of the context.
  case value(String)
  /// The host writes it while the command runs.
  case host

  init(reading json: JSONRef) throws(ValidationError) {
    if let word = json.string {
      guard word.isSame(as: "host") else {
        throw ValidationError(
          "expected \"host\" or an object such as {\"text\": \"...\"}, found the string "
            + "\(MessageFormat.quoted(word, limit: 40)): {\"text\": ...} is a text, and {\"file\": ...} a file")
      }
      self = .host
      return
    }
    var source: InputSource?
    try json.readMembers(of: "\"host\" or an object such as {\"file\": \"in.txt\"}") {
      (key, value) throws(ValidationError) in
      guard source == nil else {
        throw ValidationError("the standard input has one source: use one of \(MessageFormat.choice(InputSource.keys))")
      }
      if key == "text" {
        source = .text(try value.requireString())
      } else if key == "file" {
        source = try InputSource(fileAt: VolumeKey(checking: try value.requireString()))
      } else if key == "value" {
        source = .value(try value.requireName("the name of a value"))
      } else {
        throw .unknownKey(key, of: "\"stdin\"", known: InputSource.keys)
      }
    }
    guard let source else {
      throw ValidationError(
        "expected \"host\" or an object with one of \(MessageFormat.choice(InputSource.keys)), found an empty object")
    }
    self = source
  }
}

extension InputSource {
  init(fileAt key: VolumeKey) throws(ValidationError) {
    if key.namesFolder {
      throw ValidationError("expected the key of a file, found the folder \(MessageFormat.quoted(bytes: key.bytes))")
    }
    self = .file(key)
  }
}

/// The standard input of the commands of one run of a step.
package enum StepInput: Sendable {
  case bytes(InputBytes)
  /// A file of the run directory.
  case file(VolumeKey)
  case host

  package var isHost: Bool {
    if case .host = self { return true }
    return false
  }

  /// Writes the input as a plan has it, which has the text of a value instead of its name.
  package func write(to writer: inout JSONWriter) {
    switch self {
    case .host: writer.string("host")
    case .file(let key): writer.object { $0.member("file", key.text) }
    case .bytes(let bytes):
      writer.object { writer in writer.member("text", bytes.read { String(decoding: $0, as: UTF8.self) }) }
    }
  }
}

/// The bytes of a text or of a value, which all commands of a step read.
package final class InputBytes: @unchecked Sendable {
  // The conformance is unchecked because the bytes never change.
  private let buffer: ByteBuffer

  init(_ buffer: consuming ByteBuffer) { self.buffer = buffer }

  package func read<Result, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> Result) throws(E) -> Result {
    try body(buffer.bytes)
  }
}

extension InputSource {
  /// The input for a run with these values.
  ///
  /// - Parameters:
  ///   - step: the step whose commands read the input.
  package func resolved(_ step: Step, _ context: ContextValues?) throws(FlowError) -> StepInput {
    switch self {
    case .file(let key): return .file(key)
    case .host:
      guard step.commands.count == 1 else {
        throw step.inputRefusal(
          "the host's input can be read only once, and the step has \(step.commands.count) commands: expected one")
      }
      return .host
    case .text(let text):
      var bytes = ByteBuffer()
      bytes.append(text)
      if bytes.isExhausted { throw .noMemory }
      return .bytes(InputBytes(bytes))
    case .value(let name):
      guard let value = context?[name] else { throw step.missingInput(name) }
      if let unfit = context?.objects[Name(name)]?.unfit {
        throw step.inputRefusal("the value of \(MessageFormat.quoted(name)) \(unfit)")
      }
      var bytes = ByteBuffer()
      ValueText.appendPlain(value, to: &bytes)
      if bytes.isExhausted { throw .noMemory }
      return .bytes(InputBytes(bytes))
    }
  }
}

extension Step {
  /// Throws if the standard input is a value that the context does not have, and no earlier step gives.
  package func checkInput(_ source: InputSource?, _ context: ContextValues?, given: Set<Name>) throws(FlowError) {
    guard case .value(let name) = source, context?[name] == nil, !given.contains(Name(name)) else { return }
    throw missingInput(name)
  }

  fileprivate func missingInput(_ name: String) -> FlowError {
    inputRefusal("the context has no value \(MessageFormat.quoted(name)) for the standard input")
  }

  fileprivate func inputRefusal(_ reason: String) -> FlowError {
    FlowError(.document, "step \(shownName): \(reason)", path: settings.commands.stdin == nil ? nil : "/stdin")
  }
}
