/// What a host says about the run of a workflow.
struct WorkflowOptions {
  static let keys = ["events", "deadline", "state", "code"]

  /// Who runs the functions of code steps.
  enum CodeRunner: String, CaseIterable {
    case worker
    case host
  }

  var events = RunOptions.Events.chunks
  /// For each step, as the options of a run have it.
  var settings = RunSettings()
  /// Seconds for the whole.
  var deadline: Double?
  /// The directory that remembers how far the run is.
  var state: String?
  var code = CodeRunner.worker

  init() {}

  init(reading json: JSONRef) throws(Refusal) {
    try json.readMembers { (key, value) throws(Refusal) in
      if key == "events" {
        events = try value.requireChoice("kind of events")
      } else if key == "deadline" {
        deadline = try value.requireSeconds()
      } else if key == "state" {
        state = try value.requireAbsolutePath(of: "a directory")
      } else if key == "code" {
        code = try value.requireChoice("runner of functions")
      } else if !(try settings.read(key, value)) {
        throw .unknownKey(key, of: "the options of a workflow's run", known: WorkflowOptions.keys + RunSettings.keys)
      }
    }
  }
}

/// What a host says of a step that it has run itself.
public struct HostAccount {
  static let keys = ["returncode", "stdout", "stderr", "exception", "value", "resumable"]

  private(set) var returncode: Int32 = 0
  private(set) var stdout = ""
  private(set) var stderr = ""
  private(set) var exception: RaisedException?
  /// What its function gave.
  private(set) var value: JSONValue?
  /// Whether that is all of it: another run may take it from a state directory.
  private(set) var isResumable = true

  public init(_ text: UnsafeRawBufferPointer) throws(FlowError) {
    self = try JSONText.read(text) { (json) throws(Refusal) in try HostAccount(reading: json) }
  }

  private init(reading json: JSONRef) throws(Refusal) {
    try json.readMembers { (key, value) throws(Refusal) in
      switch key.string {
      case "returncode":
        guard let code = value.integer.flatMap({ Int32(exactly: $0) }), (-64...255).contains(code) else {
          throw Refusal("\(value.shown) is no returncode: use an integer from -64 to 255")
        }
        returncode = code
      case "stdout": stdout = try HostAccount.text(value)
      case "stderr": stderr = try HostAccount.text(value)
      case "exception":
        if value.kind == .null { return }
        try value.require(.object)
        exception = RaisedException(
          type: value["type"]?.string ?? "", message: value["message"]?.string ?? "", trace: value["trace"]?.string ?? "")
      case "resumable": isResumable = try value.requireBoolean()
      case "value": self.value = JSONValue(keeping: value)
      default: throw .unknownKey(key, of: "the account of a step", known: HostAccount.keys)
      }
    }
  }

  /// A text, or the pieces of one.
  private static func text(_ json: JSONRef) throws(Refusal) -> String {
    if let bytes = json.bytes { return String(decoding: bytes, as: UTF8.self) }
    var text = ""
    try json.require(.array)
    try json.forEachElement { (index, piece) throws(Refusal) in
      guard let bytes = piece.bytes else { throw Refusal("\(piece.shown) stands where a string is needed").inside(index) }
      text += String(decoding: bytes, as: UTF8.self)
    }
    return text
  }
}
