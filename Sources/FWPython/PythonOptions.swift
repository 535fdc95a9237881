package import FWBase
internal import FWExecution
package import FWModel

/// What the options of notebook workers say; the defaults where they say nothing. Those of code workers have some of them.
package struct PythonOptions: WorkerOptions {
  static let keys = ["python", "kernel", "cell_timeout", "start_timeout", "grace"] + RunSettings.keys

  /// The interpreter: a path, or a name that is looked up. `nil`: the worker's variable of that name, or `python3`.
  package var python: String?
  /// The name of the kernel; `nil`: the notebook's.
  var kernel: String?
  /// Seconds that one cell may take; `nil`: any time.
  var cellTimeout: Double?
  /// Seconds that the interpreter may take until it begins, and a kernel until it answers; `nil`: the defaults of both.
  var startTimeout: Double?
  /// Seconds between TERM and KILL; for a function of the host, those until it is given up.
  package var grace = 2.0
  package var settings = RunSettings()

  /// Many that start at once on a slow file system take their time.
  var interpreterStartTimeout: Double { startTimeout ?? 300 }

  package init() {}

  package init(reading json: JSONRef) throws(ValidationError) {
    try json.readMembers { (key, value) throws(ValidationError) in
      if try read(key, value) { return }
      if !(try readNotebookKey(key, value)) {
        throw .unknownKey(key, of: "the options of a notebook worker", known: PythonOptions.keys)
      }
    }
  }

  /// Reads one member that all workers with an interpreter of this machine have; false if it is none.
  package mutating func read(_ key: JSONKey, _ value: JSONRef) throws(ValidationError) -> Bool {
    if key == "python" {
      python = try value.requireName()
    } else if key == "grace" {
      grace = try value.requireGrace()
    } else {
      return try settings.read(key, value)
    }
    return true
  }

  /// Reads one member that only notebooks have; false if it is none.
  package mutating func readNotebookKey(_ key: JSONKey, _ value: JSONRef) throws(ValidationError) -> Bool {
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
