/// Runs the commands of a container step as processes of this machine.
struct SubprocessWorker: StepRunner {
  let variables: VariableTable
  let env: KeyValues
  let options: SubprocessOptions

  init(_ spec: WorkerSpec) throws(FlowError) {
    variables = try VariableTable(spec.variables)
    env = spec.env
    options = spec.options
  }

  var settings: RunSettings { options.settings }

  func expand(_ step: Step, _ context: ContextValues?) throws(FlowError) -> ExpandedCommands {
    try ExpandedCommands(step, variables, context)
  }

  func launcher(_ step: Step, _ settings: RunSettings, rundir: CText) throws(SpawnFailure) -> any CommandLauncher {
    try ProcessLauncher(self, settings, env: step.env, rundir: rundir)
  }
}
