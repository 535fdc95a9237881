internal import FWBase
internal import FWDocker
internal import FWExecution
internal import FWFunctions
internal import FWModel
internal import FWProcess
internal import FWPython
internal import FWSlurm

/// The types of workers, with one line for each. Everything else about a type is in its own folder.
enum WorkerRegistry {
  /// The first type that runs a type of steps has the default worker for these steps.
  static let all = [
    Entry(CodeWorker.self),
    Entry(SubprocessWorker.self),
    Entry(DockerWorker.self),
    Entry(NotebookWorker.self),
    Entry(NotebookContainerWorker.self),
    Entry(SlurmWorker.self),
  ]

  /// Makes what runs the steps of one worker.
  typealias MakeRunner = @Sendable (WorkerSpec, SharedResources) throws(FlowError) -> any StepRunner

  final class Entry: Sendable {
    let type: WorkerType
    let optionKeys: [String]
    /// Reads the options of a specification into it. They are `nil` if the specification has none.
    let read: @Sendable (JSONRef?, inout WorkerSpec) throws(ValidationError) -> MakeRunner
    let makeDefault: MakeRunner

    init<Runner: StepRunner>(_ runner: Runner.Type) {
      type = Runner.type
      optionKeys = Runner.Options.allKeys
      let makeDefault: MakeRunner = { (spec, resources) throws(FlowError) in
        try Runner(spec, Runner.Options(), resources)
      }
      self.makeDefault = makeDefault
      read = { (json, spec) throws(ValidationError) in
        guard let json else { return makeDefault }
        let options = try Runner.Options(reading: json, of: Runner.type, into: &spec)
        return { (spec, resources) throws(FlowError) in try Runner(spec, options, resources) }
      }
    }
  }

  static func defaultEntry(for steps: StepType) throws(FlowError) -> Entry {
    guard let entry = all.first(where: { $0.type.stepType == steps }) else {
      throw FlowError(.stepType, "there is no worker type for \(steps.rawValue) steps")
    }
    return entry
  }
}
