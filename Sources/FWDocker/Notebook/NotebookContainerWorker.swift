package import FWBase
package import FWExecution
package import FWModel
internal import FWPython

/// Runs notebooks in containers of images that are built for their requirements.
package struct NotebookContainerWorker: StepRunner {
  let options: NotebookContainerOptions

  package static let type = WorkerType("nbdocker", article: "an", runs: .notebook)

  package init(_ spec: WorkerSpec, _ options: NotebookContainerOptions, _ resources: SharedResources) {
    self.options = options
  }

  package var settings: RunSettings { options.docker.settings }
  package var inheritance: Inheritance? { .nothing }

  package func reads(_ step: Step, _ context: ContextValues?) -> ValueReads { step.notebook.values }

  package func plan(_ step: Step, _ context: ContextValues?, _ secrets: Secrets, rundir: CText) throws(FlowError)
    -> StepPlan
  {
    let job = try PythonJob.notebook(step, options.python, context, secrets)
    return StepPlan(commands: try ExpandedCommands(named: step.notebook.notebook)) { (settings) throws(StepFailure) in
      try NotebookLauncher(self, job, step, settings, rundir: rundir)
    }
  }

  package func describe(_ planning: Planning, _ commands: borrowing ExpandedCommands, to writer: inout JSONWriter) {
    planning.describeInheritance(to: &writer)
    planning.step.notebook.describe(planning, to: &writer)
    writer.member("base_image", options.base)
    writer.member("requirements") { writer in
      writer.array(planning.step.notebook.requirements) { $0.string($1) }
    }
  }
}

/// The options of an nbdocker worker. An option that is not set has its default.
package struct NotebookContainerOptions: WorkerOptions {
  package static let keys =
    ["base_image", "kernel", "cell_timeout", "start_timeout"]
    + DockerOptions.keys.filter { $0 != "container" && $0 != "shell" && !CommandSettings.workerKeys.contains($0) }

  /// The base image of notebooks by default. It is that of flowServ, with a newer Python.
  static let defaultBase = "python:3.12"

  var base = NotebookContainerOptions.defaultBase
  var docker = DockerOptions()
  var python = PythonOptions()

  package init() {}

  package mutating func read(_ key: JSONKey, _ value: JSONRef) throws(ValidationError) -> Bool {
    if key == "base_image" {
      base = try value.requireName()
      // The name becomes part of a line of a Dockerfile.
      do throws(StepFailure) { _ = try ImageReference(base) } catch { throw ValidationError(error.reason) }
    } else if try !docker.readShared(key, value) {
      return try python.readNotebookKey(key, value)
    }
    return true
  }
}
