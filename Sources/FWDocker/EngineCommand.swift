internal import CSystem
internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel
internal import FWOutput
internal import FWSystem
internal import Glibc

/// A command in a container: what a container of its own and an exec in one for the step have in common.
///
///   preparing ──▶ starting ──▶ running ──▶ ended ──▶ closing ──▶ over
///
/// Each phase has a deadline, and a timeout or a cancel of the step reaches each of them (`endBecause`):
///
///   | phase     | waits for                                | until                                                    |
///   |-----------|------------------------------------------|----------------------------------------------------------|
///   | preparing | answers, the image, the container        | the limit of each call; `pulse` finds an engine that hangs |
///   | starting  | the answer to the start                  | the limit of the call; `gone` after it was asked to end   |
///   | running   | the end of the command                   | `pulse`; `kill` and then `gone` after it was asked to end |
///   | ended     | the rest of its output, and how it ended | `drain`, `look`, and `rest` for all of it                 |
///   | closing   | the removal of its containers            | `removal`                                                |
class EngineCommand: RunningCommand {
  enum Phase {
    case preparing
    /// The engine has been asked to start it.
    case starting
    case running
    /// The engine has told of its end.
    case ended
    case closing
    case over
  }

  enum Clock {
    /// The step's own time has passed.
    case timeout
    /// It was asked to end, and has not.
    case kill
    /// It was killed, or was to be started, and nothing is told of it.
    case gone
    /// Nothing more has come of its output behind its end.
    case drain
    /// There is still more to come behind its end.
    case rest
    /// Something is asked again.
    case look
    /// An engine that was lost is asked again.
    case search
    /// Nothing has been heard of an engine that was lost.
    case loss
    /// The engine is asked whether it is there.
    case pulse
    /// The containers are not gone.
    case removal
    /// Somebody is to look again.
    case now
  }

  let session: ContainerSession
  let command: String
  let isLast: Bool
  final var phase = Phase.preparing
  /// The container that it runs in.
  final var container: String?
  /// What is known of its end.
  final var end: CommandEnd
  final var clocks: Deadlines<Clock>
  private let timeout: Double?
  private var stdout: ReceivedOutput
  private var stderr: ReceivedOutput
  private var frames = Frames()
  /// Of the step, while it is advanced.
  private var events = EventQueue()
  /// That it runs.
  private(set) final var isTold = false
  private(set) final var reason: Outcome?
  private var isLost = false
  private var lossEnd = 0.0
  /// Of signals that were sent, those that were not answered.
  private var unanswered = 0
  /// When it was advanced last.
  private var turnTime = fws_monotonic()
  private var isRestExtended = false
  /// Bytes that came behind the end.
  private var late = 0
  /// No other command follows in its session.
  private var endsStep = false
  /// The end of its output was seen.
  final var isDrained = false

  /// Seconds. What is killed is gone at once, unless the engine is in trouble.
  private static let killTimeout = 5.0
  /// Seconds for the containers to be removed; and where the engine has left our signals without an answer.
  static let removalTimeout = 15.0
  private static let shortTimeout = 5.0
  /// Seconds between the end of a command and that of its output, in which nothing comes.
  private static let drainTimeout = 5.0
  /// Seconds. An engine that was lost may come back; whether the container ran on is seen then.
  private static let lossTimeout = 2.0
  private static let lossInterval = 0.2
  /// Bytes that may be on their way when the end is told; an engine has some MB at most.
  private static let mostLate = 64 << 20
  /// Seconds between two turns of a host that is busy with other things.
  private static let absence = 1.0

  init(
    _ session: ContainerSession, _ command: String, isLast: Bool, timeout: Double?, settings: RunSettings,
    events: RunOptions.Events?
  ) {
    self.session = session
    self.command = command
    self.isLast = isLast
    self.timeout = timeout
    clocks = Deadlines(session.timer)
    end = CommandEnd(outcome: .exited, started: fws_wall())
    stdout = ReceivedOutput(.stdout, settings, events)
    stderr = ReceivedOutput(.stderr, settings, events)
  }

  // MARK: For subclasses

  /// Begins, once the engine and the image are there.
  func begin() {}

  /// Drops the calls that wait for the command.
  func dropCalls() {}

