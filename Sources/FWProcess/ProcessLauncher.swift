internal import CSupervisorClient
internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWOutput
internal import FWSystem
internal import Glibc

/// Starts the commands of a container step as processes of this machine.
final class ProcessLauncher: CommandLauncher {
  private let shell: ShellCommand
  private let settings: RunSettings
  private let environment: TextBlock
  /// The path of the run directory, where a command may run without the shell. It is read while the descriptor is open.
  private var directory: WorkingDirectory?
  /// The environment of commands without the shell. It is made for the first of them.
  private var direct: DirectEnvironment?
  private let kept: KeptEnvironment?
  private let sandbox: SandboxRequest?
  /// The monitor of the step, between two commands. It has the run directory open.
  private var channel: Channel?
  /// The run directory, until the first command has taken it.
  private var rundir: Descriptor?

  /// - Parameters:
  ///   - kept: what the worker keeps from step to step; `nil`: nothing.
  ///   - sandbox: the sandbox of the options, in the form of a request.
  init(
    _ options: SubprocessOptions, _ settings: RunSettings, rundir path: CText, kept: KeptEnvironment? = nil,
    sandbox: SandboxRequest? = nil
  ) throws(StepFailure) {
    self.kept = kept
    self.sandbox = sandbox
    shell = ShellCommand(options: options, rundir: path)
    self.settings = settings
    environment = TextBlock(environment: settings.environment, leavingOut: options.sandbox?.hides)
    rundir = try Supervisors.retrying { () throws(StepFailure) in try RunDirectory.open(path) }
  }

  deinit {
    guard let channel else { return }
    // The monitor expects another command of the step. It has to be told that there is none.
    if channel.stop() { channel.release() }
  }

  func start(
    _ command: Command, input: CommandInput?, isLast: Bool, timeout: Double?, events: RunOptions.Events?
  ) throws(StepFailure) -> any RunningCommand {
    var request = shell.request(timeout: timeout, tellsStart: events != nil)
    request.keep_rundir = isLast ? 0 : 1
    let groups = shell.options.treeLimits?.groups() ?? []
    shell.options.treeLimits?.set(in: &request, groups)
    var texts = texts(command, isLast: isLast, &request)
    sandbox?.append(to: &texts, &request)
    guard !texts.isExhausted else { throw .noMemory }
    request.size = UInt64(texts.count)
    return try Supervisors.retrying { () throws(StepFailure) in
      let pipes = try OutputPipes(settings, events)
      var reader = input?.file
      let host = if input != nil, reader == nil { try HostInput(&reader) } else { HostInput() }
      // The monitor keeps this descriptor until no process of the command is left, or until the input has ended. A step
      // of a workflow gets no input of the host.
      let kept = host.end?.number ?? settings.heldFile?.number ?? -1
      let streams = fws_streams(
        in: reader?.number ?? -1, in_end: kept, out: pipes.outEnd.number, err: pipes.errEnd.number)
      let channel = try send(request, texts, streams)
      withExtendedLifetime((reader, groups)) {}
      rundir = nil
      return ProcessCommand(
        channel, pipes, host, self, shell, CommandSize(command), isLast: isLast, tellsStart: events != nil)
    }
  }

  private func texts(_ command: Command, isLast: Bool, _ request: inout fwsv_request) -> ByteBuffer {
    if !command.isWords, DashShell.isDash(shell.options.shell) {
      let words = SimpleCommand.words(command.bytes)
      // An earlier command of the step may have moved the directory.
      var isThere = directory?.isThere == true
      if directory == nil, let rundir, words != nil || !isLast {
        directory = WorkingDirectory(rundir)
        isThere = directory != nil
      }
      if isThere, let words, let direct = directEnvironment(),
        let paths = DashShell.paths(words.text(0), direct.environment)
      {
        var arguments = TextBlock()
        arguments.add(list: paths)
        arguments.add(list: words)
        shell.add(command.bytes, to: &arguments)
        request.is_direct = 1
        request.slots = UInt32(clamping: arguments.slots(direct.environment))
        return arguments.request(environment: direct.environment, room: sandbox?.count ?? 0)
      }
    }
    return shell.arguments(command, environment, in: &request).request(
      environment: environment, room: sandbox?.count ?? 0)
  }

  /// The environment of a command without the shell; `nil` if only the shell knows it.
  private func directEnvironment() -> DirectEnvironment? {
    if direct == nil, let shown = directory?.shown(as: environment.value(of: DashShell.pwdName)) {
      direct = kept.map { $0.direct(environment, pwd: shown) } ?? DirectEnvironment(environment, pwd: shown)
    }
    return direct
  }

  /// Gives a request to a monitor.
  private func send(
    _ request: fwsv_request, _ texts: borrowing ByteBuffer, _ streams: fws_streams
  ) throws(StepFailure) -> Channel {
    guard let start = texts.start else { throw .noMemory }
    var request = request
    var streams = streams
    // The monitor of the last command is used again, if it still exists.
    if let kept = channel {
      channel = nil
      var call: UnsafePointer<CChar>?
      if kept.isOurs, fws_channel_run(kept.number, &request, start, &streams, -1, &call) == 0 {
        return kept
      }
    }
    let rundir = if let rundir { rundir } else { try RunDirectory.open(shell.rundir) }
    // The descriptor must stay open to the end, but Swift may release its owner after the owner's last use.
    defer { withExtendedLifetime(rundir) {} }
    return try Supervisors.shared.run(request, texts, streams, rundir: rundir.number)
  }

  func isSuccess(_ status: Int32) -> Bool { settings.isSuccess(status) }

  /// Takes back the monitor of a command that has left no process.
  func take(_ channel: Channel, isLast: Bool) { if isLast { channel.release() } else { self.channel = channel } }
}
