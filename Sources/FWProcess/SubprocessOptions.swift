package import FWBase
internal import FWExecution
package import FWModel

/// The options of a subprocess worker, with their defaults.
package struct SubprocessOptions: WorkerOptions {
  package static let keys =
    ["inherit_env", "shell", "background", "grace", "limits", "tree_limits", "sandbox"]
    + CommandSettings.workerKeys + RunSettings.keys

  /// What happens to processes that a command has left running.
  enum Background: String, CaseIterable {
    case kill
    case wait
    case leave
  }

  /// What commands inherit; `nil` for the rule of flowServ.
  package var inheritance: Inheritance?
  package var shell = "/bin/sh"
  var background = Background.kill
  /// The seconds between TERM and KILL.
  package var grace = 2.0
  var limits = ProcessLimits()
  /// The limits of all processes of a command together; `nil`: there are none.
  package var treeLimits: TreeLimits?
  /// What bounds the commands; `nil`: nothing does.
  package var sandbox: SandboxOptions?
  package var settings = RunSettings()

  package init() {}

  /// Reads one option. All workers whose commands are run by a monitor have these.
  package mutating func read(_ key: JSONKey, _ value: JSONRef) throws(ValidationError) -> Bool {
    if key == "inherit_env" {
      inheritance = try Inheritance.read(value)
    } else if key == "shell" {
      shell = try value.requireAbsolutePath(of: "a shell, such as \"/bin/bash\"")
    } else if key == "background" {
      background = try value.requireChoice("a value of \"background\"")
    } else if key == "grace" {
      grace = try value.requireGrace()
    } else if key == "limits" {
      limits = try ProcessLimits(reading: value)
    } else if key == "tree_limits" {
      treeLimits = try TreeLimits(reading: value)
    } else if key == "sandbox" {
      sandbox = try SandboxOptions.read(value)
    } else if try !settings.commands.read(ofWorker: key, value) {
      return try settings.read(key, value)
    }
    return true
  }
}

/// The limits of each process of a command, as setrlimit(2) takes them.
struct ProcessLimits {
  /// The names of the limits, in the order in which the supervisor takes them.
  static let keys = ["cpu_time", "memory", "open_files", "file_size", "processes"]

  private(set) var values: [UInt64?] = ProcessLimits.keys.map { _ in nil }

  init() {}

  init(reading json: JSONRef) throws(ValidationError) {
    try json.readMembers { (key, value) throws(ValidationError) in
      let name = key.string
      guard let index = ProcessLimits.keys.firstIndex(of: name) else {
        throw .unknownKey(key, of: "\"limits\"", known: ProcessLimits.keys)
      }
      let least: Int64 = name == "file_size" ? 0 : 1
      guard let number = value.integer, number >= least else {
        throw ValidationError(
          "expected an integer from \(least) as the limit \(MessageFormat.quoted(name)), found \(value.shown)")
      }
      values[index] = UInt64(number)
    }
  }
}