  /// Something may be due.
  func turn() {}

  /// Asks again how it ended.
  func look() {}

  /// Asks the engine how the command is while it runs: who hangs does not answer, and who has missed the end tells it.
  func checkPulse() {}

  /// It has ended by itself, and its status and outcome are known.
  func conclude() {}

  /// The rest of its output does not come, or nobody waits for it any longer: it ends with what is known.
  func abandonRest() {}

  /// The engine has told of the container after it was lost. `nil`: it has gone.
  func found(_ state: JSONRef?) {}

  // MARK: The life of a command

  /// - Parameter isPrepared: a command before it has prepared the session.
  final func start(isPrepared: Bool) {
    if let timeout { clocks.set(.timeout, in: timeout) }
    clocks.set(.pulse, in: session.timeout)
    if isPrepared { return begin() }
    session.prepare { [weak self] failure in
      guard let self, phase == .preparing else { return }
      if let failure { return fail(failure) }
      begin()
    }
  }

  final var waiting: Waiting { Waiting(channel: session.link.fd) }

  final func advance(_ ready: Waiting.Ready, _ readiness: inout ReadinessFD, _ events: inout EventQueue) -> CommandEnd? {
    swap(&self.events, &events)
    // What the engine has said comes before what it should have said by now.
    session.advance()
    tellProgress()
    while let clock = clocks.takeDue() { passed(clock) }
    turn()
    turnTime = fws_monotonic()
    if phase == .over {
      clocks.clearAll()
      stdout.finish(&self.events)
      stderr.finish(&self.events)
    }
    swap(&self.events, &events)
    guard phase == .over else { return nil }
    readiness.forget(session.link.fd)
    if endsStep, session.hasContainers { session.requestCleanup() }
    end.stdout = stdout.take()
    end.stderr = stderr.take()
    return end
  }

  final func stop() { endBecause(.cancelled) }

  private func passed(_ clock: Clock) {
    switch clock {
    case .timeout: endBecause(.timeout)
    case .kill: forceToEnd()
    case .gone: forsake()
    case .drain: if phase == .ended { drained() }
    case .rest: restHasPassed()
    case .look: if phase == .ended { look() }
    case .search: search()
    case .loss: if let container { leave(container) }
    case .pulse: takePulse()
    case .removal:
      session.giveUp()
      complete()
    case .now: break
    }
  }

  private func tellProgress() {
    while let (image, progress) = session.takeProgress() { events.progress(progress, image: image) }
  }

  /// It waits for the engine to tell something of the command.
  final var isActive: Bool { phase != .closing && phase != .over && !isLost }

  /// What it wrote, in order.
  func accept(_ stream: Stream, _ piece: UnsafeRawBufferPointer) { keep(stream, piece) }

  /// It is output of the step.
  final func keep(_ stream: Stream, _ piece: UnsafeRawBufferPointer) {
    if stream == .stdout { stdout.take(piece, &events) } else { stderr.take(piece, &events) }
  }

  /// How far a notebook is.
  final func tell(_ progress: CellProgress) { events.progress(progress) }

  /// It runs.
  final func tellStart() {
    guard !isTold else { return }
    isTold = true
    if phase == .preparing || phase == .starting { phase = .running }
    end.container = container
    end.started = fws_wall()
    events.commandStarted(container: container, at: end.started)
  }

  final func take(_ bytes: UnsafeRawBufferPointer) {
    // Output may come before the answer to the start does.
    if phase == .starting { tellStart() }
    if phase == .ended {
      if clocks.has(.drain) { clocks.set(.drain, in: EngineCommand.drainTimeout) }
      late += bytes.count
      // libcurl is at work here.
      if late > EngineCommand.mostLate { return clocks.set(.rest, in: 0) }
    }
    var pieces = frames
    pieces.take(bytes) { stream, piece in accept(stream, piece) }
    frames = pieces
  }

  /// What was written that is no command's output.
  final var outputSoFar: (stdout: UnsafeRawBufferPointer, stderr: UnsafeRawBufferPointer) {
    (stdout.beginning.bytes, stderr.beginning.bytes)
  }

