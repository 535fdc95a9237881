internal import FWBase
internal import FWModel

/// The document of a worker specification, of any type of the registry.
struct WorkerDocument {
  let spec: WorkerSpec
  let type: WorkerType
  /// Makes what runs the steps, with the options of the document.
  let makeRunner: WorkerRegistry.MakeRunner

  /// Describes a worker that has no document, so its options are the defaults.
  init(_ spec: WorkerSpec, of entry: WorkerRegistry.Entry) {
    self.spec = spec
    type = entry.type
    makeRunner = entry.makeDefault
  }

  init(reading json: JSONRef) throws(ValidationError) {
    var name: String?
    var entry: WorkerRegistry.Entry?
    var env = KeyValues()
    var variables = KeyValues()
    var variablesKey: String?
    var volume = WorkerSpec.defaultVolume
    var options: JSONRef?
    var secrets: [String] = []
    try json.readMembers(of: "the specification of a worker (an object)") { (key, value) throws(ValidationError) in
      if key == "name" {
        name = try value.requireName()
      } else if key == "type" {
        entry = try value.requireChoice("a worker type", among: WorkerRegistry.all, \.type.name)
      } else if key == "env" {
        env = try KeyValues(reading: value, .environment)
      } else if key == "variables" || key == "vars" {
        if let other = variablesKey {
          throw ValidationError(
            "a worker has both \"\(other)\" and \"\(key.string)\", which mean the same: use one of them",
            isAboutKey: true)
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
        let isOption = WorkerRegistry.all.contains { $0.optionKeys.contains(key.string) }
        throw .unknownKey(
          key, of: "a worker specification", known: WorkerSpec.keys,
          else: isOption ? "it is a key of the worker's \"options\"" : nil)
      }
    }
    guard let name else { throw .missingKey("name", of: "the worker specification") }
    guard let entry else { throw .missingKey("type", of: "the specification of worker \(MessageFormat.quoted(name))") }
    var spec = WorkerSpec(name: name)
    spec.env = env
    spec.variables = variables
    spec.volume = volume
    spec.secrets = secrets
    type = entry.type
    // The options are read last, because their grammar depends on the type, which may come later in the text.
    do throws(ValidationError) { makeRunner = try entry.read(options, &spec) } catch { throw error.inside("options") }
    self.spec = spec
  }
}
