package import FWBase

/// A type of worker. Each has a folder with a `StepRunner`, which names the type, and a line of the registry.
/// It is an object, because a specification that is read copies it several times.
package final class WorkerType: Sendable {
  /// The name that documents and results have.
  package let name: String
  /// The same name for callers, who may keep it.
  package let literal: StaticString
  /// The words for one of its workers.
  package let shown: String
  /// The type of the steps that its workers run.
  package let stepType: StepType
  /// The layer that runs the commands of a step for the library.
  let layer: Explanation.Layer
  /// The remedy that is likely to help when that layer has failed.
  let likely: String

  package init(
    _ name: StaticString, article: StaticString = "a", runs stepType: StepType,
    by layer: Explanation.Layer = .engine,
    likely: String = "the engine does not run, or is not to be reached by this user"
  ) {
    literal = name
    self.name = "\(name)"
    shown = "\(article) \(name) worker"
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
  /// The most steps of the worker at one time; `nil`: there is no limit.
  package var limit: Int?

  package init(name: String) { self.name = name }

  /// The options that all types of workers have.
  package static let optionKeys = ["limit"]

  /// Reads one option that all types of workers have. Gives false if the key is another one.
  package mutating func read(option key: JSONKey, _ value: JSONRef) throws(ValidationError) -> Bool {
    guard key == "limit" else { return false }
    guard let integer = value.integer, integer >= 1 else {
      let hint =
        value.integer == 0
        ? ": a worker that may run nothing is no worker"
        : value.kind == .null ? ": without the key there is no limit" : ""
      throw ValidationError(
        "expected the most steps of the worker at one time, an integer from 1, found \(value.shown)\(hint)")
    }
    limit = Int(integer)
    return true
  }
}
