internal import CSystem
internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel
internal import FWOutput
internal import FWSystem
internal import Glibc

/// A command on an engine, in a container of its own or as an exec in the container of its step; or the removal of the
/// containers of a step that was ended between two commands.
///
/// It is a state machine. The engine's answers are collected while libcurl is at work (`EngineRequests`), and come with
/// the alarms to one switch (`take`), which knows all phases. `Phase.limit` says what ends each phase at the latest.
final class EngineCommand: RunningCommand {
  private let session: ContainerSession
  private let requests: EngineRequests
  private let kind: Kind
  private let errorTexts: EngineErrors
  private let isLast: Bool
  private let account: EngineAccount
  private var machine: PhaseMachine<Phase, Alarm>
  /// Why the command was asked to end.
  private var reason: Outcome?
  /// When the exec was asked to start.
  private var execBegan = 0.0
  /// Signals that were sent and not answered.
  private var unanswered = 0
  /// The time for the rest was extended once.
  private var isRestExtended = false
  /// When the command was advanced last.
  private var turnTime = fws_monotonic()

  /// Seconds between two turns of a host that is busy with other things.
  private static let absence = 1.0

  /// - Parameter isPrepared: a command before this one has prepared the session.
  init(
    _ session: ContainerSession, _ command: String, _ kind: Kind, isPrepared: Bool, isLast: Bool, timeout: Double?,
    settings: RunSettings, events: RunOptions.Events?
  ) {
    self.session = session
    self.kind = kind
    self.isLast = isLast
    requests = EngineRequests(session, kind)
    errorTexts = EngineErrors(session: session, command: command)
    account = EngineAccount(settings, events, notebook: kind.notebook, hasLimit: session.options.memory != nil)
    machine = PhaseMachine(
      .preparing, .alarm(.pulse, in: session.timeout), timer: session.timer, persistent: [.timeout])
    if let timeout { machine.set(.timeout, in: timeout) }
    if case .removal = kind { removeAll() } else if isPrepared { create() } else { requests.prepare() }
    // What has come of it already is taken by the first turn.
    machine.wake()
  }

  /// Removes the containers of a step that was ended between two commands.
  convenience init(removing session: ContainerSession) {
    self.init(
      session, "", .removal, isPrepared: true, isLast: true, timeout: nil, settings: RunSettings(), events: nil)
  }

  var waiting: Waiting { Waiting(channel: session.link.fd) }

  func stop() {
    // Whoever waits for the step takes it.
    requests.add(.cancelled)
    machine.wake()
  }

  func advance(_ ready: Waiting.Ready, _ readiness: inout ReadinessFD, _ events: inout EventQueue) -> CommandEnd? {
    session.advance()
    while let (image, progress) = session.takeProgress() { events.progress(progress, image: image) }
    // What the engine has said comes before what it should have said by now: the host may have been away.
    takeAll(&events)
    while let alarm = machine.takeDue() {
      take(.alarm(alarm), &events)
      takeAll(&events)
    }
    turnTime = fws_monotonic()
    guard case .over = machine.phase else { return nil }
    readiness.forget(session.link.fd)
    account.end.isEnded = session.isClean
    return account.finish(&readiness, &events)
  }

  private func takeAll(_ events: inout EventQueue) {
    while case let batch = requests.take(), !batch.isEmpty {
      for occurrence in batch { take(occurrence, &events) }
    }
  }

  // MARK: The phases

  private func enter(_ phase: Phase) {
    let now = Phase.Circumstances(
      timeout: session.timeout, grace: session.options.grace, isToEnd: reason != nil,
      isEngineSilent: unanswered > 0 || session.isCreating)
    machine.enter(phase, phase.limit(now))
  }

