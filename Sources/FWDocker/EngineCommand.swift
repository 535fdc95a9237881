internal import CSystem
internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel
internal import FWOutput
internal import FWSystem
internal import Glibc

/// A command on an engine, in a container of its own or as an exec in the container of its step. It can also be only
/// the removal of the containers of a step that was ended between two commands.
///
/// The command is a state machine. The engine's answers are collected while libcurl works (`EngineRequests`). They and
/// the alarms are handled by one switch over all phases (`take`). `Phase.limit` has the limit of each phase.
final class EngineCommand: RunningCommand {
  let session: ContainerSession
  let requests: EngineRequests
  let kind: Kind
  let settings: RunSettings
  let errorTexts: EngineErrors
  let isLast: Bool
  let account: EngineAccount
  var machine: PhaseMachine<Phase, Alarm>
  /// Why the command was asked to end; `nil` if it was not.
  var reason: Outcome?
  /// The time at which the start of the exec was requested.
  var execBegan = 0.0
  /// The number of signals that were sent and have not been answered.
  var unanswered = 0
  /// The end of a stream that broke while standard input was left, and the time until which the engine may report the
  /// end of the command; `nil`: no stream has broken.
  var broken: (reply: EngineReply, until: Double)?
  /// Whether the time for the rest of the output was extended once.
  var isRestExtended = false
  /// The time at which the command was advanced last.
  var lastAdvance = fws_monotonic()

  /// The number of seconds without a call to `advance` after which the host counts as busy with other work.
  static let busyInterval = 1.0

  /// - Parameter isPrepared: whether an earlier command has prepared the session.
  init(
    _ session: ContainerSession, _ command: String, _ kind: Kind, input: EngineInput? = nil, isPrepared: Bool,
    isLast: Bool, timeout: Double?, settings: RunSettings, events: RunOptions.Events?
  ) {
    self.session = session
    self.kind = kind
    self.settings = settings
    self.isLast = isLast
    requests = EngineRequests(session, kind, input)
    errorTexts = EngineErrors(session: session, command: command)
    account = EngineAccount(
      settings, events, notebook: kind.notebook, hasMemoryLimit: session.options.memory != nil, hasInput: input != nil)
    machine = PhaseMachine(
      .preparing, .alarm(.pulse, in: session.timeout), timer: session.timer, persistent: [.timeout])
    if let timeout { machine.set(.timeout, in: timeout) }
    if case .removal = kind { removeAll() } else if isPrepared { create() } else { requests.prepare() }
    // The first call to `advance` handles everything that has happened by then.
    machine.wake()
  }

  /// Removes the containers of a step that was ended between two commands.
  convenience init(removing session: ContainerSession) {
    self.init(
      session, "", .removal, isPrepared: true, isLast: true, timeout: nil, settings: RunSettings(), events: nil)
  }

  var waiting: Waiting { Waiting(channel: session.link.fd) }

  func stop() {
    // The thread that waits for the step handles the cancellation.
    requests.add(.cancelled)
    machine.wake()
  }

  // MARK: Standard input and signals of the host

  func write(_ bytes: UnsafeRawBufferPointer) -> InputWrite {
    let result = requests.input?.write(bytes) ?? .ended("the command has no standard input of the host")
    // The thread that waits for the step handles a failure.
    if requests.noteInput() { machine.wake() }
    return result
  }

  func closeInput() { requests.input?.close() }

  var hasRoom: Bool { requests.input?.hasRoom ?? false }

  var isRunning: Bool {
    switch machine.phase {
    // Output may come before the engine has answered that the command runs.
    case .starting, .running: return account.isStartReported
    default: return false
    }
  }

  func signal(_ number: Int32, _ target: SignalTarget) -> StepFailure? {
    if let refusal = kind.refusal(of: number, to: target, session) { return StepFailure(refusal) }
    account.wasKilledByHost = account.wasKilledByHost || number == SIGKILL
    requests.signal(number)
    return nil
  }

  // MARK: The answers of the engine

