/// What the options of code and notebook workers say; the defaults where they say nothing.
struct PythonOptions {
  static let codeKeys = ["python", "grace"] + RunSettings.keys
  static let notebookKeys = ["python", "kernel", "cell_timeout", "start_timeout", "grace"] + RunSettings.keys

  /// The interpreter: a path, or a name that is looked up. `nil`: the worker's variable of that name, or `python3`.
  var python: String?
  /// The name of the kernel; `nil`: the notebook's.
  var kernel: String?
  /// Seconds that one cell may take; `nil`: any time.
  var cellTimeout: Double?
  /// Seconds that the interpreter may take until it begins, and a kernel until it answers; `nil`: the defaults of both.
  var startTimeout: Double?
  /// Seconds between TERM and KILL; for a function of the host, those until it is given up.
  var grace = 2.0
  var settings = RunSettings()

  /// Many that start at once on a slow file system take their time.
  var interpreterStartTimeout: Double { startTimeout ?? 300 }

  init() {}

  init(reading json: JSONRef, of type: WorkerType) throws(ValidationError) {
    let keys = type == .code ? PythonOptions.codeKeys : PythonOptions.notebookKeys
    try json.readMembers { (key, value) throws(ValidationError) in
      if key == "python" {
        python = try value.requireName()
      } else if key == "grace" {
        grace = try value.requireGrace()
      } else if try settings.read(key, value) {
        return
      } else if type == .code ? true : !(try readNotebookKey(key, value)) {
        throw .unknownKey(key, of: "the options of a \(type.rawValue) worker", known: keys)
      }
    }
  }

  /// Reads one member that only notebooks have; false if it is none.
  mutating func readNotebookKey(_ key: JSONKey, _ value: JSONRef) throws(ValidationError) -> Bool {
    if key == "kernel" {
      kernel = try value.requireName()
    } else if key == "cell_timeout" {
      cellTimeout = try value.requireSeconds()
    } else if key == "start_timeout" {
      startTimeout = try value.requireSeconds()
    } else {
      return false
    }
    return true
  }
}

extension JSONRef {
  /// A time that something may take.
  func requireSeconds() throws(ValidationError) -> Double {
    guard let number, number > 0, number <= 31_536_000 else {
      throw ValidationError("\(shown) is no time in seconds: use a number above 0, at most 31536000")
    }
    return number
  }
}
