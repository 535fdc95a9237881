package import FWBase
package import FWExecution
package import FWModel
internal import FWPython

/// Runs notebooks in containers of images that are built for their requirements.
package struct NotebookContainerWorker: StepRunner {
  let env: KeyValues
  let options: NotebookContainerOptions

  package static let type = WorkerType("nbdocker", runs: .notebook)

  package init(_ spec: WorkerSpec, _ options: NotebookContainerOptions, _ resources: SharedResources) {
    env = spec.env
    self.options = options
  }

  package var settings: RunSettings { options.docker.settings }

  package func plan(_ step: Step, _ context: ContextValues?, _ secrets: Secrets, rundir: CText) throws(FlowError)
    -> StepPlan
  {
    let job = try PythonJob.notebook(step, options.python, context, secrets)
    return StepPlan(commands: try ExpandedCommands(named: step.notebook.notebook)) { (settings) throws(StepFailure) in
      try NotebookLauncher(self, job, step, settings, rundir: rundir)
    }
  }

  package func describe(_ planning: Planning, _ commands: borrowing ExpandedCommands, to writer: inout JSONWriter) {
    writer.member("inherits_environment", false)
    planning.step.notebook.describe(planning, to: &writer)
    writer.member("base_image", options.base)
    writer.member("requirements") { writer in
      writer.array(planning.step.notebook.requirements) { $0.string($1) }
    }
  }
}
