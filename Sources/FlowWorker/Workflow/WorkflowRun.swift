internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWOutput
internal import FWSystem
internal import FWVolumes
internal import CSystem

/// A workflow while it runs: one step after the other, each with its files before and behind it, until one fails.
///
/// The run is a state machine that advances whenever somebody lets it; it never waits itself. Three places tell all of
/// it: `Phase` says what can go on, `Phase.wait` says what wakes each phase, and `follow` says what comes after what.
final class WorkflowRun: Execution {
  // What the run is given.
  private let resolved: Workflow.Resolved
  /// The pool keeps the workers alive.
  private let pool: Pool
  private let workers: [Unmanaged<Worker>]
  private let volumes: Volumes
  private let events: RunOptions.Events
  /// The settings of each step, with what is secret in the run.
  private var settings: RunSettings
  /// What commands see, and what the host gets of it.
  private let context: Context
  private let hostContext: Context?
  private let began = fws_monotonic()
  private let started = fws_wall()

  // How far it is.
  /// What goes on. A run has one step at a time, so this is one phase until the run is over.
  private var phases: [Phase] = []
  /// The number of the step that begins next.
  private var index = 0
  /// Where the latest version of each file is.
  private var files = FileIndex()
  private var undeclared = UndeclaredOutputs()
  private var isCancelled = false
  /// It is over at the deadline, and whenever something else has to be looked at.
  private let timer: Timer?
  private var state: RunState?

  // What it tells.
  private var reports: [Report] = []
  /// How many of the steps a run before had ended.
  private var restored = 0
  private var copies: [RunResult.Copy] = []
  private(set) var report: Report?
  private var queue = EventQueue()
  private var readiness = ReadinessFD()
  /// The descriptors that the readiness watches.
  private var watched: [Int32] = []

  /// - Parameter isListening: whether the host may take events.
  init(
    _ workflow: Workflow, _ pool: Pool, _ arguments: Context?, basedir: String?, _ options: WorkflowOptions,
    isListening: Bool
  ) throws(FlowError) {
    events = options.events
    self.pool = pool
    hostContext = arguments
    let empty = try Context(nil)
    let given = (arguments ?? empty).snapshot
    volumes = try Volumes(options.volumes ?? pool.volumes, basedir: basedir)
    do throws(FlowError) {
      resolved = try workflow.resolved(given)
      context = try Context(ContextValues(resolved.values, given.function))
      workers = try resolved.workers(of: pool, volumes)
    } catch {
      throw try Secrets(workflow.secretNames(pool), envs: [], [given]).masked(error)
    }
    for location in volumes.locations {
      // What the host's own directory has is looked for when it is needed.
      for key in volumes.spec(location)?.files ?? [] { files.add(key, in: location) }
    }
    var settings = options.settings
    if let seconds = options.deadline { settings.deadline = RunDeadline(in: seconds) }
    var timerFailure: StepFailure?
    do throws(StepFailure) { timer = try Timer(options.deadline ?? Timer.never) } catch {
      timer = nil
      timerFailure = error
    }
    settings.secrets = try Secrets(
      resolved.secretNames(workers), envs: resolved.environments(workers), [given, context.snapshot])
    self.settings = settings
    do throws(FlowError) { try resolved.check(workers, context.snapshot, settings.secrets) } catch {
      throw settings.secrets.masked(error)
    }
    queue.isListening = isListening
    state = try options.state.map { (path) throws(FlowError) in try RunState(path) }
    resume()
    publish()
    tell(.runStarted(steps: resolved.steps.map(\.cName.string)))
    for (at, report) in reports.enumerated() {
      if case .step(let result) = report.content { tell(.stepRestored(result), step: at) }
    }
    if case .phase(let first) = timerFailure.map({ finish($0) }) ?? begin() { phases = [first] }
    proceed(nil)
  }

  // MARK: What callers see

  var waiting: Waiting {
    // A poll takes three descriptors, as many as one phase needs. Whoever waits for more needs an epoll, as
    // `descriptor` is.
    guard let phase = phases.first else { return Waiting() }
    switch phase.wait {
    case .transfers(let transfers):
      var waiting = transfers.waiting
      waiting.stdout = timer?.fd ?? -1
      return waiting
    case .step(let run): return run.waiting
    case .turn: return Waiting(stdout: timer?.fd ?? -1)
    }
  }

  func descriptor() -> Int32 {
    if readiness.epoll >= 0 { return readiness.epoll }
    guard readiness.open() else { return -1 }
    watch()
    readiness.raise(!queue.isEmpty)
    return readiness.works ? readiness.epoll : -1
  }

