internal import FWBase
internal import FWHTTP
internal import FWModel
internal import FWSystem
internal import Glibc

/// A command in a container of its own: created, attached to, waited for, started, and removed.
class ContainerCommand: EngineCommand {
  /// As it is to be created.
  private let body: (ContainerSession) throws(StepFailure) -> ByteBuffer
  /// Created while the command before ran.
  private var early: EarlyContainer?
  private var attached: HTTPCall?
  private var waited: HTTPCall?
  private var isAttached = false
  private var isWaitedFor = false
  private var hasStreamEnded = false
  private var status: Int32?
  /// How often the engine has been asked how it ended.
  private var looks = 0
  /// The engine says that it runs no more, and has not told of its end.
  private var isEndMissed = false
  /// Time to create the container of the next command.
  private let onStart: () -> Void

  /// Seconds between two questions to an engine that seems to have missed the end.
  private static let missInterval = 5.0

  init(
    _ session: ContainerSession, _ command: String, isLast: Bool, timeout: Double?, settings: RunSettings,
    events: RunOptions.Events?, early: EarlyContainer?,
    body: @escaping (ContainerSession) throws(StepFailure) -> ByteBuffer,
    onStart: @escaping () -> Void
  ) {
    self.body = body
    self.early = early
    self.onStart = onStart
    super.init(session, command, isLast: isLast, timeout: timeout, settings: settings, events: events)
  }

  override func begin() {
    if let early {
      container = early.name
      return early.whenCreated { [weak self] failure in self?.created(failure) }
    }
    do throws(StepFailure) {
      container = session.create(try body(session)) { [weak self] failure in self?.created(failure) }
    } catch { fail(error) }
  }

  private func created(_ failure: StepFailure?) {
    guard phase == .preparing else { return }
    if let failure { return fail(failure) }
    populate { [weak self] in self?.attach() }
  }

  /// The container is there: what is to be in it before it starts.
  func populate(_ done: @escaping () -> Void) { done() }

  private func attach() {
    guard phase == .preparing, let container else { return }
    let link = session.link
    // Before the start, so that nothing is missed; one that has ended cannot be attached to, and waiting for one
    // that has not been started would end at once but for "next-exit".
    attached = link.call(
      "POST", session.path("/containers/\(container)/attach?stream=1&stdout=1&stderr=1"),
      within: .stream(session.timeout),
      head: { [weak self] status in
        guard status < 300 else { return }
        self?.isAttached = true
        self?.startIfReady()
      },
      data: { [weak self] _, bytes in self?.take(bytes) },
      end: { [weak self] answer in self?.streamEnded(answer) })
    waited = link.call(
      "POST", session.path("/containers/\(container)/wait?condition=next-exit"), within: .stream(session.timeout),
      head: { [weak self] status in
        guard status < 300 else { return }
        self?.isWaitedFor = true
        self?.startIfReady()
      },
      end: { [weak self] answer in self?.exited(answer) })
  }

  private func startIfReady() {
    guard isAttached, isWaitedFor, phase == .preparing, let container else { return }
    phase = .starting
    session.link.call("POST", session.path("/containers/\(container)/start"), within: session.answer) {
      [weak self] answer in
      guard let self, isActive else { return }
      if answer.isSuccess || answer.status == 304 {
        tellStart()
        guard phase == .running else { return }
        if !wasAskedToEnd { onStart() }
        return endIfAsked()
      }
      if answer.failure != nil { return lose(session.endpoint.failure(answer, doing: "start the container")) }
      fail(refusal(answer, doing: "start the container"))
    }
  }

  /// Why a container was not started: in most cases there is no such program.
  private func refusal(_ answer: borrowing HTTPAnswer, doing: String) -> StepFailure {
    let message = answer.message
    let image = MessageFormat.quoted(session.reference.text, limit: 200)
    if message.contains("executable file not found") || message.contains("no such file or directory: unknown") {
      return StepFailure(
        "there is no such program in the image \(image): \(MessageFormat.quoted(command, limit: 100)): \(message)")
    }
    if message.contains("permission denied: unknown") || message.contains("OCI permission denied") {
      return StepFailure(
        "the program is not executable in the image \(image): \(MessageFormat.quoted(command, limit: 100)): \(message)")
    }
    return session.endpoint.failure(answer, doing: doing)
  }

  private func streamEnded(_ answer: borrowing HTTPAnswer) {
    attached = nil
    guard isActive else { return }
    // Podman prepares the program when it is attached to.
    if answer.status >= 300 { return fail(refusal(answer, doing: "attach to the container")) }
    if answer.failure != nil { return lose(session.endpoint.failure(answer, doing: "attach to the container")) }
    isDrained = true
    outputHasEnded()
  }

  override func outputHasEnded() {
    hasStreamEnded = true
    clocks.clear(.drain)
    if phase == .ended { look() }
  }

  private func exited(_ answer: borrowing HTTPAnswer) {
    waited = nil
    guard isActive, status == nil else { return }
    if answer.failure != nil { return lose(session.endpoint.failure(answer, doing: "wait for the container")) }
    // Its start was refused, which is told by itself.
    if !isTold, !answer.isSuccess {
      return fail(session.endpoint.failure(answer, doing: "wait for the container"))
    }
    let found = answer.read { json -> (Int64, String?)? in
      json["StatusCode"]?.integer.map { ($0, json["Error"]?["Message"]?.string) }
    }
    guard let (code, error) = found, (0...255).contains(code) else {
      return fail(StepFailure(engine: "the engine at \(session.endpoint.address) does not tell how it ended"))
    }
    if let error, !error.isEmpty {
      return fail(
        StepFailure(
          engine:
            "the engine at \(session.endpoint.address) does not tell how it ended: \(MessageFormat.foreign(error, limit: 1000))")
      )
    }
    hasEnded(Int32(truncatingIfNeeded: code))
  }

