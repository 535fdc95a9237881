internal import CSystem
internal import FWBase
package import FWModel
internal import FWSystem
internal import Glibc

/// How far a step is. It goes from one command to the next, and from one attempt to the next, whenever
/// somebody lets it advance; it never waits itself. Whoever has it does one thing at a time with it.
package struct StepRun: ~Copyable {
  private enum Phase {
    case running(any RunningCommand, index: Int)
    /// Ended between two commands, with what the launcher has still to do.
    case closing(any RunningCommand)
    /// Between two attempts.
    case pausing(Pause)
    case over(StepResult)
  }

  private let step: Step
  private let worker: String
  private let type: WorkerType
  private let plan: StepPlan
  private let settings: RunSettings
  /// What gets the value of a function.
  private let context: Context?
  /// What output is told as; `nil` where there are no events at all.
  private let events: RunOptions.Events?
  private let began = fws_monotonic()
  private let started = fws_wall()

  private var phase: Phase?
  private var launcher: (any CommandLauncher)?
  private var records: [CommandRecord] = []
  private var attempts: [Attempt] = []
  private var attemptBegan = 0.0
  private var isCancelled = false
  /// In a workflow: what a failed attempt leaves is no output of the next one.
  private let outputs: (any AttemptOutputs)?
  /// The next attempt begins when a change of the outputs can be seen.
  private var isSettling = false
  /// What the last command gave; the result has it without secrets.
  private var value: JSONValue?
  private var object: HostObject?
  private var queue = EventQueue()
  private(set) var readiness = ReadinessFD()

  package init(
    _ step: Step, worker: String, _ type: WorkerType, _ plan: consuming StepPlan, _ settings: RunSettings, _ context: Context?,
    events: RunOptions.Events?, position: EventQueue.Position = EventQueue.Position(),
    outputs: (any AttemptOutputs)? = nil
  ) {
    self.step = step
    self.worker = worker
    self.type = type
    self.plan = plan
    self.context = context
    self.settings = settings
    self.events = events
    self.outputs = outputs
    queue.isListening = events != nil
    queue.position = position
    queue.secrets = settings.secrets
    queue.stepStarted(step, worker: worker, type)
    beginAttempt()
  }

  // MARK: What callers see

  /// Where the events behind those of this step have their place.
  var position: EventQueue.Position { queue.position }

  var result: StepResult? {
    if case .over(let result) = phase { return result }
    return nil
  }

  var waiting: Waiting {
    switch phase {
    case .running(let command, _), .closing(let command): return command.waiting
    case .pausing(let pause): return Waiting(channel: pause.fd)
    case .over, nil: return Waiting()
    }
  }

  mutating func takeEvent() -> Event? {
    let event = queue.take()
    readiness.raise(!queue.isEmpty)
    return event
  }

  /// Forgets the events that nobody has taken.
  mutating func discardEvents() {
    queue.removeAll()
    readiness.raise(false)
  }

  /// The descriptor to wait with; -1 if there is none to be had.
  mutating func descriptor() -> Int32 {
    if readiness.epoll >= 0 { return readiness.epoll }
    guard readiness.open() else { return -1 }
    readiness.watch(waiting)
    readiness.raise(!queue.isEmpty)
    return readiness.works ? readiness.epoll : -1
  }

  mutating func cancel() {
    if isCancelled { return }
    isCancelled = true
    switch phase {
    case .running(let command, _): command.stop()
    case .pausing(let pause): pause.stop()
    case .closing, .over, nil: break
    }
  }

  /// Does what can be done now.
  ///
  /// - Parameter isListening: whether somebody takes the events.
  mutating func advance(_ ready: Waiting.Ready, isListening: Bool) {
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
        if isCancelled { finish(attempts.removeLast().cancelled) } else { beginAttempt() }
      }
    case .over, nil: break
    }
    readiness.raise(!queue.isEmpty)
  }

  // MARK: Attempts and commands

  /// Looks at what the last attempt has left. Seconds to wait: see `AttemptOutputs.unsettled`.
  private mutating func settle() -> Double? {
    guard let outputs else { return nil }
    if !isSettling { outputs.beginAgain() }
    let seconds = outputs.unsettled
    isSettling = seconds != nil
    return seconds
  }

  /// A command, as it may be told.
  private func text(_ index: Int) -> String { settings.secrets.masked(plan.commands.text(index)) }

  private mutating func beginAttempt() {
    records = []
    attemptBegan = fws_monotonic()
    queue.begin(attempt: attempts.count + 1)
    guard plan.commands.count > 0 else { return finishAttempt() }
    do {
      launcher = try plan.launcher(settings)
    } catch {
      let end = CommandEnd(failure: error, started: fws_wall()).masked(by: settings.secrets, of: step)
      records = [CommandRecord(index: nil, command: "", end)]
      return finishAttempt()
    }
    startCommand(0)
  }

  private mutating func startCommand(_ index: Int) {
    let left = settings.left(began: attemptBegan, waited: launcher?.waited ?? 0)
    if isCancelled { return stop(.cancelled, before: index) }
    if let left, left <= 0 { return stop(.timeout, before: index) }
    guard let launcher else { return }
    queue.begin(command: index, text: text(index))
    do {
      let command = try launcher.start(
        plan.commands[index], isLast: index + 1 == plan.commands.count, timeout: left, events: events)
      if index + 1 < plan.commands.count { launcher.announce(plan.commands[index + 1]) }
      phase = .running(command, index: index)
      if let begun = command.begun { queue.commandStarted(at: begun) }
      readiness.watch(command.waiting)
    } catch {
      finishCommand(index, CommandEnd(failure: error, started: fws_wall()))
    }
  }

  /// Ends the attempt between two commands.
  private mutating func stop(_ outcome: Outcome, before index: Int) {
    let position = "before command \(index + 1) of \(plan.commands.count)"
    let end = CommandEnd(outcome: outcome, started: fws_wall())
    records.append(CommandRecord(index: nil, command: text(index), end, position: position))
    guard let closing = launcher?.close() else { return finishAttempt() }
    phase = .closing(closing)
    readiness.watch(closing.waiting)
  }

  private mutating func finishCommand(_ index: Int, _ end: CommandEnd) {
    value = end.value
    object = end.object
    let end = end.masked(by: settings.secrets, of: step)
    let record = CommandRecord(index: index, command: text(index), end)
    records.append(record)
    queue.commandEnded(record)
    if record.returncode == 0, index + 1 < plan.commands.count {
      startCommand(index + 1)
    } else {
      finishAttempt()
    }
  }

  private mutating func finishAttempt() {
    var attempt = Attempt(
      step: step, commands: records, total: plan.commands.count, limit: settings.limit, engine: launcher?.engine?.masked(by: settings.secrets),
      on: type, path: plan.path, settings.secrets)
    launcher = nil
    if let policy = settings.retries, attempts.count < policy.limit, attempt.returncode != 0, !isCancelled, settings.deadline?.hasPassed != true,
      policy.covers(attempt.outcome, exitCode: attempt.returncode)
    {
      let delay = min(policy.delay(after: attempts.count + 1), settings.deadline?.left ?? .infinity)
      if let pause = try? Pause(delay) {
        attempt.delay = delay
        attempts.append(attempt)
        queue.retry(attempt, delay: delay)
        phase = .pausing(pause)
        readiness.watch(Waiting(channel: pause.fd))
        return
      }
    }
    finish(attempt)
  }

  private mutating func finish(_ attempt: Attempt) {
    if attempt.returncode == 0, let value, let argument = step.code.argument {
      context?.set(argument, value, object: object)
    }
    let result = StepResult(
      step: step, worker: worker, type, attempts: attempts, last: attempt, started: started, duration: fws_monotonic() - began)
    phase = .over(result)
    queue.stepEnded(result)
  }
}
