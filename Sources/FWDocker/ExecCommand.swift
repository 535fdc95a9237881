internal import CSystem
internal import FWBase
internal import FWHTTP
internal import FWModel
internal import FWSystem
internal import Glibc

/// The one container of a step whose commands run in it one after the other.
final class StepContainer {
  fileprivate var name: String?
  /// Out of memory has been told of it: the engine does not say of which command.
  fileprivate var wasOutOfMemory = false

  /// Process 1: waits, which reaps, and hands TERM on to all other processes of the container. There are no programs but
  /// these that are in nearly every image. (A `trap` interrupts `wait`, but not a `sleep` in the foreground.)
  static let shell = "/bin/sh"
  static let program = "trap 'kill -TERM -1' TERM; while :; do sleep 86400 & wait $!; done"
}

/// A command in the container of its step.
final class ExecCommand: EngineCommand {
  private let box: StepContainer
  private let words: (ContainerSession) throws(StepFailure) -> [String]
  private var stream: HTTPCall?
  private var id: String?
  private var began = 0.0
  /// What came before it was known that the command runs.
  private var early = ByteBuffer()
  private var isKnownToRun = false
  private var probe: Pause?
  private var probeInterval = 0.0
  /// Once the engine has told it, and how often it was asked about memory.
  private var status: Int32?
  private var looks = 0
  /// The engine says that it runs no more, and its output goes on.
  private var isEndMissed = false

  /// Seconds.
  private static let firstProbe = 0.05
  private static let longestProbe = 0.4
  /// How engines begin to say, on the command's own output, that there is no command. Docker's has no process then.
  private static let dockerError = "OCI runtime exec failed"
  private static let podmanError = "Error: "
  private static let longestErrorText = 64 << 10
  private static let errorTexts = [dockerError, podmanError]

  init(
    _ session: ContainerSession, _ command: String, isLast: Bool, timeout: Double?, settings: RunSettings,
    events: RunOptions.Events?, box: StepContainer, words: @escaping (ContainerSession) throws(StepFailure) -> [String]
  ) {
    self.box = box
    self.words = words
    super.init(session, command, isLast: isLast, timeout: timeout, settings: settings, events: events)
  }

  override func begin() {
    if let name = box.name {
      container = name
      return createExec()
    }
    guard let plan = session.plan, let image = session.image else { return }
    let body = plan.container(
      image: image.id, command: ["-c", StepContainer.program], entrypoint: [StepContainer.shell], hasInit: false)
    container = session.create(body) { [weak self] failure in
      guard let self, phase == .preparing else { return }
      if let failure { return fail(failure) }
      startContainer()
    }
  }

  private func startContainer() {
    guard let container else { return }
    session.link.call("POST", session.path("/containers/\(container)/start"), within: session.answer) {
      [weak self] answer in
      guard let self, phase == .preparing else { return }
      if answer.isSuccess {
        box.name = container
        return createExec()
      }
      if answer.failure != nil { return lose(session.endpoint.failure(answer, doing: "start the container")) }
      let message = answer.message
      fail(
        message.contains(StepContainer.shell) ? noShell : session.endpoint.failure(answer, doing: "start the container"))
    }
  }

  private var noShell: StepFailure {
    StepFailure(
      "the image \(MessageFormat.quoted(session.reference.text, limit: 200)) has no \(StepContainer.shell) and \"sleep\", which "
        + "\"container\": \"step\" needs: use \"container\": \"command\"")
  }

  private func createExec() {
    guard let container, let plan = session.plan else { return }
    let body: ByteBuffer
    do throws(StepFailure) { body = plan.exec(command: try words(session)) } catch { return fail(error) }
    session.link.call("POST", session.path("/containers/\(container)/exec"), within: session.answer, body: body) {
      [weak self] answer in
      guard let self, phase == .preparing else { return }
      if answer.failure != nil { return lose(session.endpoint.failure(answer, doing: "create the command")) }
      // It has ended by itself: its own program is not there, or somebody has ended it.
      if answer.status == 409 || answer.status == 404 { return containerHasEnded(container) }
      guard answer.isSuccess, let id = answer.read({ $0["Id"]?.string }) else {
        return fail(session.endpoint.failure(answer, doing: "create the command"))
      }
      self.id = id
      startExec(id)
    }
  }

