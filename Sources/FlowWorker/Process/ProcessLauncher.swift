internal import CFlowShims
internal import Glibc

/// Starts the commands of a container step as processes of this machine.
final class ProcessLauncher: CommandLauncher {
  private let shell: ShellCommand
  private let settings: RunSettings
  private let environment: TextBlock
  /// What programs get without the shell, where that is known; looked for at the first command that could do without.
  private var direct: DirectEnvironment?
  private var hasLooked = false
  /// Between two commands: the monitor of the step, which has kept the run directory.
  private var channel: Channel?
  /// Until the first command has taken it.
  private var rundir: Descriptor?

  /// - Parameter env: the step's.
  init(_ worker: SubprocessWorker, _ settings: RunSettings, env: KeyValues, rundir path: CText) throws(SpawnFailure) {
    shell = ShellCommand(options: worker.options, rundir: path)
    self.settings = settings
    environment = TextBlock(
      environment: worker.env.overridden(by: env), settings.secrets, inherits: worker.options.inheritEnv)
    rundir = try Keepers.retrying { () throws(SpawnFailure) in try RunDirectory.open(path) }
  }

  deinit {
    guard let channel else { return }
    // It expects another command.
    _ = fws_channel_stop(channel.fd)
    channel.release()
  }

  func start(_ command: UnsafeRawBufferPointer, isLast: Bool, timeout: Double?, events: RunOptions.Events?)
    throws(SpawnFailure) -> any RunningCommand
  {
    guard let keepers = Keepers.shared else { throw .noMemory }
    var request = shell.request(timeout: timeout, tellsStart: events != nil)
    request.keep_rundir = isLast ? 0 : 1
    let texts = texts(command, &request)
    guard !texts.isExhausted else { throw .noMemory }
    request.size = UInt64(texts.count)
    return try Keepers.retrying { () throws(SpawnFailure) in
      let pipes = try OutputPipes(settings, events)
      let channel = try send(request, texts, pipes.outEnd, pipes.errEnd, keepers)
      rundir = nil
      return ProcessCommand(
        channel, pipes, self, shell, size: command.count, isLast: isLast, tellsStart: events != nil)
    }
  }

  private func texts(_ command: UnsafeRawBufferPointer, _ request: inout fwk_request) -> ByteBuffer {
    if var arguments = directLists(command), let direct {
      request.is_direct = 1
      shell.add(command, to: &arguments)
      request.slots = UInt32(clamping: arguments.slots(direct.environment))
      return arguments.request(environment: direct.environment)
    }
    let arguments = shell.arguments(command)
    request.slots = UInt32(clamping: arguments.slots(environment))
    return arguments.request(environment: environment)
  }

  /// Where the program of a simple command may be, and its words; `nil` if the shell is to run it.
  private func directLists(_ command: UnsafeRawBufferPointer) -> TextBlock? {
    guard DashShell.isDash(shell.options.shell), let words = SimpleCommand.words(command) else { return nil }
    if !hasLooked {
      hasLooked = true
      direct = rundir.flatMap { DirectEnvironment(environment, $0) }
    } else if direct?.rundir.isThere != true {
      return nil
    }
    guard let direct, let paths = DashShell.paths(words.text(0), direct.environment) else { return nil }
    var lists = TextBlock()
    lists.add(list: paths)
    lists.add(list: words)
    return lists
  }

  /// Gives a request to a monitor.
  private func send(
    _ request: fwk_request, _ texts: borrowing ByteBuffer, _ out: Descriptor, _ err: Descriptor, _ keepers: Keepers
  ) throws(SpawnFailure) -> Channel {
    guard let start = texts.start else { throw .noMemory }
    var request = request
    // The monitor of the command before.
    if let kept = channel {
      channel = nil
      if fws_channel_run(kept.fd, &request, start, out.number, err.number, -1) == 0 { return kept }
    }
    let rundir = if let rundir { rundir } else { try RunDirectory.open(shell.rundir) }
    // Its descriptor is used to the end: an object may go after its own last use.
    defer { withExtendedLifetime(rundir) {} }
    return try keepers.run(request, texts, out.number, err.number, rundir: rundir.number)
  }

  /// Takes back the monitor of a command of which nothing is left.
  func take(_ channel: Channel, isLast: Bool) { if isLast { channel.release() } else { self.channel = channel } }
}

/// The environment of a program as the shell would hand it on, in the run directory.
private final class DirectEnvironment {
  let rundir: WorkingDirectory
  let environment: TextBlock

  init?(_ environment: borrowing TextBlock, _ directory: Descriptor) {
    guard let rundir = WorkingDirectory(directory), let own = DashShell.environment(environment, in: rundir) else { return nil }
    self.rundir = rundir
    self.environment = own
  }
}