  func takeEvent() -> Event? {
    if let event = queue.take() {
      readiness.raise(!queue.isEmpty)
      return event
    }
    for phase in phases {
      if case .step(let run) = phase.wait, let event = run.takeEvent() { return event }
    }
    return nil
  }

  func discardEvents() {
    queue.removeAll()
    for phase in phases {
      if case .step(let run) = phase.wait { run.discardEvents() }
    }
    readiness.raise(false)
  }

  func cancel() {
    if isCancelled { return }
    isCancelled = true
    for phase in phases {
      switch phase.wait {
      case .step(let run): run.cancel()
      case .transfers, .turn: timer?.stop()
      }
    }
  }

  func advance(_ ready: Waiting.Ready, isListening: Bool) {
    queue.isListening = isListening
    proceed(ready)
  }

  private func tell(_ content: Event.Content, step: Int = -1) { queue.tell(content, step: step) }

  // MARK: The machine

  /// - Parameter ready: what can be read of what `waiting` has; `nil`: nobody has looked yet.
  private func proceed(_ ready: Waiting.Ready?) {
    var isChanged = false
    phases = phases.compactMap { drive($0, ready, &isChanged) }
    if isChanged { watch() }
    readiness.raise(!queue.isEmpty)
  }

  /// Goes from one phase to the next until one has to wait; `nil`: the run is over.
  private func drive(_ first: Phase, _ ready: Waiting.Ready?, _ isChanged: inout Bool) -> Phase? {
    var phase = first
    var ready = ready
    while true {
      switch follow(phase, ready) {
      case .wait:
        // The descriptor of transfers changes from file to file; that of a step stays.
        if case .transfers = phase.wait { isChanged = true }
        return phase
      case .phase(let next): phase = next
      case .end:
        isChanged = true
        return nil
      }
      // What is ready was waited for by the phase that is over.
      (ready, isChanged) = (nil, true)
    }
  }

  /// Does what can be done in a phase now, and says what follows.
  private func follow(_ phase: Phase, _ ready: Waiting.Ready?) -> Next {
    switch phase {
    case .inputs(let transfers):
      guard let end = advance(transfers, for: -1) else { return .wait }
      if let failure = end { return finish(failure) }
      if !undeclared.watches.isEmpty {
        state?.attempt { (state) throws(StepFailure) in try state.record(undeclared.watches) }
      }
      return nextStep()
    case .fetch(let task, let transfers):
      guard let end = advance(transfers, for: task.index) else { return .wait }
      if let failure = end { return refuse(task.step, task.worker, failure) }
      return launch(task)
    case .run(let task, let run):
      guard let ready else { return .wait }
      run.advance(ready, isListening: queue.isListening)
      return take(task, run)
    case .skip(let task, let run):
      guard ready != nil else { return .wait }
      timer?.set(settings.deadline?.left ?? Timer.never)
      return take(task, run)
    case .store(let task, let result, let transfers):
      guard let end = advance(transfers, for: task.index) else { return .wait }
      if let failure = end { return fail(task, result, failure) }
      return complete(task, result)
    case .outputs(let transfers):
      guard let end = advance(transfers, for: -1) else { return .wait }
      guard let failure = end, failure.outcome == .inputMissing else { return finish(end) }
      // The transfers say "input" of whatever they are to bring.
      let reason = failure.reason.without(prefix: "its input").map { "its output" + $0 }
      return finish(StepFailure(.outputMissing, reason ?? failure.reason))
    }
  }

  /// Lets transfers go on. Gives their end, once: `nil` inside is success.
  ///
  /// - Parameter step: the number of the step that they are for; -1: they are for the workflow.
  private func advance(_ transfers: Transfers, for step: Int) -> StepFailure?? {
    if let interruption {
      transfers.drop()
      return .some(interruption)
    }
    let end = transfers.advance()
    for file in transfers.takeCopied().map({ $0.masked(by: secrets) }) {
      copies.append(RunResult.Copy(step: step, file: file, ended: fws_wall()))
      tell(.fileCopied(file), step: step)
    }
    if end != nil { files = transfers.index }
    return end
  }

  /// Why nothing more begins, if so.
  private var interruption: StepFailure? {
    if isCancelled { return StepFailure(.cancelled, "it was cancelled") }
    if settings.deadline?.hasPassed == true { return StepFailure(.timeout, "\(settings.limit) had passed") }
    return nil
  }

