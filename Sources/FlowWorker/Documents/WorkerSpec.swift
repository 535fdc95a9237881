/// The types of workers, and what each has of its own. A new type begins here.
public enum WorkerType: String, CaseIterable, Sendable {
  case code
  case subprocess
  case docker
  case notebook
  case nbdocker
  case slurm

  /// The type of the steps that it runs.
  var stepType: StepType {
    switch self {
    case .code: return .code
    case .subprocess, .docker, .slurm: return .container
    case .notebook, .nbdocker: return .notebook
    }
  }
}

/// What a worker's specification has of its type's own.
enum WorkerOptions {
  case none
  case subprocess(SubprocessOptions)
  case docker(DockerOptions)
  case python(PythonOptions)
  case notebookContainer(NotebookContainerOptions)
  case slurm(SlurmOptions)

  init(reading json: JSONRef, of type: WorkerType) throws(ValidationError) {
    switch type {
    case .subprocess: self = .subprocess(try SubprocessOptions(reading: json))
    case .docker: self = .docker(try DockerOptions(reading: json))
    case .code, .notebook: self = .python(try PythonOptions(reading: json, of: type))
    case .nbdocker: self = .notebookContainer(try NotebookContainerOptions(reading: json))
    case .slurm: self = .slurm(try SlurmOptions(reading: json))
    }
  }
}

/// What the specification of a worker says.
struct WorkerSpec {
  static let keys = ["name", "type", "env", "variables", "vars", "volume", "options", "secrets"]
  static let defaultVolume = "__default__"

  var name: String
  var type: WorkerType
  var env = KeyValues()
  var variables = KeyValues()
  var volume = WorkerSpec.defaultVolume
  var options = WorkerOptions.none
  /// Names of environment entries and of values of the context.
  var secrets: [String] = []

  init(name: String, type: WorkerType) {
    self.name = name
    self.type = type
  }

  init(reading json: JSONRef) throws(ValidationError) {
    var name: String?
    var type: WorkerType?
    var env = KeyValues()
    var variables = KeyValues()
    var variablesKey: String?
    var volume = WorkerSpec.defaultVolume
    var options: JSONRef?
    var secrets: [String] = []
    try json.readMembers { (key, value) throws(ValidationError) in
      if key == "name" {
        name = try value.requireName()
      } else if key == "type" {
        type = try value.requireChoice("worker type")
      } else if key == "env" {
        env = try KeyValues(reading: value, .environment)
      } else if key == "variables" || key == "vars" {
        if let other = variablesKey {
          throw ValidationError(
            "a worker has both \"\(other)\" and \"\(key.string)\", which are two names of one thing", isAboutKey: true)
        }
        variablesKey = key.string
        variables = try KeyValues(reading: value, .any)
      } else if key == "volume" {
        volume = try value.requireName()
      } else if key == "options" {
        options = value
      } else if key == "secrets" {
        secrets = try value.requireNames()
      } else {
        throw .unknownKey(key, of: "a worker specification", known: WorkerSpec.keys)
      }
    }
    guard let name else { throw .missingKey("name", of: "the worker specification") }
    guard let type else { throw .missingKey("type", of: "the specification of worker \(MessageFormat.quoted(name))") }
    self.name = name
    self.type = type
    self.env = env
    self.variables = variables
    self.volume = volume
    self.secrets = secrets
    if let options {
      // Which keys there are depends on the type, which may come later in the text.
      do throws(ValidationError) { self.options = try WorkerOptions(reading: options, of: type) } catch {
        throw error.inside("options")
      }
    }
  }
}
