package import FWBase
package import FWExecution
package import FWModel
internal import FWProcess

/// Runs notebooks with papermill, in a Python interpreter on this machine.
package struct NotebookWorker: StepRunner {
  private let options: PythonOptions
  let python: PythonProgram
  private let interpreters: Interpreters

  package static let type = WorkerType("notebook", runs: .notebook, likely: PythonProgram.likely)

  package init(_ spec: WorkerSpec, _ options: PythonOptions, _ resources: SharedResources) throws(FlowError) {
    self.options = options
    interpreters = try resources.resource(Interpreters.self)
    python = try PythonProgram(spec, options, resources)
  }

  package var settings: RunSettings { options.settings }
  package var inheritance: Inheritance? { .all }
  package var sandboxSummary: String? { options.sandbox?.summary }

  package func reads(_ step: Step, _ context: ContextValues?) -> ValueReads { step.notebook.values }

  package func plan(_ step: Step, _ context: ContextValues?, _ secrets: Secrets, rundir: CText) throws(FlowError)
    -> StepPlan
  {
    let job = try PythonJob.notebook(step, options, context, secrets)
    let (python, interpreters, options) = (python, interpreters, options)
    return StepPlan(commands: try ExpandedCommands(named: step.notebook.notebook)) { (settings) throws(StepFailure) in
      try PythonLauncher(job, python, interpreters, settings, options, rundir: rundir)
    }
  }

  package func describe(_ planning: Planning, _ commands: borrowing ExpandedCommands, to writer: inout JSONWriter) {
    planning.step.notebook.describe(planning, to: &writer)
    python.describe(planning, to: &writer)
  }
}

extension NotebookAction {
  /// Writes the members of a plan that all notebook workers have in common.
  package func describe(_ planning: Planning, to writer: inout JSONWriter) {
    writer.member("notebook", notebook)
    writer.member("output", output)
    writeParameters(planning.context, planning.settings.secrets, to: &writer)
  }
}
