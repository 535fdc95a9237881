/// Runs the commands of a container step in an allocation of a Slurm cluster.
struct SlurmWorker: StepRunner {
  let variables: VariableTable
  let env: KeyValues
  let options: SlurmOptions
  let allocations: Allocations

  init(_ spec: WorkerSpec, _ resources: SharedResources) throws(FlowError) {
    variables = try VariableTable(spec.variables)
    env = spec.env
    allocations = resources.allocations
    if case .slurm(let options) = spec.options { self.options = options } else { options = SlurmOptions() }
  }

  var settings: RunSettings { options.process.settings }

  func searchPath(_ env: KeyValues) -> SearchPath? {
    SearchPath(env, inherits: options.process.inheritEnv || env.isEmpty)
  }

  func plan(_ step: Step, _ context: ContextValues?, _ secrets: Secrets, rundir: CText) throws(FlowError) -> StepPlan {
    StepPlan(commands: try ExpandedCommands(step, variables, context, secrets)) { (settings) throws(StepFailure) in
      try SlurmLauncher(self, settings, env: step.env, rundir: rundir)
    }
  }
}
