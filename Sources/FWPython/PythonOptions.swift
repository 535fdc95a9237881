package import FWBase
internal import FWExecution
package import FWModel
package import FWProcess

/// The options of a notebook worker. An option that is not set has its default. Code workers have some of these
/// options.
package struct PythonOptions: WorkerOptions {
  package static let keys =
    ["python", "kernel", "cell_timeout", "start_timeout", "grace", "sandbox"] + RunSettings.keys

  /// The interpreter: a path, or a name that is looked up on PATH. If it is `nil`, the worker's variable `python` is
  /// used, or `python3`.
  package var python: String?
  /// The name of the kernel; `nil` for the kernel that the notebook names.
  var kernel: String?
  /// The number of seconds that one cell may take; `nil` for no limit.
  var cellTimeout: Double?
  /// The number of seconds that the interpreter may take to start, and a kernel may take to answer; `nil` for the
  /// default of each.
  var startTimeout: Double?
  /// The number of seconds between TERM and KILL. A function of the host is abandoned after this time.
  package var grace = 2.0
  /// What bounds the interpreter; `nil`: nothing does.
  package var sandbox: SandboxOptions?
  package var settings = RunSettings()

  /// The number of seconds that the interpreter may take to start. The default is long, because many interpreters that
  /// start at once on a slow file system take long.
  var interpreterStartTimeout: Double { startTimeout ?? 300 }

  package init() {}

  package mutating func read(_ key: JSONKey, _ value: JSONRef) throws(ValidationError) -> Bool {
    if try readShared(key, value) {
      try sandbox?.checkSockets()
      return true
    }
    return try readNotebookKey(key, value)
  }

  /// Reads a member that all workers with an interpreter on this machine have. Returns false if the key is a different
  /// one.
  package mutating func readShared(_ key: JSONKey, _ value: JSONRef) throws(ValidationError) -> Bool {
    if key == "python" {
      python = try value.requireName()
    } else if key == "grace" {
      grace = try value.requireGrace()
    } else if key == "sandbox" {
      sandbox = try SandboxOptions.read(value)
    } else {
      return try settings.read(key, value)
    }
    return true
  }

  /// Reads a member that only notebook workers have. Returns false if the key is a different one.
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
