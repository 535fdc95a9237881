/// What the specification of a worker says, beside its type and the options, which are the type's own.
package struct WorkerSpec {
  package static let keys = ["name", "type", "env", "variables", "vars", "volume", "options", "secrets"]
  package static let defaultVolume = "__default__"

  package var name: String
  package var env = KeyValues()
  package var variables = KeyValues()
  package var volume = WorkerSpec.defaultVolume
  /// Names of environment entries and of values of the context.
  package var secrets: [String] = []

  package init(name: String) { self.name = name }
}
