internal import CFlowShims
internal import Glibc

/// A command in a container: what a container of its own and an exec in one for the step have in common.
///
///   preparing ──▶ running ──▶ closing ──▶ over
///
/// In every phase a timeout, a cancel, a refusal of the engine, or its loss leads to `closing`, which
/// removes the containers that are not needed any more.
class EngineCommand: RunningCommand {
  enum Phase {
    case preparing
    case running
    case closing
    case over
  }

  let session: ContainerSession
  let command: String
  let isLast: Bool
  private(set) var phase = Phase.preparing
  /// The container that it runs in.
  var container: String?
  /// What is known of its end.
  var end: CommandEnd
  private let timeout: Double?
  private var stdout: ReceivedOutput
  private var stderr: ReceivedOutput
  private var frames = Frames()
  /// Of the step, while it is advanced.
  private var events = EventQueue()
  private var isTold = false
  private var isOver = false
  private var reason: Outcome?
  /// At the session's time: of a timeout, of a grace, of an engine that may come back.
  private var onAlarm: (() -> Void)?
  private var isLost = false
  /// No other command follows in its session.
  private var endsStep = false

  /// Seconds. What is killed is gone at once, unless the engine is in trouble.
  private static let killPatience = 10.0
  /// Seconds for the containers to be removed.
  static let removalPatience = 60.0
  /// Seconds. An engine that was lost may come back; whether the container ran on is seen then.
  private static let lossPatience = 2.0
  private static let lossInterval = 0.2

  init(
    _ session: ContainerSession, _ command: String, isLast: Bool, timeout: Double?, settings: RunSettings,
    events: RunOptions.Events?
  ) {
    self.session = session
    self.command = command
    self.isLast = isLast
    self.timeout = timeout
    end = CommandEnd(outcome: .exited, started: fws_wall())
    stdout = ReceivedOutput(.stdout, settings, events)
    stderr = ReceivedOutput(.stderr, settings, events)
  }

  // MARK: For subclasses

  /// Begins, once the engine and the image are there.
  func begin() {}

  /// Drops the calls that wait for the command.
  func dropCalls() {}

  /// More output has come.
  func drain() {}

  /// Something may be due.
  func turn() {}

  /// It has ended by itself, and its status and outcome are known.
  func conclude() {}

  /// The engine has told of the container after it was lost. `nil`: it has gone.
  func found(_ state: JSONRef?) {}

  // MARK: The life of a command

  /// - Parameter isPrepared: a command before it has prepared the session.
  final func start(isPrepared: Bool) {
    if let timeout { setAlarm(timeout) { [weak self] in self?.endBecause(.timeout) } }
    if isPrepared { return begin() }
    session.prepare { [weak self] failure in
      guard let self, phase == .preparing else { return }
      if let failure { return fail(failure) }
      begin()
    }
  }

  final var waiting: Waiting { Waiting(channel: session.link.fd) }

  final func advance(_ ready: Waiting.Ready, _ signpost: inout Signpost, _ events: inout EventQueue) -> CommandEnd? {
    swap(&self.events, &events)
    session.advance()
    tellProgress()
    if session.timer.isOver, let action = onAlarm {
      clearAlarm()
      action()
    }
    turn()
    if isOver {
      clearAlarm()
      stdout.finish(&self.events)
      stderr.finish(&self.events)
    }
    swap(&self.events, &events)
    guard isOver else { return nil }
    signpost.forget(session.link.fd)
    if endsStep, session.hasContainers { session.bequeath() }
    end.stdout = stdout.take()
    end.stderr = stderr.take()
    return end
  }

  final func stop() { endBecause(.cancelled) }

