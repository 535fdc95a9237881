internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel
internal import FWOutput
internal import FWSystem

/// What engines and init processes say instead of a command that cannot be run.
struct EngineErrors {
  let session: ContainerSession
  let command: String

  /// The beginnings of what engines write on the command's own output. Docker has no process for it then.
  private static let dockerExec = "OCI runtime exec failed"
  private static let podmanExec = "Error: "
  private static let longestExec = 64 << 10

  private var image: String { MessageFormat.quoted(session.reference.text, limit: 200) }
  private var shown: String { MessageFormat.quoted(command, limit: 100) }

  private var noProgram: String { "program not found in the image \(image): \(shown)" }
  private var notExecutable: String { "the program is not executable in the image \(image): \(shown)" }

  /// Why the container was not started: in most cases there is no such program.
  func refusedStart(_ answer: EngineReply, doing: String) -> StepFailure {
    let message = answer.message
    if message.contains("executable file not found") || message.contains("no such file or directory: unknown") {
      return StepFailure("\(noProgram): \(message)")
    }
    if message.contains("permission denied: unknown") || message.contains("OCI permission denied") {
      return StepFailure("\(notExecutable): \(message)")
    }
    return session.endpoint.failure(answer, doing: doing)
  }

  /// Why an exec was not started; `nil`: the message does not say that.
  func refusedExec(_ message: String) -> StepFailure? {
    if message.contains("executable file not found") || message.contains("no such file or directory") {
      return StepFailure("\(noProgram): \(message)")
    }
    if message.contains("permission denied") { return StepFailure("\(notExecutable): \(message)") }
    return nil
  }

  /// Whether the first output of an exec is the output of its command for certain.
  static func isOutput(_ early: UnsafeRawBufferPointer) -> Bool {
    let said = Frames.text(UnsafeRawBufferPointer(rebasing: early.prefix(64)))
    if said.isEmpty { return false }
    let mayBeComplaint = [dockerExec, podmanExec].contains { said.begins(with: $0) || $0.begins(with: said) }
    return !mayBeComplaint || early.count > longestExec
  }

  /// An exec that has never run, by what came instead of its output; `nil`: it has run.
  func unstartedExec(_ early: UnsafeRawBufferPointer, code: Int64?, pid: Int64) -> StepFailure? {
    guard code == 126 || code == 127 else { return nil }
    let said = Frames.text(early)
    let isDocker = said.begins(with: EngineErrors.dockerExec) && pid == 0
    guard isDocker || said.begins(with: EngineErrors.podmanExec) && said.contains("OCI ") else { return nil }
    return refusedExec(said) ?? StepFailure("the engine at \(session.endpoint.address) did not run it: \(said)")
  }

  /// The engine has not told the status of an exec.
  var untoldEnd: StepFailure {
    StepFailure(engine: "the engine at \(session.endpoint.address) did not report how the command ended")
  }

  /// Why the container of the step was not started.
  func refusedStepContainer(_ answer: EngineReply) -> StepFailure {
    answer.message.contains(StepContainer.shell)
      ? noShell : session.endpoint.failure(answer, doing: "start the container")
  }

  /// Why the container of the step has ended before the step.
  func endedContainer(_ state: ContainerState?) -> StepFailure {
    if state?.exitCode == 127 || state?.exitCode == 126 { return noShell }
    return StepFailure(engine: "the step's container was stopped by somebody else")
  }

  private var noShell: StepFailure {
    StepFailure(
      "the image \(image) has no \(StepContainer.shell) and \"sleep\", which \"container\": \"step\" needs: use "
        + "\"container\": \"command\"")
  }

  /// What an init process says of a program that it cannot run. Its container has been started, so the engine knows no
  /// better. (tini.c, `spawn_process`; catatonit.c, `main`.)
  func ofInit(_ status: Int32, stdout: UnsafeRawBufferPointer, stderr: UnsafeRawBufferPointer) -> StepFailure? {
    guard session.options.hasInit, status != 0, stdout.isEmpty, !stderr.isEmpty, stderr.count < 4096 else { return nil }
    let said = String(decoding: stderr, as: UTF8.self)
    let line = MessageFormat.foreign(said, limit: 4096)
    let isTini = line.begins(with: "[FATAL tini (") && line.contains(")] exec ") && line.contains(" failed: ")
    let isCatatonit = line.contains("(catatonit:") && line.contains("failed to exec pid1: ")
    guard isTini || isCatatonit, said.utf8.filter({ $0 == UInt8(ascii: "\n") }).count == 1 else { return nil }
    if line.ends(with: "No such file or directory") { return StepFailure(noProgram) }
    if line.ends(with: "Permission denied") { return StepFailure(notExecutable) }
    return StepFailure("the program cannot be run in the image \(image): \(shown): \(line)")
  }
}