  func advance(_ ready: Waiting.Ready, _ readiness: inout ReadinessFD, _ events: inout EventQueue) -> CommandEnd? {
    session.advance()
    while let (image, progress) = session.takeProgress() { events.progress(progress, image: image) }
    // Answers that have arrived are handled before alarms, because the host may not have called the library for some
    // time.
    takeAll(&events)
    while let alarm = machine.takeDue() {
      take(.alarm(alarm), &events)
      takeAll(&events)
    }
    lastAdvance = fws_monotonic()
    guard case .over = machine.phase else { return nil }
    readiness.forget(session.link.fd)
    account.end.isEnded = session.isClean
    account.end.notes += session.takeNotes()
    return account.finish(&readiness, &events)
  }

  func takeAll(_ events: inout EventQueue) {
    while case let batch = requests.take(), !batch.isEmpty {
      for occurrence in batch { take(occurrence, &events) }
    }
  }

  // MARK: The phases

  func enter(_ phase: Phase) {
    let now = Phase.Circumstances(
      timeout: session.timeout, grace: session.options.grace, isToEnd: reason != nil,
      isEngineSilent: unanswered > 0 || session.isCreating)
    machine.enter(phase, phase.limit(now))
  }

  /// Handles an occurrence in the current phase. An occurrence without a case is the answer to a request of an earlier
  /// phase.
  func take(_ occurrence: Occurrence, _ events: inout EventQueue) {
    switch (machine.phase, occurrence) {
    case (_, .cancelled): endBecause(.cancelled, &events)
    case (_, .alarm(.timeout)): endBecause(.timeout, &events)

    // These occurrences precede the start of the command.
    case (.preparing, .prepared(nil)): create()
    case (.preparing, .alarm(.pulse)): requests.ping()
    case (.preparing, .pinged(let reply)):
      guard reply.isLost else { return enter(.preparing) }
      session.abandonPreparation()
      lose(reply)
    case (.preparing, .prepared(let failure?)), (.creating, .created(let failure?)): fail(failure)
    case (.creating, .created(nil)): created()
    case (.populating, .populated(let reply)):
      if reply.isSuccess { attach() } else { fail(session.endpoint.failure(reply, doing: "accept the notebook's job")) }
    case (.attaching(let missing), .attached): startIfReady(missing.subtracting([.output]))
    case (.attaching(let missing), .exitPromised): startIfReady(missing.subtracting([.exit]))
    case (.attaching(let missing), .inputAttached): startIfReady(missing.subtracting([.input]))
    case (.attaching, .inputEnded(let reply)) where reply.isLost || reply.status >= 300: refusedAttach(reply)
    case (.startingContainer, .containerStarted(let reply)): startedContainer(reply)
    case (.creatingExec, .execCreated(let reply)): createdExec(reply)
    case (.examining, .examined(let state)): fail(errorTexts.endedContainer(state))

    // These occurrences concern the start. The engine may report output or the end before it answers the start request.
    // It may also report an end of a container that it then refuses to start, so only the answer says what the end is.
    case (.starting(let early), .started(let reply)):
      if reply.isSuccess || reply.status == 304 { return run(after: early, &events) }
      if reply.isLost { return lose(reply) }
      fail(errorTexts.refusedStart(reply, doing: "start the container"))
    case (.starting(let early), .exited), (.starting(let early), .outputEnded):
      enter(.starting(early: early + [occurrence]))
    case (.opening, .alarm(.probe)): requests.askExec { .probed($0, $1) }
    case (.opening(let interval), .probed(let reply, let state)):
      if reply.isLost { return lose(reply) }
      if state?.isRunning == true, (state?.pid ?? 0) > 0 { return run(&events) }
      enter(.opening(probe: min(interval * 2, EngineCommand.longestProbe)))
    case (.opening, .attached), (.running, .attached): requests.openInput()
    case (_, .output(let count)): takeOutput(count, &events)
    case (_, .inputWanted): requests.goOnWithInput()
    case (_, .inputFailed): endBecause(.engineFailed, &events)
    case (let phase, .inputEnded(let reply)) where phase.isActive && reply.isLost:
      // Over a Unix socket, only the engine itself can do that, and it does so when nobody reads the input any more.
      if session.endpoint.peer.socket != nil { break }
      account.end.notes.append(
        "the engine at \(session.endpoint.address) broke off the connection of the standard input, as it also does "
          + "when the command has ended without reading all of it")

    // These occurrences happen while the command runs.
    case (.running, .alarm(.pulse)): requests.askPulse()
    case (.running(let stage, let silence), .pulse(let reply, let hasEnded, let status)):
      if reply.isLost { return lose(reply) }
      if !hasEnded { return goOn(stage, silence) }
      // The messages about the end and the output may still be on their way.
      let mayBeReported = silence == .normal || requests.exec == nil
      if silence != .missesEnd, mayBeReported { return enter(.running(stage, .missesEnd)) }
      missedEnd(status, &events)
    case (.running(.terminating, let silence), .alarm(.kill)):
      signal(.kill)
      enter(.running(.killing, silence))
    case (.running, .alarm(.gone)), (.starting, .alarm(.gone)), (.opening, .alarm(.gone)): removeByForce()
    case (let phase, .signalled(let reply, let signal)):
      if !reply.isLost { unanswered -= 1 }
      guard case .running = phase, !reply.isSuccess else { return }
      if reply.isLost { return lose(reply) }
      // The command had ended before this signal, by itself or by the other one, which may have overtaken it.
      account.withdraw(signal)

    case (_, .hostSignalled(let reply, let number)):
      if reply.isLost {
        if isRunning { lose(reply) }
      } else if !reply.isSuccess, reply.status != 404, reply.status != 409 {
        // The other two mean that the command has ended at this moment, which is no error.
        account.end.notes.append("the engine did not send the signal \(number): \(reply.message)")
      }

    // These occurrences concern the end, which is reported by the exit of a container, or by the end of the output of
    // an exec.
    case (.draining, .exited), (.inspecting, .exited), (.pausing, .exited): break
    case (_, .exited(let reply, let exit)) where machine.phase.isActive: exited(reply, exit, &events)
    case (_, .outputEnded(let reply)) where machine.phase.isActive: outputEnded(reply)
    case (.draining, .alarm(.drain)):
      account.markIncomplete()
      leaveOutput()
    case (.askingStatus, .execEnded(let reply, let state)): takeStatus(reply, state, &events)
    case (.inspecting(let status, let attempt), .inspected(let reply, let state)):
      record(state)
      if !reply.isLost, account.mayLackMemory(status, attempt: attempt) {
        enter(.pausing(status: status, attempt: attempt))
      } else {
        settle(status, &events)
      }
    case (.pausing(let status, let attempt), .alarm(.inspect)): inspect(status, attempt: attempt + 1, &events)
    case (_, .alarm(.rest)):
      // A host that was busy may not have taken data that had arrived.
      guard fws_monotonic() - lastAdvance > EngineCommand.busyInterval, !isRestExtended, reason == nil else {
        return abandonRest(&events)
      }
      isRestExtended = true
      machine.set(.rest, in: session.timeout)

    // These occurrences follow the loss of the engine.
    case (.awaitingEngine(let until), .alarm(.search)): search(until: until)
    case (.searching(let until), .found(let reply, let state)):
      if !reply.isLost {
        if kind.isOwnContainer { record(state) }
        return remove(isLost: true)
      }
      if fws_monotonic() >= until { leave() } else { enter(.awaitingEngine(until: until)) }
    case (.searching, .alarm(.loss)), (.awaitingEngine, .alarm(.loss)): leave()

    case (.removing, .removed): enter(.over)
    case (.removing, .alarm(.removal)):
      session.abandonContainers()
      enter(.over)
    default: break
    }
  }

