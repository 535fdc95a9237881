internal import CFlowShims
internal import Glibc

/// How a shell runs a command, as a monitor is told, and what it means when a monitor cannot.
struct ShellCommand {
  let options: SubprocessOptions
  let rundir: CText

  /// Linux takes 128 KiB for one argument (MAX_ARG_STRLEN: 32 pages); this leaves a margin.
  private static let argumentLimit = 120_000

  /// - Parameters:
  ///   - timeout: seconds.
  ///   - tellsStart: whether its beginning is to be told.
  func request(timeout: Double?, tellsStart: Bool) -> fwk_request {
    var request = fwk_request()
    request.kind = UInt32(FWK_RUN)
    request.background = options.background.number
    request.tell_start = tellsStart ? 1 : 0
    request.timeout = timeout.map { Int64($0 * 1e9) } ?? -1
    request.grace = Int64(options.grace * 1e9)
    options.limits.set(in: &request)
    return request
  }

  /// `SHELL -c COMMAND`. A command that is too long for one argument goes in pieces, which the shell
  /// puts together again; it then sees what it would have seen: the same $0, and no arguments.
  func arguments(_ command: UnsafeRawBufferPointer) -> TextBlock {
    var arguments = TextBlock()
    add(command, to: &arguments)
    return arguments
  }

  func add(_ command: UnsafeRawBufferPointer, to arguments: inout TextBlock) {
    let shell = options.shell
    // The program, and its name.
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

  /// What the keeper says of a command that it could not start.
  func failure(_ reply: fwk_reply, size: Int) -> SpawnFailure {
    let reason = errorText(reply.error)
    let shell = Wording.path(options.shell)
    switch (Int(reply.stage), reply.error) {
    case (FWK_AT_EXEC, ENOENT): return SpawnFailure("the shell \(shell) or its interpreter does not exist")
    case (FWK_AT_EXEC, EACCES): return SpawnFailure("the shell \(shell) is not an executable file")
    case (FWK_AT_EXEC, E2BIG):
      return SpawnFailure(
        "the command (\(size) bytes) and its environment are longer than the system takes, or one environment variable "
          + "is longer than 128 KiB")
    case (FWK_AT_EXEC, _): return SpawnFailure("the shell \(shell) cannot be run: \(reason)")
    case (FWK_AT_CHDIR, _):
      return SpawnFailure("the run directory \(Wording.path(rundir.string)) cannot be entered: \(reason)")
    case (FWK_AT_LIMIT, _):
      let keys = ProcessLimits.keys
      let key = keys.indices.contains(Int(reply.limit)) ? keys[Int(reply.limit)] : ""
      return SpawnFailure(
        reply.error == EPERM
          ? "the limit \(Wording.quoted(key)) of the worker is above the hard limit that this process has"
          : "the limit \(Wording.quoted(key)) of the worker cannot be set: \(reason)")
    default: return SpawnFailure(start: reply)
    }
  }
}

extension SpawnFailure {
  /// What a monitor says of a program that it could not start, where that is not the program's own fault.
  init(start reply: fwk_reply, of program: String = "the command") {
    let (what, call): (String, String?) =
      switch Int(reply.stage) {
      case FWK_AT_STREAMS: ("the output streams of \(program) could not be set up", "dup3")
      case FWK_AT_CHDIR: ("the directory of \(program) cannot be entered", "fchdir")
      case FWK_AT_LIMIT: ("a limit of \(program) cannot be set", "prlimit64")
      case FWK_AT_CLONE: ("the system starts no further process", "clone")
      case FWK_AT_SIGNALS: ("the monitor process could not see the end of \(program)", "signalfd4")
      case FWK_AT_RECEIVE: ("the descriptors of \(program) did not reach the monitor process", "recvmsg")
      case FWK_AT_TEXTS: ("the monitor process cannot read what to run", "mmap")
      case FWK_AT_SOCKET: ("no connection to a monitor process could be made", "socketpair")
      case FWK_AT_EXEC: ("\(program) cannot be run", nil)
      default: ("the monitor process cannot take \(program)", nil)
      }
    self.init(what, reply.error, call: call)
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