  private func startExec(_ id: String) {
    phase = .starting
    began = fws_monotonic()
    var body = ByteBuffer()
    body.append("{\"Detach\":false,\"Tty\":false}" as StaticString)
    stream = session.link.call(
      "POST", session.path("/exec/\(id)/start"), within: .stream(session.timeout), body: body,
      data: { [weak self] _, bytes in self?.received(bytes) },
      end: { [weak self] answer in self?.streamEnded(answer) })
    setProbe(ExecCommand.firstProbe)
  }

  /// Before it is known that the command runs, this may be the engine's complaint that it does not.
  private func received(_ bytes: UnsafeRawBufferPointer) {
    guard !isTold else { return take(bytes) }
    early.append(bytes)
    let said = ExecCommand.plain(UnsafeRawBufferPointer(rebasing: early.bytes.prefix(64)))
    if !said.isEmpty,
      !ExecCommand.errorTexts.contains(where: { said.begins(with: $0) || $0.begins(with: said) })
        || early.count > ExecCommand.longestErrorText
    {
      isKnownToRun = true
    }
  }

  /// A command that writes nothing is asked for: the engine does not tell by itself that it runs.
  private func setProbe(_ seconds: Double) {
    clearProbe()
    probeInterval = seconds
    probe = try? Pause(seconds)
    if let probe { fws_epoll_add(session.link.fd, probe.fd) }
  }

  private func clearProbe() {
    if let probe { fws_epoll_remove(session.link.fd, probe.fd) }
    probe = nil
  }

  override func turn() {
    // Not where the output came from: libcurl was at work there.
    if isKnownToRun, phase == .starting, stream != nil { started() }
    guard let probe, probe.isOver else { return }
    clearProbe()
    guard phase == .starting, let id else { return }
    session.link.call("GET", session.path("/exec/\(id)/json"), within: session.answer) { [weak self] answer in
      guard let self, phase == .starting, isActive, stream != nil else { return }
      if answer.failure != nil { return lose(session.endpoint.failure(answer, doing: "tell of the command")) }
      let isRunning = answer.read { json in
        json["Running"]?.boolean == true && (json["Pid"]?.integer ?? 0) > 0
      }
      if isRunning == true { return started() }
      setProbe(min(probeInterval * 2, ExecCommand.longestProbe))
    }
  }

  override func checkPulse() {
    guard let id else { return }
    session.link.call("GET", session.path("/exec/\(id)/json"), within: session.answer) { [weak self] answer in
      guard let self, phase == .running, isActive else { return }
      if answer.failure != nil { return lose(session.endpoint.failure(answer, doing: "tell of the command")) }
      guard answer.read({ $0["Running"]?.boolean }) == false else {
        isEndMissed = false
        return
      }
      // Its output may be on its way.
      if !isEndMissed {
        isEndMissed = true
        return clocks.set(.pulse, in: min(ExecCommand.missInterval, session.timeout))
      }
      end.duration = fws_monotonic() - began
      enterEnd(isDrained: false)
    }
  }

  /// Seconds.
  private static let missInterval = 5.0

  private func started() {
    clearProbe()
    tellStart()
    flush()
    endIfAsked()
  }

  private func flush() {
    var bytes = ByteBuffer()
    swap(&bytes, &early)
    take(bytes.bytes)
  }

  private func streamEnded(_ answer: borrowing HTTPAnswer) {
    stream = nil
    guard isActive, let container else { return }
    if answer.failure != nil { return lose(session.endpoint.failure(answer, doing: "run the command")) }
    if answer.status >= 300 {
      if answer.status == 409 { return containerHasEnded(container) }
      return fail(refusal(answer.message) ?? session.endpoint.failure(answer, doing: "run the command"))
    }
    isDrained = true
    if phase != .ended {
      end.duration = fws_monotonic() - began
      enterEnd(isDrained: true)
    }
    outputHasEnded()
  }

