internal import CFlowShims
internal import Glibc

/// Starts the commands of a container step as processes of this machine.
final class ProcessLauncher: CommandLauncher {
  private let worker: SubprocessWorker
  private let settings: RunSettings
  private let environment: TextBlock
  private let path: CText
  /// Between two commands: the monitor of the step, which has kept the run directory.
  private var channel: Channel?
  /// Until the first command has taken it.
  private var rundir: Descriptor?

  /// Linux takes 128 KiB for one argument (MAX_ARG_STRLEN: 32 pages); this leaves a margin.
  private static let argumentLimit = 120_000

  /// - Parameter env: the step's.
  init(_ worker: SubprocessWorker, _ settings: RunSettings, env: KeyValues, rundir path: CText) throws(SpawnFailure) {
    self.worker = worker
    self.settings = settings
    self.path = path
    environment = TextBlock(environment: worker.env.overridden(by: env), inherits: worker.options.inheritEnv)
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
    let arguments = shellArguments(command)
    let texts = arguments.request(environment: environment)
    guard !texts.isExhausted, let keepers = Keepers.shared else { throw .noMemory }
    let options = worker.options
    var request = fwk_request()
    request.kind = UInt32(FWK_RUN)
    request.background = options.background.number
    request.tell_start = events == nil ? 0 : 1
    request.keep_rundir = isLast ? 0 : 1
    request.slots = UInt32(clamping: arguments.slots(environment))
    request.size = UInt64(texts.count)
    request.timeout = timeout.map { Int64($0 * 1e9) } ?? -1
    request.grace = Int64(options.grace * 1e9)
    options.limits.set(in: &request)
    return try Keepers.retrying { () throws(SpawnFailure) in
      let pipes = try OutputPipes(settings, events)
      let channel = try send(request, texts, pipes.outEnd, pipes.errEnd, keepers)
      rundir = nil
      return ProcessCommand(channel, pipes, self, size: command.count, isLast: isLast, tellsStart: events != nil)
    }
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
    let rundir = if let rundir { rundir } else { try RunDirectory.open(path) }
    // Its descriptor is used to the end: an object may go after its own last use.
    defer { withExtendedLifetime(rundir) {} }
    return try keepers.run(request, texts, out.number, err.number, rundir: rundir.number)
  }

  /// Takes back the monitor of a command of which nothing is left.
  func take(_ channel: Channel, isLast: Bool) { if isLast { channel.release() } else { self.channel = channel } }

  /// `SHELL -c COMMAND`. A command that is too long for one argument goes in pieces, which the shell
  /// puts together again; it then sees what it would have seen: the same $0, and no arguments.
  private func shellArguments(_ command: UnsafeRawBufferPointer) -> TextBlock {
    let shell = worker.options.shell
    var arguments = TextBlock()
    // The program, and its name.
    arguments.add(shell)
    arguments.add(shell)
    arguments.add("-c")
    if command.count <= ProcessLauncher.argumentLimit {
      arguments.add(command)
    } else {
      let count = (command.count + ProcessLauncher.argumentLimit - 1) / ProcessLauncher.argumentLimit
      arguments.add("eval \"shift $#;" + (1...count).map { "${\($0)}" }.joined() + "\"")
      arguments.add(shell)
      for start in stride(from: 0, to: command.count, by: ProcessLauncher.argumentLimit) {
        let end = min(start + ProcessLauncher.argumentLimit, command.count)
        arguments.add(UnsafeRawBufferPointer(rebasing: command[start..<end]))
      }
    }
    return arguments
  }

  /// What the keeper says of a command that it could not start.
  func failure(_ reply: fwk_reply, size: Int) -> SpawnFailure {
    let reason = errorText(reply.error)
    let shell = Wording.path(worker.options.shell)
    switch (Int(reply.stage), reply.error) {
    case (FWK_AT_EXEC, ENOENT): return SpawnFailure("the shell \(shell) or its interpreter does not exist")
    case (FWK_AT_EXEC, EACCES): return SpawnFailure("the shell \(shell) is not an executable file")
    case (FWK_AT_EXEC, E2BIG):
      return SpawnFailure(
        "the command (\(size) bytes) and its environment are longer than the system takes, or one environment variable "
          + "is longer than 128 KiB")
    case (FWK_AT_EXEC, _): return SpawnFailure("the shell \(shell) cannot be run: \(reason)")
    case (FWK_AT_CHDIR, _):
      return SpawnFailure("the run directory \(Wording.path(path.string)) cannot be entered: \(reason)")
    case (FWK_AT_LIMIT, _):
      let keys = ProcessLimits.keys
      let key = keys.indices.contains(Int(reply.limit)) ? keys[Int(reply.limit)] : ""
      return SpawnFailure(
        reply.error == EPERM
          ? "the limit \(Wording.quoted(key)) of the worker is above the hard limit that this process has"
          : "the limit \(Wording.quoted(key)) of the worker cannot be set: \(reason)")
    case (FWK_AT_STREAMS, _): return SpawnFailure("its output streams could not be set up: \(reason)")
    case (FWK_AT_REQUEST, _): return SpawnFailure("the keeper process cannot take it: \(reason)")
    default: return SpawnFailure("the system starts no further process: \(reason)")
    }
  }
}

extension SubprocessOptions.Background {
  fileprivate var number: UInt32 {
    switch self {
    case .kill: return UInt32(FWK_KILL)
    case .wait: return UInt32(FWK_WAIT)
    case .leave: return UInt32(FWK_LEAVE)
    }
  }
}

extension ProcessLimits {
  func set(in request: inout fwk_request) {
    withUnsafeMutableBytes(of: &request.limits) { bytes in
      let slots = bytes.bindMemory(to: UInt64.self)
      for (slot, value) in zip(slots.indices, values) { slots[slot] = value ?? UInt64.max }
    }
  }
}
