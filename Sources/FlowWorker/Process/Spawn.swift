internal import CFlowShims
internal import Glibc

/// Why a command could not be started.
struct SpawnFailure: Error {
  let message: String
}

/// A command that has been started: its descriptors are ours.
struct RunningCommand: ~Copyable {
  let pid: Int32
  /// Readable when the main process has ended.
  let pidfd: Descriptor
  var stdout: OutputSink
  var stderr: OutputSink
}

/// A descriptor that is closed with its owner.
struct Descriptor: ~Copyable {
  let number: Int32

  init(_ number: Int32) { self.number = number }

  deinit { close(number) }
}

/// What all commands of a step are started with.
struct Launcher: ~Copyable {
  private let rundir: Int32
  /// Borrowed: it outlives the step that it is for.
  private let rundirPath: UnsafePointer<CChar>
  private let shell: CText
  private let environment: Environment
  private let outputLimit: Int?

  /// Linux takes 128 KiB for one argument (MAX_ARG_STRLEN: 32 pages); this leaves a margin.
  private static let argumentLimit = 120_000

  init(rundir path: UnsafePointer<CChar>, shell: CText, environment: consuming Environment, outputLimit: Int?)
    throws(SpawnFailure)
  {
    let fd = fws_open_directory(path)
    guard fd >= 0 else {
      let shown = Wording.path(String(cString: path))
      switch -fd {
      case ENOENT: throw SpawnFailure(message: "the run directory \(shown) does not exist")
      case ENOTDIR: throw SpawnFailure(message: "the run directory \(shown) is not a directory")
      default: throw SpawnFailure(message: "the run directory \(shown) cannot be opened: \(errorText(-fd))")
      }
    }
    rundir = fd
    rundirPath = path
    self.shell = shell
    self.environment = environment
    self.outputLimit = outputLimit
  }

  deinit { close(rundir) }

  /// Starts a command; its bytes are followed by a NUL.
  func start(_ command: UnsafeRawBufferPointer) throws(SpawnFailure) -> RunningCommand {
    var outRead: Int32 = -1
    var outWrite: Int32 = -1
    var errRead: Int32 = -1
    var errWrite: Int32 = -1
    var error = fws_pipe(&outRead, &outWrite)
    guard error == 0 else { throw SpawnFailure(message: "no pipe for its output could be had: \(errorText(error))") }
    let stdout = OutputSink(fd: outRead, limit: outputLimit)
    defer { close(outWrite) }
    error = fws_pipe(&errRead, &errWrite)
    guard error == 0 else { throw SpawnFailure(message: "no pipe for its output could be had: \(errorText(error))") }
    let stderr = OutputSink(fd: errRead, limit: outputLimit)
    defer { close(errWrite) }

    let arguments = try shellArguments(command)
    var request = fws_command(
      program: arguments.program, argv: arguments.pointers, envp: environment.pointers, rundir: rundir, out: outWrite,
      err: errWrite)
    let child = fws_spawn(&request)
    guard child.error == 0 else { throw failure(child, command.count) }
    return RunningCommand(pid: child.pid, pidfd: Descriptor(child.pidfd), stdout: stdout, stderr: stderr)
  }

  /// `SHELL -c COMMAND`. A command that is too long for one argument goes in pieces, which the shell
  /// puts together again; it then sees what it would have seen: the same $0, and no arguments.
  private func shellArguments(_ command: UnsafeRawBufferPointer) throws(SpawnFailure) -> StringBlock {
    var arguments = StringBlock()
    arguments.add(shell.string)
    arguments.add("-c")
    if command.count <= Launcher.argumentLimit {
      arguments.add(borrowed: command)
    } else {
      let count = (command.count + Launcher.argumentLimit - 1) / Launcher.argumentLimit
      arguments.add("eval \"shift $#;" + (1...count).map { "${\($0)}" }.joined() + "\"")
      arguments.add(shell.string)
      for start in stride(from: 0, to: command.count, by: Launcher.argumentLimit) {
        arguments.add(command[start..<min(start + Launcher.argumentLimit, command.count)])
      }
    }
    guard arguments.finish() else { throw SpawnFailure(message: "there is not enough memory to start it") }
    return arguments
  }

  private func failure(_ child: fws_child, _ size: Int) -> SpawnFailure {
    let reason = errorText(child.error)
    switch (Int(child.stage), child.error) {
    case (FWS_AT_EXEC, ENOENT):
      return SpawnFailure(message: "the shell \(Wording.path(shell.string)) or its interpreter does not exist")
    case (FWS_AT_EXEC, EACCES):
      return SpawnFailure(message: "the shell \(Wording.path(shell.string)) is not an executable file")
    case (FWS_AT_EXEC, E2BIG):
      return SpawnFailure(
        message: "the command (\(size) bytes) and its environment are longer than the system takes, or one "
          + "environment variable is longer than 128 KiB")
    case (FWS_AT_EXEC, _):
      return SpawnFailure(message: "the shell \(Wording.path(shell.string)) cannot be run: \(reason)")
    case (FWS_AT_CHDIR, _): return SpawnFailure(message: "the run directory \(Wording.path(String(cString: rundirPath))) cannot be entered: \(reason)")
    case (FWS_AT_STDIN, _): return SpawnFailure(message: "its standard streams could not be set up: \(reason)")
    default: return SpawnFailure(message: "the system starts no further process: \(reason)")
    }
  }
}

/// The system's text for an errno.
func errorText(_ error: Int32) -> String {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
    guard let start = buffer.baseAddress else { return "error \(error)" }
    fws_error_text(error, start, buffer.count)
    return String(cString: start)
  }
}
