/// What would run for a step: nothing is started, nobody is asked. Secrets are masked.
extension Worker {
  public func plan(_ step: Step, _ context: Context?, rundir: UnsafePointer<CChar>) throws(FlowError) -> CString {
    try plan(step, context, CText(copying: rundir), RunSettings())
  }

  /// - Parameter settings: as `prepare` takes them.
  func plan(_ step: Step, _ context: Context?, _ path: CText, _ settings: RunSettings) throws(FlowError) -> CString {
    let plan = try prepare(step, context?.snapshot, path, settings)
    let settings = plan.settings
    let env = env.overridden(by: step.env).overridden(by: settings.secrets.env)
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("version", 1)
      writer.member("step", step.cName.string)
      writer.member("worker", cName.string)
      writer.member("worker_type", type.rawValue)
      writer.member("rundir", path.string)
      writer.member("timeout", settings.timeout)
      writer.member("output_limit", settings.outputLimit)
      writer.member("commands") { writer in
        writer.array(plan.commands.indices) { $0.string(plan.commands.text($1)) }
      }
      writer.member("environment") { writer in
        writer.object { writer in
          for (key, value) in env.pairs {
            writer.member(key: key, settings.secrets.contains(key) ? "\(Mask.stars)" : value)
          }
        }
      }
      let planning = Planning(step: step, context: context?.snapshot, settings: settings, env: env, rundir: path)
      runner.describe(planning, plan.commands, to: &writer)
    }
    let buffer = writer.buffer()
    if buffer.isExhausted { throw .noMemory }
    let value = try JSONText.parse(buffer.bytes)
    guard let text = settings.secrets.masked(value)?.read({ JSONText.compact($0) }) else { throw .noMemory }
    return text
  }
}

/// What a worker is asked to describe.
struct Planning {
  let step: Step
  let context: ContextValues?
  let settings: RunSettings
  /// The worker's entries and the step's, and the secrets of the context.
  let env: KeyValues
  let rundir: CText

  /// Whether this process's environment is under it, as with a subprocess.
  func inherits(_ options: SubprocessOptions) -> Bool {
    options.inheritEnv || env.pairs.count == settings.secrets.env.pairs.count
  }
}

extension SubprocessWorker {
  func describe(_ planning: Planning, _ commands: borrowing ExpandedCommands, to writer: inout JSONWriter) {
    writer.member("inherits_environment", planning.inherits(options))
    writer.member("processes") { writer in
      writer.array(commands.indices) { writer, index in
        writer.array([options.shell, "-c", commands.text(index)]) { $0.string($1) }
      }
    }
  }
}

extension DockerWorker {
  func describe(_ planning: Planning, _ commands: borrowing ExpandedCommands, to writer: inout JSONWriter) {
    writer.member("inherits_environment", false)
    writer.member("image", planning.step.image)
    let found: Result<EngineEndpoint, StepFailure>
    do throws(StepFailure) { found = .success(try EngineSearch.endpoint(options)) } catch { found = .failure(error) }
    switch found {
    case .success(let endpoint): writer.member("host", endpoint.address)
    case .failure(let failure): writer.member("problem", failure.reason)
    }
    do throws(StepFailure) {
      // Who the user in the container is may depend on the engine, which is not asked.
      let plan = try ContainerPlan(
        options, env: planning.env, rundir: planning.rundir, label: HostLabel.own, isRootless: false)
      var bodies: [String] = []
      for index in 0..<commands.count {
        let words =
          if let shell = options.shell { [shell, "-c", commands.text(index)] } else {
            try ContainerLauncher.words(commands[index])
          }
        let body = plan.container(
          image: planning.step.image, command: words, entrypoint: options.shell == nil ? nil : [],
          hasInit: options.hasInit)
        bodies.append(String(decoding: body.bytes, as: UTF8.self))
      }
      writer.member("containers") { writer in writer.array(bodies) { $0.json($1) } }
    } catch { writer.member("problem", error.reason) }
  }
}

extension SlurmWorker {
  func describe(_ planning: Planning, _ commands: borrowing ExpandedCommands, to writer: inout JSONWriter) {
    writer.member("inherits_environment", planning.inherits(options.process))
    do throws(StepFailure) {
      let submission = try Submission(options)
      writer.member("submission") { writer in
        writer.array(submission.arguments(name: "fw-…")) { $0.string($1) }
      }
    } catch { writer.member("problem", error.reason) }
    writer.member("processes") { writer in
      writer.array(commands.indices) { writer, index in
        writer.array([options.process.shell, "-c", commands.text(index)]) { $0.string($1) }
      }
    }
  }
}

extension CodeWorker {
  func describe(_ planning: Planning, _ commands: borrowing ExpandedCommands, to writer: inout JSONWriter) {
    let action = planning.step.code
    writer.member("function", action.function)
    let isRegistered = function(of: planning.step, planning.context) != nil
    writer.member("is_registered", isRegistered)
    writer.member("arg", action.argument)
    if !isRegistered { describe(python, planning, to: &writer) }
  }
}

extension NotebookWorker {
  func describe(_ planning: Planning, _ commands: borrowing ExpandedCommands, to writer: inout JSONWriter) {
    describe(planning.step.notebook, planning, to: &writer)
    describe(python, planning, to: &writer)
  }
}

extension NotebookContainerWorker {
  func describe(_ planning: Planning, _ commands: borrowing ExpandedCommands, to writer: inout JSONWriter) {
    writer.member("inherits_environment", false)
    describe(planning.step.notebook, planning, to: &writer)
    writer.member("base_image", options.base)
    writer.member("requirements") { writer in
      writer.array(planning.step.notebook.requirements) { $0.string($1) }
    }
  }
}

extension StepRunner {
  fileprivate func describe(_ action: NotebookAction, _ planning: Planning, to writer: inout JSONWriter) {
    writer.member("notebook", action.notebook)
    writer.member("output", action.output)
    action.writeParameters(planning.context, planning.settings.secrets, to: &writer)
  }

  fileprivate func describe(_ python: PythonProgram, _ planning: Planning, to writer: inout JSONWriter) {
    writer.member("inherits_environment", true)
    do throws(StepFailure) {
      writer.member("interpreter", try python.program(planning.env))
    } catch { writer.member("problem", error.reason) }
  }
}
