/// Runs the commands of a container step in containers of an engine.
struct DockerWorker: StepRunner {
  let variables: VariableTable
  let env: KeyValues
  let options: DockerOptions

  init(_ spec: WorkerSpec) throws(FlowError) {
    variables = try VariableTable(spec.variables)
    env = spec.env
    if case .docker(let options) = spec.options { self.options = options } else { options = DockerOptions() }
  }

  var settings: RunSettings { options.settings }

  func plan(_ step: Step, _ context: ContextValues?, _ secrets: Secrets, rundir: CText) throws(FlowError) -> StepPlan {
    StepPlan(commands: try ExpandedCommands(step, variables, context, secrets)) { (settings) throws(StepFailure) in
      try ContainerLauncher(self, step, settings, rundir: rundir)
    }
  }
}