  override func outputHasEnded() {
    guard let id, let container else { return }
    clocks.clear(.drain)
    clearProbe()
    session.link.call("GET", session.path("/exec/\(id)/json"), within: session.answer) { [weak self] answer in
      guard let self, isActive else { return }
      if answer.failure != nil { return lose(session.endpoint.failure(answer, doing: "tell how the command ended")) }
      if answer.status == 404 || answer.status == 409 { return containerHasEnded(container) }
      guard answer.isSuccess else { return fail(session.endpoint.failure(answer, doing: "tell how the command ended")) }
      let state = answer.read { json in (code: json["ExitCode"]?.integer, pid: json["Pid"]?.integer ?? 0) }
      conclude(state?.code, pid: state?.pid ?? 0)
    }
  }

  override func abandonRest() {
    if let status { return finish(status: status) }
    if stream != nil { markIncomplete() }
    guard let reason else {
      return fail(StepFailure(engine: "the engine at \(session.endpoint.address) does not tell how the command ended"))
    }
    end.outcome = reason
    close()
  }

  private func conclude(_ code: Int64?, pid: Int64) {
    if !isTold, code == 126 || code == 127 {
      let said = ExecCommand.plain(early.bytes)
      let isDocker = said.begins(with: ExecCommand.dockerError) && pid == 0
      if isDocker || said.begins(with: ExecCommand.podmanError) && said.contains("OCI ") {
        // It never ran.
        return fail(
          refusal(said) ?? StepFailure("the engine at \(session.endpoint.address) does not run it: \(said)"))
      }
    }
    if !isTold {
      tellStart()
      flush()
    }
    guard let code, (0...255).contains(code) else {
      return fail(
        StepFailure(engine: "the engine at \(session.endpoint.address) does not tell how the command ended"))
    }
    status = Int32(truncatingIfNeeded: code)
    look()
  }

  /// The engine knows whether memory ran out, but not for which command.
  override func look() {
    guard let status else { return }
    looks += 1
    guard let container, mayLackMemory(status, look: looks), !box.wasOutOfMemory else {
      if status == 137, session.options.memory != nil, end.outOfMemory == nil, end.endedBy == nil {
        end.outOfMemory = .likely
      }
      return finish(status: status)
    }
    session.link.call("GET", session.path("/containers/\(container)/json"), within: session.answer) {
      [weak self] answer in
      guard let self, isActive else { return }
      if answer.read({ $0["State"]?["OOMKilled"]?.boolean }) == true {
        end.outOfMemory = .yes
        box.wasOutOfMemory = true
      }
      if mayLackMemory(status, look: looks) { clocks.set(.look, in: EngineCommand.lookInterval) } else { look() }
    }
  }

  /// The container is not running any more.
  private func containerHasEnded(_ container: String) {
    session.link.call("GET", session.path("/containers/\(container)/json"), within: session.answer) {
      [weak self] answer in
      guard let self, isActive else { return }
      let code = answer.read { $0["State"]?["ExitCode"]?.integer } ?? nil
      if code == 127 || code == 126 { return fail(noShell) }
      fail(StepFailure(engine: "the container of the step has been ended by somebody else"))
    }
  }

  /// The text of a stream of frames.
  private static func plain(_ bytes: UnsafeRawBufferPointer) -> String {
    var frames = Frames()
    var text = ByteBuffer()
    frames.take(bytes) { _, piece in text.append(piece) }
    return MessageFormat.foreign(String(decoding: text.bytes, as: UTF8.self), limit: 4096)
  }

  private func refusal(_ message: String) -> StepFailure? {
    let image = MessageFormat.quoted(session.reference.text, limit: 200)
    let shown = MessageFormat.quoted(command, limit: 100)
    if message.contains("executable file not found") || message.contains("no such file or directory") {
      return StepFailure("there is no such program in the image \(image): \(shown): \(message)")
    }
    if message.contains("permission denied") {
      return StepFailure("the program is not executable in the image \(image): \(shown): \(message)")
    }
    return nil
  }

  override func dropCalls() {
    clearProbe()
    stream?.drop()
    stream = nil
  }
}
