internal import CFlowShims

/// Runs the commands of a container step as processes of this machine.
struct SubprocessWorker: StepRunner {
  private let variables: VariableTable
  private let env: KeyValues
  private let options: SubprocessOptions
  private let shell: CText

  init(_ spec: WorkerSpec) throws(FlowError) {
    variables = try VariableTable(spec.variables)
    env = spec.env
    options = spec.options
    shell = try CText(spec.options.shell)
  }

  func run(_ step: Step, _ context: ContextValues?, rundir: UnsafePointer<CChar>, on worker: Worker) throws(FlowError)
    -> StepResult
  {
    let begin = fws_monotonic()
    // All commands are expanded before the first one runs, as in flowServ.
    let commands = try ExpandedCommands(step, variables, context)
    var records: [CommandRecord] = []
    if commands.count > 0 {
      do {
        let launcher = try Launcher(
          rundir: rundir, shell: shell,
          environment: try Environment(env.overridden(by: step.env), inherits: options.inheritEnv),
          outputLimit: step.outputLimit ?? options.outputLimit)
        for index in 0..<commands.count {
          let record = run(commands[index], index, launcher)
          records.append(record)
          if record.returncode != 0 { break }
        }
      } catch {
        records = [.notStarted(nil, "", error, fws_wall())]
      }
    }
    return try StepResult(
      step: step, worker: worker, commands: records, total: commands.count, duration: fws_monotonic() - begin)
  }

  private func run(_ command: UnsafeRawBufferPointer, _ index: Int, _ launcher: borrowing Launcher) -> CommandRecord {
    let text = String(decoding: command, as: UTF8.self)
    let started = fws_wall()
    let begin = fws_monotonic()
    let end: CommandEnd
    let pid: Int32
    do {
      let running = try launcher.start(command)
      pid = running.pid
      end = running.wait(options.background, grace: options.grace)
    } catch {
      return .notStarted(index, text, error, started)
    }
    let status = end.status
    return CommandRecord(
      index: index, command: text,
      outcome: !status.known ? .statusUnknown : status.signal != 0 ? .signaled : .exited,
      exitCode: status.known && status.signal == 0 ? status.exit_code : nil,
      signal: status.known && status.signal != 0 ? status.signal : nil,
      pid: pid, started: started, duration: fws_monotonic() - begin,
      userTime: status.has_usage ? status.user : nil, systemTime: status.has_usage ? status.system : nil,
      stdout: end.stdout, stderr: end.stderr, survivors: end.survivors, failure: nil)
  }
}

extension CommandRecord {
  static func notStarted(_ index: Int?, _ command: String, _ reason: SpawnFailure, _ started: Double) -> CommandRecord {
    CommandRecord(
      index: index, command: command, outcome: .spawnFailed, exitCode: nil, signal: nil, pid: nil, started: started,
      duration: 0, userTime: nil, systemTime: nil, stdout: Output(""), stderr: Output(""), survivors: [],
      failure: reason.message)
  }
}

/// The commands of a step after substitution, each followed by a NUL.
struct ExpandedCommands: ~Copyable {
  private var bytes = ByteBuffer()
  private var ranges: ContiguousArray<Range<Int>> = []

  init(_ step: Step, _ variables: VariableTable, _ context: ContextValues?) throws(FlowError) {
    for (index, template) in step.commands.enumerated() {
      if let fault = template.fault {
        throw FlowError(
          .template,
          "step \(step.shownName), command \(index + 1) of \(step.commands.count): invalid placeholder at line "
            + "\(fault.position.line), column \(fault.position.column), near \(Wording.quoted(fault.following)): "
            + "use $name or ${name} for a value, and $$ for a dollar",
          path: "/action/commands/\(index)", position: fault.position)
      }
      let range = template.expand(variables, context, into: &bytes)
      // What is behind the range is white space, or nothing: the NUL takes its place.
      bytes.truncate(range.upperBound)
      bytes.append(byte: 0)
      ranges.append(range)
    }
    if bytes.isExhausted { throw .noMemory }
  }

  var count: Int { ranges.count }

  subscript(index: Int) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes.bytes[ranges[index]]) }
}