  /// Lets the one descriptor stand for what is waited for now.
  private func watch() {
    guard readiness.epoll >= 0 else { return }
    for fd in watched { readiness.forget(fd) }
    watched = []
    for phase in phases {
      if case .step(let run) = phase.wait {
        let fd = run.descriptor()
        // The system may have no descriptor left: then the host looks again and again.
        if fd < 0 { timer?.stop() }
        watched.append(fd >= 0 ? fd : timer?.fd ?? -1)
      } else {
        let waiting = waiting
        watched += [waiting.channel, waiting.stdout]
      }
    }
    watched = watched.filter { $0 >= 0 }
    for fd in watched { readiness.watch(Waiting(channel: fd)) }
  }

  // MARK: The beginning and the end

  private func begin() -> Next {
    do throws(StepFailure) {
      undeclared = try UndeclaredOutputs(of: resolved, workers, volumes)
      guard restored == 0 else {
        // The beginning of the run was in another process. Where nothing is known of it, what is there counts.
        if !undeclared.watches.isEmpty {
          undeclared.resume(state?.attempt { (state) throws(StepFailure) in try state.beginning() } ?? [])
        }
        return nextStep()
      }
      guard !resolved.files.inputs.isEmpty || !undeclared.watches.isEmpty else { return nextStep() }
      let transfers = Transfers(volumes, files)
      transfers.prepare(
        try volumes.volume(of: Volumes.main), inputs: resolved.files.inputs, undeclared.watches)
      return .phase(.inputs(transfers))
    } catch { return finish(error) }
  }

  /// All steps have succeeded. The run directory has the outputs of the workflow in the end, wherever they were made.
  private func collect() -> Next {
    guard !resolved.files.outputs.isEmpty else { return finish(nil) }
    do throws(StepFailure) {
      try undeclared.find(besides: resolved.steps, &files)
      let transfers = Transfers(volumes, files)
      transfers.prepare(try volumes.volume(of: Volumes.main), inputs: resolved.files.outputs, [])
      return .phase(.outputs(transfers))
    } catch { return finish(error) }
  }

  /// - Parameter failure: what kept the run from going on, if that is nothing of a step.
  private func finish(_ failure: StepFailure?) -> Next {
    let values = context.snapshot.without(secrets.names).flatMap { secrets.masked($0) }
    let result = RunResult(
      steps: reports, total: resolved.steps.count, restored: restored, failure: failure.map { secrets.masked($0) },
      started: started, duration: fws_monotonic() - began, context: values, copies: copies,
      unkept: state?.failure.map { secrets.masked($0) })
    // Another run may have the state directory as soon as this one is over.
    state = nil
    tell(.runEnded(result))
    report = Report(result)
    return .end
  }

  // MARK: Steps

  private func nextStep() -> Next {
    guard let (step, worker) = item(index) else { return collect() }
    do throws(StepFailure) {
      if let interruption { throw interruption }
      let volume = try volumes.volume(of: worker.location)
      let outputs = OutputWatch(step.files.outputs, in: volume, isKept: step.files.isKept)
      let transfers = Transfers(volumes, files)
      transfers.prepare(volume, inputs: step.files.inputs, [outputs])
      return .phase(
        .fetch(StepTask(index: index, step: step, worker: worker, volume: volume, outputs: outputs), transfers))
    } catch { return refuse(step, worker, error) }
  }

  private func item(_ index: Int) -> (Step, Worker)? {
    guard index < resolved.steps.count, index < workers.count else { return nil }
    return (resolved.steps[index], workers[index].takeUnretainedValue())
  }

  private func launch(_ fetched: StepTask) -> Next {
    var task = fetched
    var position = queue.position
    position.step = Int32(clamping: task.index)
    do throws(FlowError) {
      let values = context.snapshot
      let path = try CText(task.volume.path)
      let plan = try task.worker.prepare(task.step, values, path, settings)
      if state != nil { task.plan = WorkflowRun.document(plan, task, values, path) }
      let run = StepRun(
        task.step, worker: task.worker.cName.string, task.worker.type, plan, context,
        events: queue.isListening ? events : nil, position: position,
        outputs: task.outputs)
      guard run.report != nil else { return .phase(.run(task, run)) }
      timer?.stop()
      return .phase(.skip(task, run))
    } catch {
      let reason = error.message.without(prefix: "step \(task.step.shownName): ").map(String.init)
      return refuse(task.step, task.worker, StepFailure(reason ?? error.message))
    }
  }

