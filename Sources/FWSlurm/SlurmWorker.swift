package import FWBase
package import FWExecution
package import FWModel
internal import FWProcess

/// Runs the commands of a container step in an allocation of a Slurm cluster.
package struct SlurmWorker: CommandRunner {
  package let variables: VariableTable
  let options: SlurmOptions
  let allocations: Allocations
  let sandbox: SandboxRequest?

  package static let type = WorkerType(
    "slurm", runs: .container, by: .scheduler,
    likely: "the cluster has a problem, or somebody else ended the job; \"retries\" on \"engine_failed\" may help")

  package init(_ spec: WorkerSpec, _ options: SlurmOptions, _ resources: SharedResources) throws(FlowError) {
    variables = try VariableTable(spec.variables)
    allocations = try resources.resource(Allocations.self)
    self.options = options
    sandbox = if let sandbox = options.process.sandbox { try SandboxRequest(sandbox) } else { nil }
  }

  package var settings: RunSettings { options.process.settings }

  package var inheritance: Inheritance? { options.process.inheritance }

  package var sandboxSummary: String? { options.process.sandbox?.summary }

  package func searchPath(_ environment: CommandEnvironment) -> SearchPath? { SearchPath(environment) }

  package func plan(_ step: Step, _ context: ContextValues?, _ secrets: Secrets, rundir: CText) throws(FlowError)
    -> StepPlan
  {
    StepPlan(commands: try ExpandedCommands(step, variables, context)) { (settings) throws(StepFailure) in
      try SlurmLauncher(self, settings, rundir: rundir)
    }
  }

  package func describe(_ planning: Planning, _ commands: borrowing ExpandedCommands, to writer: inout JSONWriter) {
    planning.describeInheritance(leavingOut: { Submission.isForeign($0) || options.leavesOut($0) }, to: &writer)
    writer.member("sandbox") { options.process.sandbox.write(to: &$0) }
    do throws(StepFailure) {
      let submission = try Submission(options)
      writer.member("submission") { writer in
        writer.array(submission.arguments(name: "fw-…")) { $0.string($1) }
      }
    } catch { writer.member("problem", error.reason) }
    writer.member("processes") { writer in
      writer.array(commands.indices) { writer, index in
        commands.write(process: index, shell: options.process.shell, to: &writer)
      }
    }
  }
}
