/// Runs the commands of a container step as processes of this machine.
struct SubprocessWorker: StepRunner {
  let variables: VariableTable
  let env: KeyValues
  var options: SubprocessOptions

  init(_ spec: WorkerSpec) throws(FlowError) {
    variables = try VariableTable(spec.variables)
    env = spec.env
    if case .subprocess(let options) = spec.options { self.options = options } else { options = SubprocessOptions() }
  }

  /// What runs a program for the library itself, with the host's environment.
  init(helperWith env: KeyValues) throws(FlowError) {
    variables = try VariableTable(KeyValues())
    self.env = env
    options = SubprocessOptions()
    options.inheritEnv = true
  }

  var settings: RunSettings { options.settings }

  func searchPath(_ env: KeyValues) -> SearchPath? {
    SearchPath(env, inherits: options.inheritEnv || env.isEmpty)
  }

  func plan(_ step: Step, _ context: ContextValues?, _ secrets: Secrets, rundir: CText) throws(FlowError) -> StepPlan {
    StepPlan(commands: try ExpandedCommands(step, variables, context, secrets)) { (settings) throws(StepFailure) in
      try ProcessLauncher(self, settings, env: step.env, rundir: rundir)
    }
  }
}
