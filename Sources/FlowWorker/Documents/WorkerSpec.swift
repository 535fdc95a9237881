/// The types of workers, and what each has of its own. A new type begins here.
public enum WorkerType: String, CaseIterable, Sendable {
  case code
  case subprocess
  case docker
  case notebook
  case nbdocker

  /// The type of the steps that it runs.
  var stepType: StepType {
    switch self {
    case .code: return .code
    case .subprocess, .docker: return .container
    case .notebook, .nbdocker: return .notebook
    }
  }

  var optionKeys: [String] { self == .subprocess ? SubprocessOptions.keys : [] }
}

/// What the specification of a worker says.
struct WorkerSpec {
  static let keys = ["name", "type", "env", "variables", "vars", "volume", "options"]
  static let defaultVolume = "__default__"

  var name: String
  var type: WorkerType
  var env = KeyValues()
  var variables = KeyValues()
  var volume = WorkerSpec.defaultVolume
  var options = SubprocessOptions()

  init(name: String, type: WorkerType) {
    self.name = name
    self.type = type
  }

  init(reading json: JSONRef) throws(Refusal) {
    var name: String?
    var type: WorkerType?
    var env = KeyValues()
    var variables = KeyValues()
    var variablesKey: String?
    var volume = WorkerSpec.defaultVolume
    var options: JSONRef?
    try json.readMembers { (key, value) throws(Refusal) in
      if key == "name" {
        name = try value.requireName()
      } else if key == "type" {
        type = try value.requireChoice("worker type")
      } else if key == "env" {
        env = try KeyValues(reading: value, .environment)
      } else if key == "variables" || key == "vars" {
        if let other = variablesKey {
          throw Refusal(
            "a worker has both \"\(other)\" and \"\(key.string)\", which are two names of one thing", isAboutKey: true)
        }
        variablesKey = key.string
        variables = try KeyValues(reading: value, .any)
      } else if key == "volume" {
        volume = try value.requireName()
      } else if key == "options" {
        options = value
      } else {
        throw .unknownKey(key, of: "a worker specification", known: WorkerSpec.keys)
      }
    }
    guard let name else { throw .missingKey("name", of: "the worker specification") }
    guard let type else { throw .missingKey("type", of: "the specification of worker \(Wording.quoted(name))") }
    self.name = name
    self.type = type
    self.env = env
    self.variables = variables
    self.volume = volume
    if let options {
      // Which keys there are depends on the type, which may come later in the text.
      do throws(Refusal) { self.options = try SubprocessOptions(reading: options, of: type) } catch {
        throw error.inside("options")
      }
    }
  }
}

/// What the options of a subprocess worker say; the defaults where they say nothing.
struct SubprocessOptions {
  static let keys = ["inherit_env", "shell", "background", "grace", "output_limit"]

  /// What becomes of processes that a command has left running.
  enum Background: String, CaseIterable {
    case kill
    case wait
    case leave
  }

  var inheritEnv = false
  var shell = "/bin/sh"
  var background = Background.kill
  /// Seconds between TERM and KILL.
  var grace = 2.0
  /// Bytes that are kept of each stream of a command.
  var outputLimit: Int?

  init() {}

  init(reading json: JSONRef, of type: WorkerType) throws(Refusal) {
    try json.readMembers { (key, value) throws(Refusal) in
      guard type == .subprocess else {
        throw .unknownKey(key, of: "the options of a \(type.rawValue) worker", known: type.optionKeys)
      }
      if key == "inherit_env" {
        inheritEnv = try value.requireBoolean()
      } else if key == "shell" {
        shell = try value.requireString()
        guard shell.utf8.first == UInt8(ascii: "/") else {
          throw Refusal("\(value.shown) is no absolute path of a shell, such as \"/bin/bash\"")
        }
      } else if key == "background" {
        background = try value.requireChoice("way to treat background processes")
      } else if key == "grace" {
        guard let number = value.number, number >= 0, number <= 86_400 else {
          throw Refusal("\(value.shown) is no time in seconds from 0 to 86400")
        }
        grace = number
      } else if key == "output_limit" {
        outputLimit = try value.requireOutputLimit()
      } else {
        throw .unknownKey(key, of: "the options of a subprocess worker", known: SubprocessOptions.keys)
      }
    }
  }
}

extension JSONRef {
  /// A number of bytes.
  func requireOutputLimit() throws(Refusal) -> Int {
    guard let integer, integer >= 0, let bytes = Int(exactly: integer) else {
      throw Refusal("\(shown) is no number of bytes: use an integer from 0")
    }
    return bytes
  }
}