  /// Whether the engine may still find out that memory ran out: it is told of that beside the end of the process, and
  /// sometimes after it.
  ///
  /// - Parameter look: how often it has been asked, from 1.
  final func mayLackMemory(_ status: Int32, look: Int) -> Bool {
    session.options.memory != nil && status != 0 && end.outOfMemory == nil && end.endedBy == nil
      && look < (status == 137 ? EngineCommand.killLooks : EngineCommand.otherLooks)
  }

  /// Seconds between two looks.
  static let lookInterval = 0.04
  private static let killLooks = 10
  private static let otherLooks = 6

  /// What was written is no output of the command's, but what the failure says.
  final func forgetOutput() {
    stdout = ReceivedOutput(.stdout, RunSettings(), nil)
    stderr = ReceivedOutput(.stderr, RunSettings(), nil)
  }

  // MARK: The end that the engine tells

  /// The engine has told that it has ended. What is behind that has its own time.
  ///
  /// - Parameter isDrained: its output has ended, too.
  final func enterEnd(isDrained: Bool) {
    phase = .ended
    clocks.clear(.kill)
    clocks.clear(.gone)
    clocks.set(.rest, in: reason == nil ? session.timeout : EngineCommand.shortTimeout)
    if !isDrained { clocks.set(.drain, in: EngineCommand.drainTimeout) }
  }

  /// The end of its output was not seen.
  final func markIncomplete() { if !isDrained { end.incomplete = [.stdout, .stderr] } }

  /// The output is silent behind the end, and stays open.
  private func drained() {
    markIncomplete()
    outputHasEnded()
  }

  /// Its output has ended, or nothing more is expected of it.
  func outputHasEnded() {}

  private func restHasPassed() {
    guard phase == .ended else { return }
    // A host that was away has not taken what was there.
    let wasAway = fws_monotonic() - turnTime > EngineCommand.absence
    if wasAway, !isRestExtended, reason == nil, late <= EngineCommand.mostLate {
      isRestExtended = true
      return clocks.set(.rest, in: session.timeout)
    }
    abandonRest()
  }

  /// It has ended with a status, as an engine reports it.
  ///
  /// - Parameter fault: why that is not all that there is to know of it.
  final func finish(status: Int32, fault: String? = nil) {
    guard isActive else { return }
    let signal = status &- 128
    if (1...31).contains(signal) { end.signal = signal } else { end.exitCode = status }
    end.outcome = end.signal == nil ? .exited : .signaled
    if end.outOfMemory == .yes, status != 0 { end.outcome = .oom }
    conclude()
    end.containment = .container
    if frames.isCutShort { end.incomplete = [.stdout, .stderr] }
    let cut = frames.isCutShort ? "its output was cut off by the engine at \(session.endpoint.address)" : nil
    if let reason, end.endedBy != nil || fault != nil {
      // What could not be signalled any more had ended by itself.
      end.outcome = reason
    } else if let fault = fault ?? cut, status == 0 {
      // A success would say that all of it is here.
      end.outcome = .engineFailed
      end.failure = "the command ended with status 0, and \(fault)"
    }
    close()
  }

  /// It could not be started, or the engine cannot go on.
  final func fail(_ failure: StepFailure) {
    guard isActive else { return }
    if isTold { markIncomplete() }
    end.outcome = failure.outcome
    end.failure = failure.reason
    close()
  }

  /// The last thing that is done: containers that are no longer needed go.
  final func close() {
    phase = .closing
    clocks.clearAll()
    dropCalls()
    let isSuccess = end.outcome == .exited && end.exitCode == 0
    if isSuccess, !isLast {
      closeForNext()
      return complete()
    }
    endsStep = true
    // What has ended by itself is removed while the result goes its way.
    if reason == nil, !isLost, session.canRequestCleanup { return complete() }
    clocks.set(
      .removal, in: unanswered > 0 || session.isCreating ? EngineCommand.shortTimeout : EngineCommand.removalTimeout)
    session.removeAll { [weak self] in self?.complete() }
  }

  /// The command has succeeded, and another one follows.
  func closeForNext() {}

  private func complete() {
    guard phase != .over else { return }
    phase = .over
    end.isEnded = session.isClean
    // This may come by a cancel, while somebody waits for the step: nothing else would wake that one.
    clocks.set(.now, in: 0)
  }

