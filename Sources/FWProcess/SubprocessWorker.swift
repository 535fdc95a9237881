package import FWBase
package import FWExecution
package import FWModel

/// Runs the commands of a container step as processes of this machine.
package struct SubprocessWorker: CommandRunner {
  package let variables: VariableTable
  let env: KeyValues
  let options: SubprocessOptions

  package static let type = WorkerType("subprocess", runs: .container)

  package init(_ spec: WorkerSpec, _ options: SubprocessOptions, _ resources: SharedResources) throws(FlowError) {
    variables = try VariableTable(spec.variables)
    env = spec.env
    self.options = options
  }

  package var settings: RunSettings { options.settings }

  package func searchPath(_ env: KeyValues) -> SearchPath? {
    SearchPath(env, inherits: options.inheritEnv || env.isEmpty)
  }

  package func plan(_ step: Step, _ context: ContextValues?, _ secrets: Secrets, rundir: CText) throws(FlowError)
    -> StepPlan
  {
    StepPlan(commands: try ExpandedCommands(step, variables, context)) { (settings) throws(StepFailure) in
      try ProcessLauncher(options, env: env.overridden(by: step.env), settings, rundir: rundir)
    }
  }

  package func describe(_ planning: Planning, _ commands: borrowing ExpandedCommands, to writer: inout JSONWriter) {
    writer.member("inherits_environment", planning.inherits(options))
    writer.member("processes") { writer in
      writer.array(commands.indices) { writer, index in
        writer.array([options.shell, "-c", commands.text(index)]) { $0.string($1) }
      }
    }
  }
}

extension Planning {
  /// Whether commands inherit the environment of this process, which is the rule of a subprocess worker.
  package func inherits(_ options: SubprocessOptions) -> Bool {
    options.inheritEnv || env.pairs.count == settings.secrets.env.pairs.count
  }
}
