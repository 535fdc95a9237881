/// The specification of a worker without its type and without its options, whose grammar depends on the type.
package struct WorkerSpec {
  package static let keys = ["name", "type", "env", "variables", "vars", "volume", "options", "secrets"]
  package static let defaultVolume = "__default__"

  package var name: String
  package var env = KeyValues()
  package var variables = KeyValues()
  package var volume = WorkerSpec.defaultVolume
  /// The names of environment entries and of context values that are secret.
  package var secrets: [String] = []

  package init(name: String) { self.name = name }
}