  private func tellProgress() {
    while let (image, progress) = session.takeProgress() { events.progress(progress, image: image) }
  }

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
    phase = .running
    end.container = container
    end.started = fws_wall()
    events.commandStarted(container: container, at: end.started)
  }

  final func take(_ bytes: UnsafeRawBufferPointer) {
    // Output may come before the answer to the start does.
    if phase == .preparing { tellStart() }
    drain()
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

  /// It has ended with a status, as an engine reports it.
  final func finish(status: Int32) {
    guard phase != .over, phase != .closing else { return }
    let signal = status &- 128
    if (1...31).contains(signal) { end.signal = signal } else { end.exitCode = status }
    end.outcome = end.signal == nil ? .exited : .signaled
    if end.outOfMemory == .yes, status != 0 { end.outcome = .oom }
    conclude()
    end.containment = .container
    if let reason {
      // What could not be signalled any more had ended by itself.
      if end.endedBy != nil { end.outcome = reason }
    }
    close()
  }

  /// It could not be started, or the engine cannot go on.
  final func fail(_ failure: SpawnFailure) {
    guard phase != .over, phase != .closing else { return }
    end.outcome = failure.outcome
    end.failure = failure.reason
    close()
  }

  /// The last thing that is done: containers that are no longer needed go.
  private func close() {
    phase = .closing
    clearAlarm()
    dropCalls()
    let isSuccess = end.outcome == .exited && end.exitCode == 0
    if isSuccess, !isLast {
      closeForNext()
      return complete()
    }
    endsStep = true
    // What has ended by itself is removed while the result goes its way.
    if reason == nil, !isLost, session.canBequeath { return complete() }
    setAlarm(EngineCommand.removalPatience) { [weak self] in
      // The engine does not remove them.
      self?.session.giveUp()
      self?.complete()
    }
    session.removeAll { [weak self] in self?.complete() }
  }

  /// The command has succeeded, and another one follows.
  func closeForNext() {}

  private func complete() {
    guard phase != .over else { return }
    phase = .over
    end.isEnded = session.isClean
    isOver = true
    // This may come by a cancel, while somebody waits for the step: nothing else would wake that one.
    setAlarm(0) {}
  }

  // MARK: Ending it

  private func endBecause(_ outcome: Outcome) {
    guard reason == nil, phase == .preparing || phase == .running, !hasEnded, !isLost else { return }
    reason = outcome
    clearAlarm()
    if phase == .preparing, !isStarting {
      session.abandonPreparation()
      end.outcome = outcome
      return close()
    }
    if phase == .running { return askToEnd() }
    // One that is being started is ended when that has been answered; an engine may not answer.
    setAlarm(EngineCommand.killPatience) { [weak self] in
      self?.end.outcome = outcome
      self?.close()
    }
  }

  /// It has ended by itself, and what is left is to learn how.
  var hasEnded: Bool { false }

  /// Whether the engine has been asked to start it.
  var isStarting: Bool { false }

  final var wasAskedToEnd: Bool { reason != nil }

  /// After the start has been answered.
  final func endIfAsked() { if phase == .running, reason != nil, end.endedBy == nil { askToEnd() } }

  private func askToEnd() {
    signal("SIGTERM", .term)
    setAlarm(session.options.grace) { [weak self] in self?.forceToEnd() }
  }

  private func forceToEnd() {
    signal("SIGKILL", .kill)
    setAlarm(EngineCommand.killPatience) { [weak self] in
      guard let self else { return }
      // Its end is not told: removing it by force is the last way.
      end.outcome = reason ?? .engineFailed
      close()
    }
  }

  private func signal(_ name: StaticString, _ signal: EndingSignal) {
    guard let container else { return }
    let before = end.endedBy
    // The end that it brings may be told before this is answered.
    end.endedBy = signal
    session.link.call("POST", session.path("/containers/\(container)/kill?signal=\(name)")) { [weak self] answer in
      guard let self, phase == .running else { return }
      if answer.isSuccess { return }
      // It had ended by itself.
      end.endedBy = before
      if answer.failure != nil { lose(session.place.failure(answer, doing: "end the container")) }
    }
  }

  // MARK: Losing the engine

  /// The engine is no longer there: it is looked for, for a moment.
  final func lose(_ failure: SpawnFailure) {
    guard !isLost, phase == .preparing || phase == .running else { return }
    isLost = true
    clearAlarm()
    dropCalls()
    session.dropCalls()
    end.outcome = .engineFailed
    end.failure = failure.reason
    look(until: fws_monotonic() + EngineCommand.lossPatience)
  }

  private func look(until deadline: Double) {
    guard let container else { return close() }
    // It may accept, and say nothing.
    setAlarm(max(deadline - fws_monotonic(), 0) + EngineCommand.lossInterval) { [weak self] in self?.leave(container) }
    session.link.call("GET", session.path("/containers/\(container)/json")) { [weak self] answer in
      guard let self, phase != .over else { return }
      if answer.failure == nil {
        if answer.isSuccess { _ = answer.read { json -> Void? in self.found(json["State"]) } } else { found(nil) }
        return close()
      }
      if fws_monotonic() >= deadline { return leave(container) }
      setAlarm(EngineCommand.lossInterval) { [weak self] in self?.look(until: deadline) }
    }
  }

  private func leave(_ container: String) {
    end.failure = (end.failure ?? "") + "; its container \(container) is removed when the engine is used again"
    session.giveUp()
    complete()
  }

  // MARK: The alarm

  final func setAlarm(_ seconds: Double, _ action: @escaping () -> Void) {
    onAlarm = action
    session.timer.set(seconds)
  }

  private func clearAlarm() {
    onAlarm = nil
    session.timer.set(ContainerSession.never)
  }
}
