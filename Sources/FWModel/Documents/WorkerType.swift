/// A type of worker. Each has a folder with a `StepRunner`, which says its type, and a line of the registry.
package final class WorkerType: Sendable {
  /// As documents and results have it.
  package let name: String
  /// The same for callers, who may keep it.
  package let literal: StaticString
  /// The type of the steps that its workers run.
  package let stepType: StepType
  /// Who is at work between the library and the commands of a step.
  let layer: Explanation.Layer
  /// What is likely to help when that has failed.
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