  private func hasEnded(_ status: Int32) {
    self.status = status
    if phase == .starting { tellStart() }
    enterEnd(isDrained: hasStreamEnded)
    if hasStreamEnded { look() }
  }

  /// What only the engine knows, before the container goes. It has no part in the status: an engine that does not answer has
  /// told that already.
  override func look() {
    guard let status, hasStreamEnded, let container else { return }
    looks += 1
    let limit = HTTPLimit.answer(min(ContainerCommand.lookTimeout, session.timeout))
    session.link.call("GET", session.path("/containers/\(container)/json"), within: limit) { [weak self] answer in
      guard let self, phase == .ended, isActive else { return }
      _ = answer.read { json -> Void? in self.learn(json["State"]) }
      guard answer.failure == nil, mayLackMemory(status, look: looks) else { return conclude(status) }
      clocks.set(.look, in: EngineCommand.lookInterval)
    }
  }

  /// Seconds.
  private static let lookTimeout = 5.0

  override func checkPulse() {
    guard let container else { return }
    session.link.call("GET", session.path("/containers/\(container)/json"), within: session.answer) {
      [weak self] answer in
      guard let self, phase == .running, isActive else { return }
      if answer.failure != nil { return lose(session.endpoint.failure(answer, doing: "tell of the container")) }
      let code = answer.read { json -> Int64? in
        guard let state = json["State"], let name = state["Status"]?.string else { return nil }
        return ["exited", "stopped", "dead"].contains(name) ? state["ExitCode"]?.integer : nil
      }
      guard code != nil || answer.status == 404 else {
        isEndMissed = false
        return
      }
      // What it has told of the end may be on its way.
      if !isEndMissed {
        isEndMissed = true
        return clocks.set(.pulse, in: min(ContainerCommand.missInterval, session.timeout))
      }
      guard let code, (0...255).contains(code) else {
        return fail(StepFailure(engine: "the engine at \(session.endpoint.address) does not have the container any more"))
      }
      hasEnded(Int32(truncatingIfNeeded: code))
    }
  }

  override func abandonRest() {
    guard let status else { return }
    if hasStreamEnded { return conclude(status) }
    markIncomplete()
    finish(status: status, fault: "the engine at \(session.endpoint.address) goes on sending output behind its end")
  }

  private func learn(_ state: JSONRef?) {
    guard let state else { return }
    if state["OOMKilled"]?.boolean == true { end.outOfMemory = .yes }
    let started = state["StartedAt"]?.string.flatMap(EngineTime.seconds)
    let finished = state["FinishedAt"]?.string.flatMap(EngineTime.seconds)
    if let started, started > 0 {
      end.started = started
      if let finished { end.duration = max(0, finished - started) }
    }
  }

  private func conclude(_ status: Int32) {
    if let failure = InitFailure.failure(status, outputSoFar.stdout, outputSoFar.stderr, command, session) {
      forgetOutput()
      return fail(failure)
    }
    if status == 137, end.outOfMemory == nil, end.endedBy == nil, session.options.memory != nil {
      end.outOfMemory = .likely
    }
    finish(status: status)
  }

  override func found(_ state: JSONRef?) { learn(state) }

  override func dropCalls() {
    attached?.drop()
    waited?.drop()
    attached = nil
    waited = nil
  }

  override func closeForNext() { if let container { session.remove(container) } }
}

/// A container that is created before its command's turn.
final class EarlyContainer {
  private(set) var name = ""
  private var outcome: StepFailure??
  private var wish: ((StepFailure?) -> Void)?

  init(_ session: ContainerSession, _ body: consuming ByteBuffer) {
    name = session.create(body) { [weak self] failure in
      guard let self else { return }
      outcome = .some(failure)
      wish?(failure)
      wish = nil
    }
  }

  func whenCreated(_ wish: @escaping (StepFailure?) -> Void) {
    if let outcome { return wish(outcome) }
    self.wish = wish
  }
}

/// What an init process says instead of the program that it cannot run. Its container has been started, so the
/// engine knows no better. (tini.c, `spawn_process`; catatonit.c, `main`.)
private enum InitFailure {
  static func failure(
    _ status: Int32, _ stdout: UnsafeRawBufferPointer, _ stderr: UnsafeRawBufferPointer, _ command: String,
    _ session: ContainerSession
  ) -> StepFailure? {
    guard session.options.hasInit, status != 0, stdout.isEmpty, !stderr.isEmpty, stderr.count < 4096 else { return nil }
    let said = String(decoding: stderr, as: UTF8.self)
    let line = MessageFormat.foreign(said, limit: 4096)
    let isTini = line.begins(with: "[FATAL tini (") && line.contains(")] exec ") && line.contains(" failed: ")
    let isCatatonit = line.contains("(catatonit:") && line.contains("failed to exec pid1: ")
    guard isTini || isCatatonit, said.utf8.filter({ $0 == UInt8(ascii: "\n") }).count == 1 else { return nil }
    let image = MessageFormat.quoted(session.reference.text, limit: 200)
    let shown = MessageFormat.quoted(command, limit: 100)
    if line.ends(with: "No such file or directory") {
      return StepFailure("there is no such program in the image \(image): \(shown)")
    }
    if line.ends(with: "Permission denied") {
      return StepFailure("the program is not executable in the image \(image): \(shown)")
    }
    return StepFailure("the program cannot be run in the image \(image): \(shown): \(line)")
  }
}
