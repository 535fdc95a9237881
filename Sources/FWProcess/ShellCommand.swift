package import CSupervisorClient
package import FWBase
package import FWModel
internal import Glibc

/// The request to a monitor that a shell runs a command, and the reasons why a monitor could not start it.
package struct ShellCommand {
  let options: SubprocessOptions
  package let rundir: CText

  package init(options: SubprocessOptions, rundir: CText) {
    self.options = options
    self.rundir = rundir
  }

  /// The most bytes of a command in one argument. Linux takes 128 KiB (MAX_ARG_STRLEN, 32 pages); the rest is a margin.
  private static let argumentLimit = 120_000

  /// - Parameters:
  ///   - timeout: seconds after which the command is ended.
  ///   - tellsStart: whether the monitor reports the beginning of the command.
  package func request(timeout: Double?, tellsStart: Bool) -> fwsv_request {
    var request = fwsv_request()
    request.kind = UInt32(FWSV_RUN)
    request.background = options.background.number
    request.tell_start = tellsStart ? 1 : 0
    request.timeout = timeout.map { Int64($0 * 1e9) } ?? -1
    request.grace = Int64(options.grace * 1e9)
    options.limits.set(in: &request)
    return request
  }

  /// The lists of a request for a command, and the request's members that are about them.
  package func arguments(_ command: Command, _ environment: borrowing TextBlock, in request: inout fwsv_request)
    -> TextBlock
  {
    request.is_direct = command.isWords ? 1 : 0
    let arguments = command.isWords ? WordsCommand.arguments(command, environment) : arguments(command.bytes)
    request.slots = UInt32(clamping: arguments.slots(environment))
    return arguments
  }

  /// The arguments `SHELL -c COMMAND`. A command that is too long for one argument is passed in pieces, which the shell
  /// puts together again. `$0` and `$#` are then as they would be otherwise.
  package func arguments(_ command: UnsafeRawBufferPointer) -> TextBlock {
    var arguments = TextBlock()
    add(command, to: &arguments)
    return arguments
  }

  func add(_ command: UnsafeRawBufferPointer, to arguments: inout TextBlock) {
    let shell = options.shell
    // These are the path of the program, and its argument 0.
    arguments.add(shell)
    arguments.add(shell)
    arguments.add("-c")
    if command.count <= ShellCommand.argumentLimit {
      arguments.add(command)
    } else {
      let count = (command.count + ShellCommand.argumentLimit - 1) / ShellCommand.argumentLimit
      arguments.add("eval \"shift $#;" + (1...count).map { "${\($0)}" }.joined() + "\"")
      arguments.add(shell)
      for start in stride(from: 0, to: command.count, by: ShellCommand.argumentLimit) {
        let end = min(start + ShellCommand.argumentLimit, command.count)
        arguments.add(UnsafeRawBufferPointer(rebasing: command[start..<end]))
      }
    }
  }

  /// Why the command could not be started, from the reply of its monitor.
  package func failure(_ reply: fwsv_reply, _ size: CommandSize) -> StepFailure {
    let reason = errorText(reply.error)
    let shell = MessageFormat.path(size.isWords ? WordsCommand.shell : options.shell)
    if let sandbox = options.sandbox {
      let program = size.isWords ? WordsCommand.shell : options.shell
      if let failure = StepFailure(sandbox: sandbox, reply, rundir: rundir)
        ?? StepFailure(program: program, "the shell \(shell)", in: sandbox, reply)
      {
        return failure
      }
    }
    if let limits = options.treeLimits, let failure = StepFailure(limits, reply) { return failure }
    switch (Int(reply.stage), reply.error) {
    case (FWSV_AT_EXEC, ENOENT): return StepFailure("the shell \(shell) or its interpreter does not exist")
    case (FWSV_AT_EXEC, EACCES): return StepFailure("the shell \(shell) is not an executable file")
    case (FWSV_AT_EXEC, E2BIG): return StepFailure(size.complaint)
    case (FWSV_AT_EXEC, _): return StepFailure("the shell \(shell) cannot be run", reply.error, call: "execve")
    case (FWSV_AT_CHDIR, _):
      // The name of the call helps only where the directory is not the reason.
      return StepFailure(
        "the run directory \(MessageFormat.path(rundir.string)) cannot be entered", reply.error,
        call: reply.error == EACCES ? nil : "fchdir")
    case (FWSV_AT_LIMIT, _):
      let keys = ProcessLimits.keys
      let key = keys.indices.contains(Int(reply.limit)) ? keys[Int(reply.limit)] : ""
      return StepFailure(
        reply.error == EPERM
          ? "the limit \(MessageFormat.quoted(key)) of the worker is above the hard limit that this process has"
          : "the limit \(MessageFormat.quoted(key)) of the worker cannot be set: \(reason)")
    default: return StepFailure(start: reply)
    }
  }
}

extension StepFailure {
  /// Why a program could not be started, where the reason is not the program's own.
  package init(start reply: fwsv_reply, of program: String = "the command") {
    let (reason, call): (String, String?) =
      switch Int(reply.stage) {
      case FWSV_AT_STREAMS: ("the output streams of \(program) could not be set up", "dup3")
      case FWSV_AT_CHDIR: ("the directory of \(program) cannot be entered", "fchdir")
      case FWSV_AT_LIMIT: ("a limit of \(program) cannot be set", "prlimit64")
      case FWSV_AT_CLONE: ("the system cannot start another process", "clone")
      case FWSV_AT_SIGNALS: ("the monitor process could not see the end of \(program)", "signalfd4")
      case FWSV_AT_RECEIVE: ("the descriptors of \(program) did not reach the monitor process", "recvmsg")
      case FWSV_AT_TEXTS: ("the monitor process cannot read what to run", "mmap")
      case FWSV_AT_SOCKET: ("a connection to a monitor process could not be created", "socketpair")
      case FWSV_AT_EXEC: ("\(program) cannot be run", nil)
      default: ("the monitor process did not accept \(program)", nil)
      }
    self.init(reason, reply.error, call: call)
  }
}

extension SubprocessOptions.Background {
  fileprivate var number: UInt32 {
    switch self {
    case .kill: return UInt32(FWSV_KILL)
    case .wait: return UInt32(FWSV_WAIT)
    case .leave: return UInt32(FWSV_LEAVE)
    }
  }
}

extension ProcessLimits {
  func set(in request: inout fwsv_request) {
    withUnsafeMutableBytes(of: &request.limits) { bytes in
      let slots = bytes.bindMemory(to: UInt64.self)
      for (slot, value) in zip(slots.indices, values) { slots[slot] = value ?? UInt64.max }
    }
  }
}