  /// What happens in each phase. An occurrence without a case is the answer to a question of an earlier phase.
  private func take(_ occurrence: Occurrence, _ events: inout EventQueue) {
    switch (machine.phase, occurrence) {
    case (_, .cancelled): endBecause(.cancelled, &events)
    case (_, .alarm(.timeout)): endBecause(.timeout, &events)

    // Before the command starts.
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
    case (.attaching(_, let hasExit), .attached): startIfReady(hasOutput: true, hasExit: hasExit)
    case (.attaching(let hasOutput, _), .exitPromised): startIfReady(hasOutput: hasOutput, hasExit: true)
    case (.startingContainer, .containerStarted(let reply)): startedContainer(reply)
    case (.creatingExec, .execCreated(let reply)): createdExec(reply)
    case (.examining, .examined(let state)): fail(errorTexts.endedContainer(state))

    // The start. What the command does may be told before the answer to its start.
    case (.starting, .started(let reply)) where reply.isSuccess || reply.status == 304:
      run(&events)
      if reason == nil, case .ownContainer(_, _, _, let onStart) = kind { onStart() }
    case (_, .started(let reply)) where machine.phase.isActive && !reply.isSuccess && reply.status != 304:
      if reply.isLost { return lose(reply) }
      fail(errorTexts.refusedStart(reply, doing: "start the container"))
    case (.opening, .alarm(.probe)): requests.askExec { .probed($0, $1) }
    case (.opening(let interval), .probed(let reply, let state)):
      if reply.isLost { return lose(reply) }
      if state?.isRunning == true, (state?.pid ?? 0) > 0 { return run(&events) }
      enter(.opening(probe: min(interval * 2, EngineCommand.longestProbe)))
    case (_, .output(let count)): takeOutput(count, &events)

    // While the command runs.
    case (.running, .alarm(.pulse)): requests.askPulse()
    case (.running(let stage, let silence), .pulse(let reply, let hasEnded, let status)):
      if reply.isLost { return lose(reply) }
      if !hasEnded { return enter(.running(stage, .normal)) }
      // What the engine has told of the end, and the output, may be on their way.
      if silence == .normal { return enter(.running(stage, .missesEnd)) }
      missedEnd(status, &events)
    case (.running(.terminating, let silence), .alarm(.kill)):
      signal(.kill)
      enter(.running(.killing, silence))
    case (.running, .alarm(.gone)), (.starting, .alarm(.gone)), (.opening, .alarm(.gone)): forsake()
    case (let phase, .signalled(let reply, let before)):
      if !reply.isLost { unanswered -= 1 }
      guard case .running = phase, !reply.isSuccess else { return }
      // It had ended by itself.
      account.end.endedBy = before
      if reply.isLost { lose(reply) }

    // The end. It is told by the exit of a container, and by the end of the output of an exec.
    case (.draining, .exited), (.inspecting, .exited), (.pausing, .exited): break
    case (_, .exited(let reply, let exit)) where machine.phase.isActive: exited(reply, exit, &events)
    case (_, .outputEnded(let reply)) where machine.phase.isActive: outputEnded(reply)
    case (.draining, .alarm(.drain)):
      account.markIncomplete()
      leaveOutput()
    case (.askingStatus, .execEnded(let reply, let state)): takeStatus(reply, state, &events)
    case (.inspecting(let status, let look), .inspected(let reply, let state)):
      learn(state)
      if !reply.isLost, account.mayLackMemory(status, look: look) {
        enter(.pausing(status: status, look: look))
      } else {
        settle(status, &events)
      }
    case (.pausing(let status, let look), .alarm(.look)): inspect(status, look: look + 1, &events)
    case (_, .alarm(.rest)):
      // A host that was away has not taken what was there.
      guard fws_monotonic() - turnTime > EngineCommand.absence, !isRestExtended, reason == nil else {
        return abandonRest(&events)
      }
      isRestExtended = true
      machine.set(.rest, in: session.timeout)

    // The engine was lost.
    case (.awaitingEngine(let until), .alarm(.search)): search(until: until)
    case (.searching(let until), .found(let reply, let state)):
      if !reply.isLost {
        if kind.isOwnContainer { learn(state) }
        return remove(isLost: true)
      }
      if fws_monotonic() >= until { leave() } else { enter(.awaitingEngine(until: until)) }
    case (.searching, .alarm(.loss)), (.awaitingEngine, .alarm(.loss)): leave()

    case (.removing, .removed): enter(.over)
    case (.removing, .alarm(.removal)):
      session.giveUp()
      enter(.over)
    default: break
    }
  }

  // MARK: Timeout and cancel

