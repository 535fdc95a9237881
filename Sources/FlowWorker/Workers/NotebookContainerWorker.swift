/// Runs notebooks in containers of images that are built for their requirements.
struct NotebookContainerWorker: StepRunner {
  let env: KeyValues
  let options: NotebookContainerOptions

  init(_ spec: WorkerSpec) {
    env = spec.env
    if case .notebookContainer(let options) = spec.options {
      self.options = options
    } else {
      options = NotebookContainerOptions()
    }
  }

  var settings: RunSettings { options.docker.settings }

  func plan(_ step: Step, _ context: ContextValues?, _ secrets: Secrets, rundir: CText) throws(FlowError) -> StepPlan {
    let job = try PythonJob.notebook(step, options.python, context, secrets)
    return StepPlan(commands: try ExpandedCommands(named: step.notebook.notebook)) { (settings) throws(StepFailure) in
      try NotebookLauncher(self, job, step, settings, rundir: rundir)
    }
  }
}
