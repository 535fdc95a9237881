/// A type of worker. Each has a folder with a `StepRunner`, which names the type, and a line of the registry.
/// It is an object, because a specification that is read copies it several times.
package final class WorkerType: Sendable {
  /// The name that documents and results have.
  package let name: String
  /// The same name for callers, who may keep it.
  package let literal: StaticString
  /// The type of the steps that its workers run.
  package let stepType: StepType
  /// The layer that runs the commands of a step for the library.
  let layer: Explanation.Layer
  /// The remedy that is likely to help when that layer has failed.
  let likely: String

  package init(
    _ name: StaticString, runs stepType: StepType, by layer: Explanation.Layer = .engine,
    likely: String = "the engine does not run, or is not to be reached by this user"
  ) {
    literal = name
    self.name = "\(name)"
    self.stepType = stepType
    self.layer = layer
    self.likely = likely
  }
}

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