  // MARK: Ending it

  private func endBecause(_ outcome: Outcome) {
    // An engine that was lost has a short time of its own.
    if isLost { return }
    switch phase {
    case .preparing:
      session.abandonPreparation()
      reason = outcome
      end.outcome = outcome
      close()
    case .starting:
      guard reason == nil else { return }
      reason = outcome
      // It is ended when the start has been answered; an engine may not answer.
      clocks.set(.gone, in: EngineCommand.killTimeout)
    case .running:
      guard reason == nil else { return }
      reason = outcome
      askToEnd()
    case .ended:
      reason = reason ?? outcome
      abandonRest()
    case .closing: clocks.bring(.removal, within: EngineCommand.shortTimeout)
    case .over: break
    }
  }

  final var wasAskedToEnd: Bool { reason != nil }

  /// After the start has been answered.
  final func endIfAsked() { if phase == .running, reason != nil, end.endedBy == nil { askToEnd() } }

  private func askToEnd() {
    clocks.clear(.gone)
    signal("SIGTERM", .term)
    clocks.set(.kill, in: session.options.grace)
  }

  private func forceToEnd() {
    guard phase == .running, !isLost else { return }
    signal("SIGKILL", .kill)
    clocks.set(.gone, in: EngineCommand.killTimeout)
  }

  /// Its end, or its start, is not told: removing it by force is the last way.
  private func forsake() {
    guard isActive else { return }
    if isTold { markIncomplete() } else { unanswered += 1 }
    end.outcome = reason ?? .engineFailed
    close()
  }

  private func signal(_ name: StaticString, _ signal: EndingSignal) {
    guard let container else { return }
    let before = end.endedBy
    // The end that it brings may be told before this is answered.
    end.endedBy = signal
    unanswered += 1
    session.link.call("POST", session.path("/containers/\(container)/kill?signal=\(name)"), within: session.answer) {
      [weak self] answer in
      guard let self else { return }
      if answer.failure == nil { unanswered -= 1 }
      guard phase == .running, !isLost else { return }
      if answer.isSuccess { return }
      // It had ended by itself.
      end.endedBy = before
      if answer.failure != nil { lose(session.endpoint.failure(answer, doing: "end the container")) }
    }
  }

  // MARK: Whether the engine is there

  /// A running container may be silent for days, and an image take its time: the engine is asked now and then.
  private func takePulse() {
    guard isActive, phase != .ended else { return }
    clocks.set(.pulse, in: session.timeout)
    if phase == .running { return checkPulse() }
    session.link.call("GET", "/_ping", within: session.answer) { [weak self] answer in
      guard let self, phase == .preparing, answer.failure != nil else { return }
      session.abandonPreparation()
      lose(session.endpoint.failure(answer, doing: "answer a ping"))
    }
  }

  // MARK: Losing the engine

  /// The engine is no longer there: it is looked for, for a moment.
  final func lose(_ failure: StepFailure) {
    guard isActive else { return }
    if isTold { markIncomplete() }
    isLost = true
    clocks.clearAll()
    dropCalls()
    session.dropCalls()
    end.outcome = .engineFailed
    end.failure = failure.reason
    lossEnd = fws_monotonic() + EngineCommand.lossTimeout
    search()
  }

  private func search() {
    guard phase != .closing, phase != .over else { return }
    guard let container else { return close() }
    // It is there, but not for us.
    if session.link.isLost { return leave(container) }
    // It may accept, and say nothing.
    clocks.set(.loss, in: max(lossEnd - fws_monotonic(), 0) + EngineCommand.lossInterval)
    session.link.call("GET", session.path("/containers/\(container)/json"), within: session.answer) {
      [weak self] answer in
      guard let self, phase != .closing, phase != .over else { return }
      if answer.failure == nil {
        if answer.isSuccess { _ = answer.read { json -> Void? in self.found(json["State"]) } } else { found(nil) }
        return close()
      }
      if fws_monotonic() >= lossEnd { return leave(container) }
      clocks.set(.search, in: EngineCommand.lossInterval)
    }
  }

  private func leave(_ container: String) {
    end.failure = (end.failure ?? "") + "; its container \(container) is removed when the engine is used again"
    session.giveUp()
    complete()
  }
}
