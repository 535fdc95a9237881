/// Runs notebooks with papermill, in an interpreter of the machine.
struct NotebookWorker: StepRunner {
  private let options: PythonOptions
  let python: PythonProgram
  private let interpreters: Interpreters

  init(_ spec: WorkerSpec, _ resources: SharedResources) {
    if case .python(let options) = spec.options { self.options = options } else { options = PythonOptions() }
    interpreters = resources.interpreters
    python = PythonProgram(spec, options, resources)
  }

  var settings: RunSettings { options.settings }

  func plan(_ step: Step, _ context: ContextValues?, _ secrets: Secrets, rundir: CText) throws(FlowError) -> StepPlan {
    let job = try PythonJob.notebook(step, options, context, secrets)
    let (python, interpreters, options) = (python, interpreters, options)
    return StepPlan(commands: try ExpandedCommands(named: step.notebook.notebook)) { (settings) throws(StepFailure) in
      try PythonLauncher(job, python, interpreters, settings, options, env: step.env, rundir: rundir)
    }
  }
}
