package import FWBase
package import FWExecution
package import FWModel

/// Runs the commands of a container step in containers of an engine.
package struct DockerWorker: CommandRunner {
  package let variables: VariableTable
  let options: DockerOptions

  package static let type = WorkerType("docker", runs: .container)

  package init(_ spec: WorkerSpec, _ options: DockerOptions, _ resources: SharedResources) throws(FlowError) {
    variables = try VariableTable(spec.variables)
    self.options = options
  }

  package var settings: RunSettings { options.settings }
  package var inheritance: Inheritance? { .nothing }

  package func plan(_ step: Step, _ context: ContextValues?, _ secrets: Secrets, rundir: CText) throws(FlowError)
    -> StepPlan
  {
    StepPlan(commands: try ExpandedCommands(step, variables, context)) { (settings) throws(StepFailure) in
      try ContainerLauncher(self, step, settings, rundir: rundir)
    }
  }

  package func describe(_ planning: Planning, _ commands: borrowing ExpandedCommands, to writer: inout JSONWriter) {
    planning.describeInheritance(to: &writer)
    writer.member("image", planning.step.image)
    var problems: [String] = []
    let search: Result<EngineEndpoint, StepFailure>
    do throws(StepFailure) { search = .success(try EngineSearch.endpoint(options)) } catch { search = .failure(error) }
    switch search {
    case .success(let endpoint): writer.member("host", endpoint.address)
    case .failure(let failure): problems.append(failure.reason)
    }
    do throws(StepFailure) {
      _ = try ImageReference(planning.step.image)
      // The user in the container may depend on the engine, which is not contacted here.
      let plan = try ContainerPlan(
        options, env: planning.settings.environment.variables, rundir: planning.rundir, label: HostLabel.own,
        isRootless: false)
      var bodies: [String] = []
      for index in 0..<commands.count {
        let body = try ContainerProgram(commands[index], shell: options.shell)
          .container(image: planning.step.image, plan, hasInput: planning.settings.commands.stdin != nil)
        bodies.append(String(decoding: body.bytes, as: UTF8.self))
      }
      writer.member("containers") { writer in writer.array(bodies) { $0.json($1) } }
    } catch { problems.append(error.reason) }
    if !problems.isEmpty { writer.member("problem", problems.joined(separator: "; ")) }
  }
}