  private static func document(
    _ plan: borrowing StepPlan, _ task: StepTask, _ values: ContextValues, _ path: CText
  ) -> (JSONValue, ContextValues)? {
    guard let text = try? task.worker.describe(plan, task.step, values, path),
      let document = try? JSONText.parse(text.bytes)
    else { return nil }
    return (document, values)
  }

  /// Takes what a step has given, if it is over.
  private func take(_ task: StepTask, _ run: StepRun) -> Next {
    guard let result = run.result else { return .wait }
    // The events of the step come before those of what follows.
    while let event = run.takeEvent() { queue.append(event) }
    queue.position = run.position
    if let argument = task.step.code.argument {
      publish(argument)
      if secrets.contains(argument) { learnSecret() }
    }
    guard result.returncode == 0 else {
      keep(result)
      return finish(nil)
    }
    do throws(StepFailure) {
      if let failure = try task.outputs.missing() { throw failure }
      let made = try task.outputs.made()
      for key in made { files.record(key, in: [task.volume.location]) }
      guard task.volume.location != task.worker.location, !made.isEmpty else { return complete(task, result) }
      let transfers = Transfers(volumes, files)
      transfers.deliver(made, from: task.volume, to: task.worker.location)
      return .phase(.store(task, result, transfers))
    } catch { return fail(task, result, error) }
  }

  private func complete(_ task: StepTask, _ result: StepResult) -> Next {
    keep(state?.remember(result, of: task, context.snapshot, files, volumes, secrets) ?? result)
    index += 1
    return nextStep()
  }

  /// The commands of a step have succeeded, and its files have not.
  private func fail(_ task: StepTask, _ result: StepResult, _ failure: StepFailure) -> Next {
    keep(result.failed(by: secrets.masked(failure), of: task.step))
    return finish(nil)
  }

  /// A step could not be started.
  private func refuse(_ step: Step, _ worker: Worker, _ failure: StepFailure) -> Next {
    var end = CommandEnd(failure: failure, started: fws_wall()).masked(by: secrets, of: step)
    if failure.outcome == .cancelled || failure.outcome == .timeout {
      end.explanation = "was not started because \(failure.reason)"
    }
    keep(
      StepResult(
        step: step, worker: worker.cName.string, worker.type, end: end, limit: settings.limit, started: end.started,
        duration: 0))
    return finish(nil)
  }

  private func keep(_ result: StepResult) { reports.append(Report(result, isLent: true)) }

  // MARK: Values

  /// What is secret in the whole run.
  private var secrets: Secrets { settings.secrets }

  /// A step has given a value that another one calls secret.
  private func learnSecret() {
    // Without memory for it the step's value stays unknown to the mask, and there will be no memory for the next step.
    guard let learnt = try? Secrets(secrets.names, envs: [], [context.snapshot], before: secrets) else { return }
    settings.secrets = learnt
  }

  /// Lets the host see all values, of which there may be many: at the beginning.
  private func publish() {
    guard let hostContext else { return }
    context.snapshot.object.read { object in
      object.forEachMember { key, value in
        if let kept = JSONValue(keeping: value) { hostContext.set(key.string, kept) }
      }
    }
  }

  /// Lets the host see the value that a step has given.
  private func publish(_ name: String) {
    let values = context.snapshot
    if let value = values[name].flatMap({ JSONValue(keeping: $0) }) {
      hostContext?.set(name, value, object: values.objects[Name(name)])
    }
  }

  // MARK: The state directory

  /// Takes over the steps that a run before has ended, as long as all is as it was.
  private func resume() {
    guard let state else { return }
    volumes.keepCopies(at: state.copies)
    while let (step, worker) = item(index),
      let record = state.attempt({ [index] (state) throws(StepFailure) in try state.read(index) })
    {
      guard let volume = try? volumes.volume(of: worker.location), let path = try? CText(volume.path),
        let text = try? worker.plan(step, context.snapshot, path, settings),
        let plan = try? JSONText.parse(text.bytes),
        let signature = Signature(step, plan: plan, context.snapshot, volumes, record.files, volume, secrets),
        signature.isSame(as: record.signature),
        let result = record.result.read({ StepResult($0, of: step, by: worker) })
      else { break }
      files = record.files
      if let argument = step.code.argument, let value = record.value { context.set(argument, value) }
      keep(result)
      index += 1
    }
    restored = index
    state.attempt { [index] (state) throws(StepFailure) in try state.forget(from: index) }
  }
}
