package import FWBase
internal import FWExecution
package import FWModel
internal import FWSystem

/// A script that asks another program something for the library: a credential helper, or a scheduler.
///
/// It runs like the command of a step, in the root directory. What the script has to know is in its environment, as
/// data. It never blocks: whoever needs the answer waits for `fd` and calls `advance`.
package final class HelperProgram {
  private let launcher: ProcessLauncher
  private let command: any RunningCommand
  private var readiness = ReadinessFD()
  /// Nobody listens to the events of a helper program.
  private var events = EventQueue()

  /// - Parameters:
  ///   - text: a script of the shell.
  ///   - env: entries that are added to the host's environment.
  ///   - purpose: what the program is for, for messages.
  ///   - outputLimit: the most bytes that are kept of each output stream.
  ///   - timeout: seconds.
  package init(_ text: String, env: KeyValues, for purpose: String, outputLimit: Int, timeout: Double)
    throws(StepFailure)
  {
    guard let root = try? CText("/") else { throw .noMemory }
    var settings = RunSettings()
    settings.outputLimit = outputLimit
    settings.environment = CommandEnvironment(env, inherits: .all)
    launcher = try ProcessLauncher(SubprocessOptions(), settings, rundir: root)
    var bytes = ByteBuffer()
    bytes.append(text)
    bytes.append(byte: 0)
    command = try launcher.start(
      Command(UnsafeRawBufferPointer(rebasing: bytes.bytes.dropLast()), isWords: false), input: nil, isLast: true,
      timeout: timeout, events: nil)
    guard readiness.open() else { throw StepFailure("a descriptor for \(purpose) could not be created") }
    readiness.watch(command.waiting)
  }

  /// A descriptor that becomes readable when there is something to do.
  package var fd: Int32 { readiness.epoll }

  /// Does what can be done without waiting. Gives the end of the program, once.
  package func advance() -> CommandEnd? {
    let ready = command.waiting.poll(0)
    guard ready.isAny, var end = command.advance(ready, &readiness, &events) else { return nil }
    end.refuseUnread { $0 == 0 }
    return end
  }
}
