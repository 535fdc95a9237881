package import FWBase
package import FWModel

/// The part of a worker that differs by its type.
package protocol StepRunner: Sendable {
  associatedtype Options: WorkerOptions

  static var type: WorkerType { get }

  init(_ spec: WorkerSpec, _ options: Options, _ resources: SharedResources) throws(FlowError)

  /// The limits and retries that the specification of the worker sets for its runs.
  var settings: RunSettings { get }

  /// Refuses a step that the worker can never run. A workflow asks this of all its steps before the first one runs.
  func check(_ step: Step, _ context: ContextValues?, _ secrets: Secrets) throws(FlowError)

  /// What is to be done for a step that `check` has passed. All commands are expanded before the first one runs, as in
  /// flowServ.
  func plan(_ step: Step, _ context: ContextValues?, _ secrets: Secrets, rundir: CText) throws(FlowError) -> StepPlan

  /// The directories in which a shell looks for the programs of the commands; `nil`: it does not look on this machine.
  func searchPath(_ env: KeyValues) -> SearchPath?

  /// Adds the members of this type of worker to the document of a plan (`fw_worker_plan`).
  func describe(_ planning: Planning, _ commands: borrowing ExpandedCommands, to writer: inout JSONWriter)
}

extension StepRunner {
  package func check(_ step: Step, _ context: ContextValues?, _ secrets: Secrets) throws(FlowError) {}
  package func searchPath(_ env: KeyValues) -> SearchPath? { nil }
}

/// A worker that runs the commands of container steps.
package protocol CommandRunner: StepRunner {
  /// The values of placeholders that win over those of the context.
  var variables: VariableTable { get }
}

extension CommandRunner {
  package func check(_ step: Step, _ context: ContextValues?, _ secrets: Secrets) throws(FlowError) {
    try step.checkCommands(variables, context, secrets)
  }
}

/// What the "options" of a specification say; the defaults where they say nothing.
package protocol WorkerOptions: Sendable {
  init()
  init(reading json: JSONRef) throws(ValidationError)
}

/// What a worker is going to do for a step.
package struct StepPlan: ~Copyable {
  package let commands: ExpandedCommands
  /// Makes what starts the commands of one attempt.
  let launcher: (RunSettings) throws(StepFailure) -> any CommandLauncher
  /// Of worker, step and host together.
  package var settings = RunSettings()
  /// Where programs are looked for by a shell on a machine like this one.
  package var path: SearchPath?

  package init(
    commands: consuming ExpandedCommands,
    launcher: @escaping (RunSettings) throws(StepFailure) -> any CommandLauncher
  ) {
    self.commands = commands
    self.launcher = launcher
  }
}

/// What a worker is asked to describe.
package struct Planning {
  package let step: Step
  package let context: ContextValues?
  package let settings: RunSettings
  /// The worker's entries and the step's, and the secrets of the context.
  package let env: KeyValues
  package let rundir: CText

  package init(step: Step, context: ContextValues?, settings: RunSettings, env: KeyValues, rundir: CText) {
    self.step = step
    self.context = context
    self.settings = settings
    self.env = env
    self.rundir = rundir
  }
}