  // MARK: Timeout and cancel

  /// Ends the command because of the timeout of the step or a cancellation.
  func endBecause(_ outcome: Outcome, _ events: inout EventQueue) {
    switch machine.phase {
    case .preparing, .creating, .populating, .attaching, .startingContainer, .creatingExec, .examining:
      session.abandonPreparation()
      reason = outcome
      account.end.outcome = outcome
      remove()
    case .starting, .opening:
      guard reason == nil else { return }
      reason = outcome
      enter(machine.phase)
    case .running(_, let silence):
      guard reason == nil else { return }
      reason = outcome
      terminate(silence)
    case .draining, .askingStatus, .inspecting, .pausing:
      reason = reason ?? outcome
      abandonRest(&events)
    case .removing: machine.shorten(.removal, within: EngineCommand.shortTimeout)
    // The search for a lost engine has its own short limit.
    case .searching, .awaitingEngine, .over: break
    }
  }

  func terminate(_ silence: Silence) {
    signal(.term)
    enter(.running(.terminating, silence))
  }

  func signal(_ signal: EndingSignal) {
    requests.signal(signal)
    // The end that the signal causes may be reported before the signal request is answered.
    account.add(signal)
    unanswered += 1
  }

  /// Removes the container by force, because the engine has reported neither its start nor its end.
  func removeByForce() {
    if account.isStartReported { account.markIncomplete() } else { unanswered += 1 }
    account.end.outcome = reason ?? .engineFailed
    remove()
  }

