package import FWBase
package import FWExecution
package import FWModel

/// Runs the commands of a container step as processes of this machine.
package struct SubprocessWorker: CommandRunner {
  package let variables: VariableTable
  let options: SubprocessOptions
  private let kept: KeptEnvironment
  private let sandbox: SandboxRequest?

  package static let type = WorkerType("subprocess", runs: .container)

  package init(_ spec: WorkerSpec, _ options: SubprocessOptions, _ resources: SharedResources) throws(FlowError) {
    variables = try VariableTable(spec.variables)
    self.options = options
    kept = try KeptEnvironment()
    sandbox = if let sandbox = options.sandbox { try SandboxRequest(sandbox) } else { nil }
  }

  package var settings: RunSettings { options.settings }

  package var inheritance: Inheritance? { options.inheritance }

  package var sandboxSummary: String? { options.sandbox?.summary }

  package var treeLimitsSummary: String? { options.treeLimits?.summary }

  package func searchPath(_ environment: CommandEnvironment) -> SearchPath? { SearchPath(environment) }

  package func plan(_ step: Step, _ context: ContextValues?, _ secrets: Secrets, rundir: CText) throws(FlowError)
    -> StepPlan
  {
    StepPlan(commands: try ExpandedCommands(step, variables, context)) { (settings) throws(StepFailure) in
      try ProcessLauncher(options, settings, rundir: rundir, kept: kept, sandbox: sandbox)
    }
  }

  package func describe(_ planning: Planning, _ commands: borrowing ExpandedCommands, to writer: inout JSONWriter) {
    planning.describeInheritance(leavingOut: options.sandbox?.hides, to: &writer)
    writer.member("sandbox") { options.sandbox.write(to: &$0) }
    writer.member("tree_limits") { writer in
      if let limits = options.treeLimits { limits.write(to: &writer) } else { writer.null() }
    }
    writer.member("processes") { writer in
      writer.array(commands.indices) { writer, index in
        commands.write(process: index, shell: options.shell, to: &writer)
      }
    }
  }
}
