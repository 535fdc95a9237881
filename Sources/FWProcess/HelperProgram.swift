package import FWBase
internal import FWExecution
package import FWModel
internal import FWSystem

/// A command that the library runs for itself, with the host's environment: a question to a program, whose answer is short.
package final class HelperProgram {
  private let launcher: ProcessLauncher
  private let command: any RunningCommand
  private var readiness = ReadinessFD()
  /// Nobody is told what it does.
  private var unheard = EventQueue()

  /// - Parameters:
  ///   - text: for the shell. Data are in variables.
  ///   - purpose: what messages call it.
  ///   - outputLimit: bytes that are kept of each of its streams.
  ///   - timeout: seconds.
  package init(_ text: String, env: KeyValues, for purpose: String, outputLimit: Int, timeout: Double) throws(StepFailure) {
    guard let root = try? CText("/") else { throw .noMemory }
    var options = SubprocessOptions()
    options.inheritEnv = true
    var settings = RunSettings()
    settings.outputLimit = outputLimit
    launcher = try ProcessLauncher(options, env: env, settings, rundir: root)
    var bytes = ByteBuffer()
    bytes.append(text)
    bytes.append(byte: 0)
    command = try launcher.start(
      UnsafeRawBufferPointer(rebasing: bytes.bytes.dropLast()), isLast: true, timeout: timeout, events: nil)
    guard readiness.open() else { throw StepFailure("no descriptor for \(purpose) could be had") }
    readiness.watch(command.waiting)
  }

  /// Can be read when there is something to do.
  package var fd: Int32 { readiness.epoll }

  /// Does what can be done without waiting; `nil`: it is not over.
  package func advance() -> CommandEnd? {
    let ready = command.waiting.poll(0)
    return ready.isAny ? command.advance(ready, &readiness, &unheard) : nil
  }
}