  // MARK: While the command runs

  /// Enters the running phase.
  ///
  /// - Parameter early: what was reported about the end before it was known that the command runs.
  func run(after early: [Occurrence] = [], _ events: inout EventQueue) {
    account.reportStart(in: requests.container, &events)
    // That of an exec begins with the answer to its start, which may come later than this.
    if requests.exec == nil { requests.openInput() }
    enter(.running(.free, account.isDrained ? .streamless(ask: EngineCommand.firstProbe) : .normal))
    if reason == nil, case .ownContainer(_, _, _, let onStart) = kind { onStart() }
    for occurrence in early { take(occurrence, &events) }
    // A command that has ended already gets no signal: its end is its own.
    if reason != nil, case .running(_, let silence) = machine.phase { terminate(silence) }
  }

  /// Goes on with a command that has not ended, as the engine says.
  func goOn(_ stage: Stage, _ silence: Silence) {
    guard case .streamless(let interval) = silence else { return enter(.running(stage, .normal)) }
    if let broken, fws_monotonic() >= broken.until { return lose(broken.reply) }
    let next = min(max(interval * 2, EngineCommand.firstProbe), EngineCommand.longestProbe)
    enter(.running(stage, .streamless(ask: next)))
  }

  /// Ends a command whose end the engine has not reported by itself.
  func missedEnd(_ status: Int64?, _ events: inout EventQueue) {
    if requests.exec != nil {
      account.end.duration = fws_monotonic() - execBegan
      return account.isDrained ? leaveOutput() : enter(.draining(status: nil))
    }
    guard let status, (0...255).contains(status) else {
      return fail(StepFailure(engine: "the engine at \(session.endpoint.address) no longer has the container"))
    }
    exited(Int32(truncatingIfNeeded: status), &events)
  }

  func takeOutput(_ count: Int, _ events: inout EventQueue) {
    requests.takeOutput(count) { bytes in
      switch machine.phase {
      case .opening:
        if account.addEarly(with: bytes) { run(&events) }
      case .starting:
        account.reportStart(in: requests.container, &events)
        account.take(bytes, &events)
      case .draining, .askingStatus, .inspecting, .pausing:
        machine.clear(.drain)
        enter(machine.phase)
        if account.takeLate(bytes, &events) { abandonRest(&events) }
      case .searching, .awaitingEngine, .removing, .over: break
      default: account.take(bytes, &events)
      }
    }
    if requests.hasLostOutput { account.breakOff() }
    if account.isUnreadable, requests.isStreaming { leaveUnreadableOutput() }
  }
}
