internal import FWBase
internal import FWModel

/// What a function reports of its call.
struct CallResult {
  static let keys = ["returncode", "started", "exception", "value", "object", "unfit", "unfit_parameter"]

  private(set) var returncode: Int32 = 0
  /// Whether the function could be called.
  private(set) var isStarted = true
  private(set) var exception: RaisedException?
  private(set) var value: JSONValue?
  private(set) var object: HostObject?

  init(value: JSONValue) { self.value = value }

  init(raised exception: RaisedException) {
    returncode = 1
    self.exception = exception
  }

  init(_ text: UnsafeRawBufferPointer) throws(FlowError) {
    self = try JSONText.read(text) { (json) throws(ValidationError) in try CallResult(reading: json) }
  }

  private init(reading json: JSONRef) throws(ValidationError) {
    var code: Int32?
    var kind: String?
    var unfit: String?
    var unfitParameter: String?
    try json.readMembers { (key, value) throws(ValidationError) in
      switch key.string {
      case "returncode":
        guard let number = value.integer.flatMap({ Int32(exactly: $0) }), (0...255).contains(number) else {
          throw ValidationError("expected a return code, an integer from 0 to 255, found \(value.shown)")
        }
        code = number
      case "started": isStarted = try value.requireBoolean()
      case "exception":
        if value.kind == .null { return }
        try value.require(.object)
        exception = RaisedException(
          type: value["type"]?.string ?? "", message: value["message"]?.string ?? "",
          trace: value["trace"]?.string ?? "")
      case "value": self.value = JSONValue(keeping: value)
      case "object": kind = try value.requireString()
      case "unfit": unfit = try value.requireString()
      case "unfit_parameter": unfitParameter = try value.requireString()
      default: throw .unknownKey(key, of: "the report of a call", known: CallResult.keys)
      }
    }
    returncode = code ?? (exception == nil ? 0 : 1)
    if returncode == 0 { exception = nil }
    if kind != nil || unfit != nil || unfitParameter != nil {
      object = HostObject(
        kind: kind ?? "an object of the host", unfit: unfit, unfitParameter: unfitParameter ?? unfit)
    }
  }
}
