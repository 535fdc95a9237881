internal import CSystem
package import FWBase
package import FWModel
internal import FWOutput
package import FWSystem
internal import Glibc

/// A step that runs. It goes from one command to the next, and from one attempt to the next, whenever `advance` is
/// called. It has no lock, so its owner calls one method at a time.
package final class StepRun: Execution {
  private enum Phase {
    /// A command runs. Its launcher was given the time that is left, and a cancel stops the command.
    case running(any RunningCommand, index: Int)
    /// The attempt was ended between two commands, and the launcher has to clean up. The launcher sets a deadline for
    /// this itself, and a cancel has nothing more to end.
    case closing(any RunningCommand)
    /// The next attempt begins when the timer is over, and a cancel ends the timer at once. The timer is never set to
    /// more than the time that the workflow has left.
    case pausing(Timer)
    /// The next attempt begins when the step has got its place and its resources. The ledger wakes it then, and so does
    /// the timer at the deadline of the workflow, if there is one. A cancel wakes it at once.
    case queued(Grant, deadline: Timer?)
    case over(ExecResult)
  }

  private let step: Step
  private let worker: String
  private let type: WorkerType
  private let plan: StepPlan
  private let rundir: CText
  private let settings: RunSettings
  /// The context that gets the value of a function.
  private let context: Context?
  /// The form in which output becomes events; `nil` if nobody gets events.
  private let events: RunOptions.Events?
  /// What the step takes while it runs; `nil`: nothing.
  private let grant: Grant?
  /// The beginning of the first attempt, by both clocks.
  private var began = 0.0
  private var started = 0.0

  private var phase: Phase?
  private var launcher: (any CommandLauncher)?
  private var records: [CommandRecord] = []
  private var attempts: [Attempt] = []
  private var attemptBegan = 0.0
  private var isCancelled = false
  /// The outputs of the step in a workflow. Files that a failed attempt has left do not count as outputs of the next
  /// one.
  private let outputs: (any AttemptOutputs)?
  /// Whether the next attempt has been put off until a change of the outputs can be seen.
  private var isSettling = false
  /// The value that the last command gave, secrets included. The result has it without secrets.
  private var value: JSONValue?
  private var object: HostObject?
  private var queue = EventQueue()
  private var readiness = ReadinessFD()
  /// The standard input of the command that runs; `nil`: it is empty.
  private var input: CommandInput?
  /// Whether the host has written bytes that a command has got.
  private var isInputTaken = false
  private var isInputClosed = false
  /// Whether the step is part of a workflow.
  private let isPart: Bool
  /// Whether the host waits for room for its input at the descriptor.
  private var isAwaitingRoom = false

  package init(
    _ step: Step, worker: String, _ type: WorkerType, _ plan: consuming StepPlan, rundir: CText, _ context: Context?,
    events: RunOptions.Events?, position: EventQueue.Position? = nil, outputs: (any AttemptOutputs)? = nil,
    _ grant: Grant? = nil
  ) {
    self.step = step
    self.worker = worker
    self.type = type
    settings = plan.settings
    self.plan = plan
    self.rundir = rundir
    self.context = context
    self.events = events
    self.outputs = outputs
    self.grant = grant
    queue.isListening = events != nil
    isPart = position != nil
    if let position { queue.position = position }
    queue.secrets = settings.secrets
    begin()
  }

  // MARK: What callers see

  package var result: ExecResult? {
    if case .over(let result) = phase { return result }
    return nil
  }

  /// The value that a successful step has given, secrets included; `nil` if it gave none.
  package var given: (value: JSONValue, object: HostObject?)? {
    guard let result, result.returncode == 0, let value else { return nil }
    return (value, object)
  }

  package var stepResult: StepResult? {
    if case .step(let step) = result?.content { return step }
    return nil
  }

  package var waiting: Waiting {
    switch phase {
    case .running(let command, _), .closing(let command): return command.waiting
    case .pausing(let pause): return Waiting(channel: pause.fd)
    case .queued(let grant, let deadline): return Waiting(channel: grant.fd, stdout: deadline?.fd ?? -1)
    case .over, nil: return Waiting()
    }
  }

  package func takeEvent() -> Event? {
    let event = queue.take()
    showReadiness()
    return event
  }

  package func discardEvents() {
    queue.removeAll()
    showReadiness()
  }

  package var hasEvents: Bool { !queue.isEmpty }

  package func descriptor() -> Int32 {
    if readiness.epoll < 0 {
      guard readiness.open() else { return -1 }
      readiness.watch(waiting)
    }
    showReadiness()
    return readiness.works ? readiness.epoll : -1
  }

  /// Lets a ring watch whatever the step of a workflow waits for, from now to its end, instead of a descriptor of its
  /// own.
  package func join(_ ring: Ring, as token: Int) {
    readiness.join(ring, as: token)
    readiness.watch(waiting)
    showReadiness()
  }

  /// Whether the step has something to wait for that the ring cannot watch, so it has to be advanced again and again.
  package var isMute: Bool { readiness.lacksFlag }

  /// Makes the host's descriptor readable if there are events to take, or room for the input that the host waits with.
  private func showReadiness() {
    // The workflow of a step takes the events at once, and its steps have no input of the host.
    if isPart { return readiness.raise(isInBlindQueue) }
    let command = command
    readiness.watch(room: isAwaitingRoom ? command?.room : nil)
    readiness.raise(
      !queue.isEmpty || isInBlindQueue
        || isAwaitingRoom && (command == nil ? result != nil : command?.hasRoom == true))
  }

  private var command: (any RunningCommand)? {
    if case .running(let command, _) = phase { return command }
    return nil
  }

  package func cancel() {
    if isCancelled { return }
    isCancelled = true
    switch phase {
    case .running(let command, _): command.stop()
    case .pausing(let pause): pause.stop()
    case .queued(let grant, _): grant.wake()
    case .closing, .over, nil: break
    }
  }

  /// - Parameter isListening: whether somebody takes the events.
  package func advance(_ ready: Waiting.Ready, isListening: Bool) {
    queue.isListening = isListening && events != nil
    switch phase {
    case .running(let command, let index):
      if let end = command.advance(ready, &readiness, &queue) { finishCommand(index, end) }
    case .closing(let command):
      if command.advance(ready, &readiness, &queue) != nil { finishAttempt() }
    case .pausing(let pause):
      if ready.channel, pause.isOver {
        if !isCancelled, let seconds = settle() { return pause.set(seconds) }
        readiness.forget(pause.fd)
        if isCancelled { finish(attempts.removeLast().cancelled) } else { begin() }
      }
    case .queued(let grant, let deadline):
      if ready.isAny { leaveQueue(grant, deadline) }
    case .over, nil: break
    }
    showReadiness()
  }

  // MARK: Standard input and signals

  private func requireHostInput() throws(FlowError) {
    guard plan.input?.isHost != true else { return }
    throw FlowError(
      .invalid,
      "the step takes no input from the host: set \"stdin\": \"host\" in the step or in the options of the run")
  }

  package func write(_ bytes: UnsafeRawBufferPointer) throws(FlowError) -> Int {
    try requireHostInput()
    if isInputClosed { throw FlowError(.ended, "the standard input was closed before") }
    switch phase {
    case .running(let command, _):
      switch command.write(bytes) {
      case .ended(let why): throw FlowError(.ended, why)
      case .taken(let count):
        if count > 0 { isInputTaken = true }
        return count
      }
    case .pausing, .queued, .closing, nil: return 0
    case .over: throw FlowError(.ended, "the step is over, and nobody reads its standard input")
    }
  }

  package func closeInput() throws(FlowError) {
    try requireHostInput()
    isInputClosed = true
    // The pipe stays open as long as it is watched.
    isAwaitingRoom = false
    showReadiness()
    command?.closeInput()
  }

  package var room: Descriptor? { command?.room }

  package func awaitRoom(_ isWanted: Bool) {
    isAwaitingRoom = isWanted
    showReadiness()
  }

  package func signal(_ number: Int32, _ target: SignalTarget) throws(FlowError) {
    guard let command, command.isRunning else { throw FlowError(.ended, "no command of the step is running") }
    if let failure = command.signal(number, target) { throw FlowError(.unsupported, failure.reason) }
  }

  // MARK: Attempts and commands

  /// Records what the last attempt has left, and gives the seconds to wait before the next one (see
  /// `AttemptOutputs.unsettled`).
  private func settle() -> Double? {
    guard let outputs else { return nil }
    if !isSettling { outputs.beginAgain() }
    let seconds = outputs.unsettled
    isSettling = seconds != nil
    return seconds
  }

  /// The text of a command without secrets.
  private func text(_ index: Int) -> String { settings.secrets.masked(plan.commands.text(index)) }

  /// Begins the next attempt as soon as the step has what it takes.
  private func begin() {
    if let grant, !grant.take() {
      let deadline = settings.deadline.flatMap { try? Timer($0.left) }
      phase = .queued(grant, deadline: deadline)
      readiness.watch(waiting)
    } else {
      beginAttempt()
    }
  }

  /// Whether the step is in the queue, and the system has no descriptor that could wake it.
  private var isInBlindQueue: Bool {
    if case .queued(let grant, _) = phase { return grant.fd < 0 }
    return false
  }

  private func leaveQueue(_ grant: Grant, _ deadline: Timer?) {
    // The descriptors must be forgotten before they are closed.
    readiness.forget(grant.fd)
    if let deadline { readiness.forget(deadline.fd) }
    if isCancelled {
      if attempts.isEmpty { finishInQueue() } else { finish(attempts.removeLast().cancelled) }
    } else if grant.take() || settings.deadline?.hasPassed == true {
      // An attempt that begins after the deadline runs nothing.
      beginAttempt()
    } else {
      readiness.watch(waiting)
    }
  }

  /// Ends a step that was cancelled before its first attempt.
  private func finishInQueue() {
    (began, started) = (fws_monotonic(), fws_wall())
    var end = CommandEnd(outcome: .cancelled, started: started)
    end.explanation = "was cancelled before it started, while it waited for its worker or for resources"
    finish(
      Attempt(
        step: step, commands: [CommandRecord(index: nil, command: "", end)], total: plan.commands.count,
        limit: settings.limit, engine: nil, on: type, path: plan.path, settings.secrets))
  }

  private func beginAttempt() {
    if attempts.isEmpty {
      (began, started) = (fws_monotonic(), fws_wall())
      queue.stepStarted(step, worker: worker, type)
    }
    records = []
    attemptBegan = fws_monotonic()
    queue.begin(attempt: attempts.count + 1)
    guard plan.commands.count > 0 else { return finishAttempt() }
    do {
      var settings = settings
      if let grant { settings.environment = settings.environment.overridden(by: grant.environment) }
      launcher = try plan.launcher(settings)
    } catch {
      let end = CommandEnd(failure: error, started: fws_wall()).masked(by: settings.secrets, of: step)
      records = [CommandRecord(index: nil, command: "", end)]
      return finishAttempt()
    }
    startCommand(0)
  }

  private func startCommand(_ index: Int) {
    let left = settings.left(began: attemptBegan, waited: launcher?.waited ?? 0)
    if isCancelled { return stop(.cancelled, before: index) }
    if let left, left <= 0 { return stop(.timeout, before: index) }
    guard let launcher else { return }
    queue.begin(command: index, text: text(index))
    do {
      input = try makeInput()
      let command = try launcher.start(
        plan.commands[index], input: input, isLast: index + 1 == plan.commands.count, timeout: left, events: events)
      if isInputClosed { command.closeInput() }
      if index + 1 < plan.commands.count { launcher.announce(plan.commands[index + 1]) }
      phase = .running(command, index: index)
      if let begun = command.begun { queue.commandStarted(at: begun) }
      readiness.watch(command.waiting)
    } catch {
      finishCommand(index, CommandEnd(failure: error, started: fws_wall()))
    }
  }

  /// Makes the standard input of a command.
  private func makeInput() throws(StepFailure) -> CommandInput? {
    switch plan.input {
    case nil: return nil
    case .host: return CommandInput()
    case .file(let key): return try CommandInput(key, in: rundir)
    case .bytes(let bytes):
      return try bytes.read { (bytes) throws(StepFailure) in try CommandInput(bytes) }
    }
  }

  /// Ends the attempt between two commands.
  private func stop(_ outcome: Outcome, before index: Int) {
    let position = "before command \(index + 1) of \(plan.commands.count)"
    let end = CommandEnd(outcome: outcome, started: fws_wall())
    records.append(CommandRecord(index: nil, command: text(index), end, position: position))
    guard let closing = launcher?.close() else { return finishAttempt() }
    phase = .closing(closing)
    readiness.watch(closing.waiting)
  }

  private func finishCommand(_ index: Int, _ end: CommandEnd) {
    value = end.value
    object = end.object
    var end = end
    end.refuseUnread(settings.isSuccess)
    if let change = input?.change { end.notes.append(change) }
    input = nil
    end = end.masked(by: settings.secrets, of: step)
    let record = CommandRecord(
      index: index, command: text(index), end, codes: settings.commands.successCodes)
    records.append(record)
    queue.commandEnded(record)
    if record.returncode == 0, index + 1 < plan.commands.count {
      startCommand(index + 1)
    } else {
      finishAttempt()
    }
  }

  private func finishAttempt() {
    var attempt = Attempt(
      step: step, commands: records, total: plan.commands.count, limit: settings.limit,
      engine: launcher?.engine?.masked(by: settings.secrets), on: type, path: plan.path, settings.secrets)
    launcher = nil
    let exitCode = attempt.commands.last?.end.exitCode ?? attempt.returncode
    if let policy = settings.retries, attempts.count < policy.limit, attempt.returncode != 0, !isCancelled,
      settings.deadline?.hasPassed != true, policy.covers(attempt.outcome, exitCode: exitCode)
    {
      if isInputTaken {
        attempt.noteNoRetry(StepFailure("the host's input was read already, and cannot be read again"))
        return finish(attempt)
      }
      let delay = min(policy.delay(after: attempts.count + 1), settings.deadline?.left ?? .infinity)
      do throws(StepFailure) {
        let pause = try Timer(delay)
        attempt.delay = delay
        attempts.append(attempt)
        queue.retry(attempt, delay: delay)
        grant?.release()
        phase = .pausing(pause)
        readiness.watch(Waiting(channel: pause.fd))
        return
      } catch { attempt.noteNoRetry(error) }
    }
    finish(attempt)
  }

  private func finish(_ attempt: Attempt) {
    if attempt.returncode == 0, let value, let argument = step.code.argument {
      context?.set(argument, value, object: object)
    }
    var result = StepResult(
      step: step, worker: worker, type, rundir: settings.secrets.masked(rundir.string), attempts: attempts,
      last: attempt, started: started, duration: fws_monotonic() - began)
    for note in plan.commands.notes { result = result.noted(note) }
    phase = .over(ExecResult(result))
    queue.stepEnded(result)
    // What follows begins after the time of the event.
    grant?.release()
  }
}