  /// The timeout of the step has passed, or the step was cancelled.
  private func endBecause(_ outcome: Outcome, _ events: inout EventQueue) {
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
    // An engine that was lost has a short time of its own.
    case .searching, .awaitingEngine, .over: break
    }
  }

  private func terminate(_ silence: Silence) {
    signal(.term)
    enter(.running(.terminating, silence))
  }

  private func signal(_ signal: EndingSignal) {
    requests.signal(signal, before: account.end.endedBy)
    // The end that the signal brings may be told before the signal is answered.
    account.end.endedBy = signal
    unanswered += 1
  }

  /// Neither the start nor the end is told: to remove the container by force is the last way.
  private func forsake() {
    if account.isTold { account.markIncomplete() } else { unanswered += 1 }
    account.end.outcome = reason ?? .engineFailed
    remove()
  }

  // MARK: Before the command starts

  private func create() {
    enter(.creating)
    do throws(StepFailure) { if try !requests.create() { createExec() } } catch { fail(error) }
  }

  private func created() {
    switch kind {
    case .ownContainer(_, _, let notebook?, _):
      enter(.populating)
      requests.populate(notebook.archive)
    case .ownContainer: attach()
    case .stepContainer:
      enter(.startingContainer)
      requests.start { .containerStarted($0) }
    case .removal: break
    }
  }

  private func attach() {
    enter(.attaching(hasOutput: false, hasExit: false))
    requests.attach()
  }

  private func startIfReady(hasOutput: Bool, hasExit: Bool) {
    guard hasOutput, hasExit else { return enter(.attaching(hasOutput: hasOutput, hasExit: hasExit)) }
    enter(.starting)
    requests.start { .started($0) }
  }

  private func startedContainer(_ reply: EngineReply) {
    if reply.isSuccess {
      if case .stepContainer(let box, _) = kind { box.name = requests.container }
      return createExec()
    }
    if reply.isLost { return lose(reply) }
    fail(errorTexts.refusedStepContainer(reply))
  }

  private func createExec() {
    enter(.creatingExec)
    do throws(StepFailure) { try requests.createExec() } catch { fail(error) }
  }

  private func createdExec(_ reply: EngineReply) {
    if reply.isLost { return lose(reply) }
    // The container has ended by itself: its own program is not there, or somebody has ended it.
    if reply.status == 409 || reply.status == 404 { return examine() }
    guard requests.exec != nil else { return fail(session.endpoint.failure(reply, doing: "create the command")) }
    execBegan = fws_monotonic()
    enter(.opening(probe: EngineCommand.firstProbe))
    requests.startExec()
  }

  /// Asks why the container of the step runs no more.
  private func examine() {
    enter(.examining)
    requests.askReason()
  }

  // MARK: While the command runs

  /// The command runs.
  private func run(_ events: inout EventQueue) {
    account.tellStart(in: requests.container, &events)
    if reason == nil { enter(.running(.free, .normal)) } else { terminate(.normal) }
  }

  /// The command runs no more, and the engine does not tell of its end by itself.
  private func missedEnd(_ status: Int64?, _ events: inout EventQueue) {
    if requests.exec != nil {
      account.end.duration = fws_monotonic() - execBegan
      return enter(.draining(status: nil))
    }
    guard let status, (0...255).contains(status) else {
      return fail(StepFailure(engine: "the engine at \(session.endpoint.address) no longer has the container"))
    }
    exited(Int32(truncatingIfNeeded: status), &events)
  }

  private func takeOutput(_ count: Int, _ events: inout EventQueue) {
    requests.takeOutput(count) { bytes in
      switch machine.phase {
      case .opening:
        if account.holdsOutput(with: bytes) { run(&events) }
      case .starting:
        account.tellStart(in: requests.container, &events)
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
  }

  // MARK: The end

  private func exited(_ reply: EngineReply, _ exit: ContainerExit?, _ events: inout EventQueue) {
    if reply.isLost { return lose(reply) }
    // That the start was refused is told by its answer.
    if !account.isTold, !reply.isSuccess {
      return fail(session.endpoint.failure(reply, doing: "wait for the container"))
    }
    do throws(StepFailure) { exited(try ContainerExit.status(exit, at: session.endpoint), &events) } catch {
      fail(error)
    }
  }

  private func exited(_ status: Int32, _ events: inout EventQueue) {
    if case .starting = machine.phase { account.tellStart(in: requests.container, &events) }
    if account.isDrained { inspect(status, look: 1, &events) } else { enter(.draining(status: status)) }
  }

  private func outputEnded(_ reply: EngineReply) {
    if requests.exec == nil {
      // Podman prepares the program when it is attached to.
      if reply.status >= 300 { return fail(errorTexts.refusedStart(reply, doing: "attach to the container")) }
      if reply.isLost { return lose(reply) }
      account.isDrained = true
      if case .draining = machine.phase { leaveOutput() }
      return
    }
    if reply.isLost { return lose(reply) }
    if reply.status == 409 { return examine() }
    if reply.status >= 300 {
      return fail(errorTexts.refusedExec(reply.message) ?? session.endpoint.failure(reply, doing: "run the command"))
    }
    account.isDrained = true
    switch machine.phase {
    case .askingStatus, .inspecting, .pausing: return
    case .draining: break
    default: account.end.duration = fws_monotonic() - execBegan
    }
    leaveOutput()
  }

  /// The output has ended, or nothing more is expected of it.
  private func leaveOutput() {
    if requests.exec != nil {
      enter(.askingStatus)
      requests.askExec { .execEnded($0, $1) }
    } else if case .draining(let status?) = machine.phase {
      enter(.inspecting(status: status, look: 1))
      requests.askEnd()
    }
  }

  /// How an exec has ended.
  private func takeStatus(_ reply: EngineReply, _ state: ExecState?, _ events: inout EventQueue) {
    if reply.isLost { return lose(reply) }
    if reply.status == 404 || reply.status == 409 { return examine() }
    guard reply.isSuccess else { return fail(session.endpoint.failure(reply, doing: "report how the command ended")) }
    let code = state?.exitCode
    if !account.isTold, let failure = errorTexts.unstartedExec(account.early.bytes, code: code, pid: state?.pid ?? 0) {
      return fail(failure)
    }
    account.tellStart(in: requests.container, &events)
    guard let code, (0...255).contains(code) else { return fail(errorTexts.untoldEnd) }
    inspect(Int32(truncatingIfNeeded: code), look: 1, &events)
  }

  /// Asks for what only the engine knows, before the container goes. The answer has no part in the status.
  private func inspect(_ status: Int32, look: Int, _ events: inout EventQueue) {
    // A step's container tells only whether the memory of any of its commands ran out.
    if case .stepContainer(let box, _) = kind, box.wasOutOfMemory || !account.mayLackMemory(status, look: look) {
      return settle(status, &events)
    }
    enter(.inspecting(status: status, look: look))
    requests.askEnd()
  }

  private func learn(_ state: ContainerState?) {
    guard let state else { return }
    if case .stepContainer(let box, _) = kind { box.wasOutOfMemory = box.wasOutOfMemory || state.isOutOfMemory }
    account.learn(state, isItsOwn: kind.isOwnContainer)
  }

  /// The rest of the output does not come, or nobody waits for it any longer: the command ends with what is known.
  private func abandonRest(_ events: inout EventQueue) {
    switch machine.phase {
    case .draining(let status?):
      account.markIncomplete()
      let fault = "the engine at \(session.endpoint.address) keeps sending output after the end of the command"
      conclude(status, fault: fault, &events)
    case .inspecting(let status, _), .pausing(let status, _): settle(status, &events)
    default:
      if requests.isStreaming { account.markIncomplete() }
      guard let reason else { return fail(errorTexts.untoldEnd) }
      account.end.outcome = reason
      remove()
    }
  }

  /// All is known of the end.
  private func settle(_ status: Int32, _ events: inout EventQueue) {
    if kind.isOwnContainer, let failure = account.initFailure(errorTexts, status) { return fail(failure) }
    account.guessMemory(status)
    conclude(status, fault: nil, &events)
  }

  private func conclude(_ status: Int32, fault: String?, _ events: inout EventQueue) {
    account.conclude(status, fault: fault, reason: reason, at: session.endpoint.address, &events)
    remove()
  }

  /// The command could not be started, or the engine cannot go on.
  private func fail(_ failure: StepFailure) {
    account.fail(failure)
    remove()
  }

  // MARK: A lost engine, and the containers

  /// The engine is no longer there: it is looked for, for a moment.
  private func lose(_ reply: EngineReply) {
    account.fail(session.endpoint.failure(reply, doing: "answer"))
    machine.clear(.timeout)
    requests.dropStreams()
    session.dropCalls()
    search(until: fws_monotonic() + EngineCommand.lossTimeout)
  }

  private func search(until: Double) {
    guard requests.container != nil else { return remove(isLost: true) }
    // The engine is there, but not for this process.
    if session.link.isLost { return leave() }
    enter(.searching(until: until))
    requests.search()
  }

  private func leave() {
    if let container = requests.container {
      account.end.failure =
        "\(account.end.failure ?? ""); its container \(container) will be removed when the engine is next used"
    }
    session.giveUp()
    enter(.over)
  }

  /// Nothing more is asked of the command: containers that are no longer needed go.
  private func remove(isLost: Bool = false) {
    machine.clear(.timeout)
    requests.dropStreams()
    if account.end.outcome == .exited, account.end.exitCode == 0, !isLast {
      // Another command follows.
      if kind.isOwnContainer, let container = requests.container { session.remove(container) }
      return enter(.over)
    }
    // The containers of a command that has ended by itself are removed while the result goes its way.
    if reason == nil, !isLost, session.canRequestCleanup {
      if session.hasContainers { session.requestCleanup() }
      return enter(.over)
    }
    removeAll()
  }

  private func removeAll() {
    enter(.removing)
    requests.removeAll()
  }
}
