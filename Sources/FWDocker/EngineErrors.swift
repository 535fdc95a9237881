internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel
internal import FWOutput
internal import FWSystem

/// The messages of engines and init processes about a command that cannot be run.
struct EngineErrors {
  let session: ContainerSession
  let command: String

  /// The beginnings of messages that engines write to the output of the command. Docker reports no process in this
  /// case.
  private static let dockerExec = "OCI runtime exec failed"
  private static let podmanExec = "Error: "
  private static let longestExec = 64 << 10

  private var image: String { MessageFormat.quoted(session.reference.text, limit: 200) }
  private var shown: String { MessageFormat.quoted(command, limit: 100) }

  private var noProgram: String { "program not found in the image \(image): \(shown)" }
  private var notExecutable: String { "the program is not executable in the image \(image): \(shown)" }

  /// Why the container was not started. In most cases the program is missing.
  func refusedStart(_ answer: EngineReply, doing: String) -> StepFailure {
    let message = answer.message
    // Podman says the same of a missing directory, which it does not call an "exec".
    let isMissing = message.contains(": exec: ") && message.contains("no such file or directory: OCI runtime attempted")
    if isMissing || message.contains("executable file not found")
      || message.contains("no such file or directory: unknown")
    {
      return StepFailure("\(noProgram): \(message)")
    }
    if message.contains("permission denied: unknown") || message.contains("OCI permission denied") {
      return StepFailure("\(notExecutable): \(message)")
    }
    return session.endpoint.failure(answer, doing: doing)
  }

  /// Why an exec was not started; `nil` if the message does not say that.
  func refusedExec(_ message: String) -> StepFailure? {
    if message.contains("executable file not found") || message.contains("no such file or directory") {
      return StepFailure("\(noProgram): \(message)")
    }
    if message.contains("permission denied") { return StepFailure("\(notExecutable): \(message)") }
    return nil
  }

  /// Whether the first output of an exec certainly comes from its command.
  static func isOutput(_ early: UnsafeRawBufferPointer) -> Bool {
    let text = Frames.text(UnsafeRawBufferPointer(rebasing: early.prefix(64)))
    // Bytes that are no frames have no text, and may go on for ever.
    if text.isEmpty { return early.count > longestExec }
    let mayBeMessage = [dockerExec, podmanExec].contains { text.begins(with: $0) || $0.begins(with: text) }
    return !mayBeMessage || early.count > longestExec
  }

  /// Whether the output of an exec is the message of Podman that the exec has never run.
  static func isRefusal(_ early: UnsafeRawBufferPointer) -> Bool { isOfPodman(Frames.text(early)) }

  private static func isOfPodman(_ text: String) -> Bool { text.begins(with: podmanExec) && text.contains("OCI ") }

  /// The failure of an exec that has never run, by the message in place of its output; `nil` if the exec has run.
  func unstartedExec(_ early: UnsafeRawBufferPointer, code: Int64?, pid: Int64) -> StepFailure? {
    guard code == 126 || code == 127 else { return nil }
    let text = Frames.text(early)
    let isDocker = text.begins(with: EngineErrors.dockerExec) && pid == 0
    guard isDocker || EngineErrors.isOfPodman(text) else { return nil }
    return refusedExec(text) ?? StepFailure("the engine at \(session.endpoint.address) did not run it: \(text)")
  }

  /// The failure for an engine that has not reported the status of an exec.
  var missingStatus: StepFailure {
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

  /// The failure that an init process reports for a program that it cannot run. The container itself has started, so
  /// the engine does not notice the failure. (tini.c, `spawn_process`; catatonit.c, `main`.)
  func ofInit(_ status: Int32, stdout: UnsafeRawBufferPointer, stderr: UnsafeRawBufferPointer) -> StepFailure? {
    guard session.options.hasInit, status != 0, stdout.isEmpty, !stderr.isEmpty, stderr.count < 4096 else { return nil }
    let text = String(decoding: stderr, as: UTF8.self)
    let line = MessageFormat.foreign(text, limit: 4096)
    let isTini = line.begins(with: "[FATAL tini (") && line.contains(")] exec ") && line.contains(" failed: ")
    let isCatatonit = line.contains("(catatonit:") && line.contains("failed to exec pid1: ")
    guard isTini || isCatatonit, text.utf8.filter({ $0 == UInt8(ascii: "\n") }).count == 1 else { return nil }
    if line.ends(with: "No such file or directory") { return StepFailure(noProgram) }
    if line.ends(with: "Permission denied") { return StepFailure(notExecutable) }
    return StepFailure("the program cannot be run in the image \(image): \(shown): \(line)")
  }
}
