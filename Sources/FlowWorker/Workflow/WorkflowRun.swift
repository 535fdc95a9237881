internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWOutput
internal import FWSystem
internal import FWVolumes
internal import CSystem

/// A workflow that runs: one step after the other, each with the transfers of its files before and after it, until one
/// fails.
///
/// The run is a state machine that goes on whenever `advance` is called, and never waits itself. Three declarations
/// describe all of it: the cases of `Phase` are what can go on, `Phase.wait` says what wakes each phase, and `follow`
/// says what comes after each phase.
final class WorkflowRun: Execution {
  // These variables are the input of the run.
  private let resolved: Workflow.Resolved
  /// The pool keeps the workers alive.
  private let pool: Pool
  private let workers: [Unmanaged<Worker>]
  private let volumes: Volumes
  private let events: RunOptions.Events
  /// The settings of each step, with what is secret in the run.
  private var settings: RunSettings
  /// The context that commands see. Its values are copied into the host's context.
  private let context: Context
  private let hostContext: Context?
  private let began = fws_monotonic()
  private let started = fws_wall()

  // These variables say how far the run is.
  /// The phases that go on. A run has one step at a time, so this is one phase until the run is over.
  private var phases: [Phase] = []
  /// The number of the step that begins next.
  private var index = 0
  /// Where the latest version of each file is.
  private var files = FileIndex()
  private var undeclared = UndeclaredOutputs()
  private var isCancelled = false
  /// The timer that is over at the deadline, and is stopped whenever the run has to advance at once.
  private let timer: Timer?
  private var state: RunState?

  // These variables are the output of the run.
  private var results: [ExecResult] = []
  /// The number of steps that an earlier run has ended.
  private var restored = 0
  private var copies: [RunResult.Copy] = []
  private(set) var result: ExecResult?
  private var queue = EventQueue()
  private var readiness = ReadinessFD()
  /// The descriptors that `readiness` watches.
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
    let argumentValues = (arguments ?? empty).snapshot
    volumes = try Volumes(options.volumes ?? pool.volumes, basedir: basedir)
    do throws(FlowError) {
      resolved = try workflow.resolved(argumentValues)
      context = try Context(ContextValues(resolved.values, argumentValues.function))
      workers = try resolved.workers(of: pool, volumes)
    } catch {
      throw try Secrets(workflow.secretNames(pool), envs: [], [argumentValues]).masked(error)
    }
    for location in volumes.locations {
      // Files in the host's own directory are looked for when they are needed.
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
      resolved.secretNames(workers), envs: resolved.environments(workers), [argumentValues, context.snapshot])
    self.settings = settings
    do throws(FlowError) {
      try resolved.check(workers, context.snapshot, settings, items: workflow.items)
    } catch {
      throw settings.secrets.masked(error)
    }
    queue.isListening = isListening
    state = try options.state.map { [resolved] (path) throws(FlowError) in
      try RunState(path, sources: resolved.placements.map(\.source))
    }
    resume()
    publish()
    tell(.runStarted(steps: resolved.steps.map(\.cName.string)))
    for (at, result) in results.enumerated() {
      if case .step(let step) = result.content { tell(.stepRestored(step), step: at) }
    }
    if case .phase(let first) = timerFailure.map({ finish($0) }) ?? begin() { phases = [first] }
    proceed(nil)
  }

  // MARK: What callers see

  var waiting: Waiting {
    // A poll takes three descriptors, as many as one phase needs. `descriptor` is an epoll, which can watch any number.
    guard let phase = phases.first else { return Waiting() }
    switch phase.wait {
    case .transfers(let transfers):
      var waiting = transfers.waiting
      // The timer stays readable after the deadline or a cancel, which have been dealt with then.
      if !transfers.isStopped { waiting.stdout = timer?.fd ?? -1 }
      return waiting
    case .step(let run): return run.waiting
    case .immediate: return Waiting(stdout: timer?.fd ?? -1)
    }
  }

  func descriptor() -> Int32 {
    if readiness.epoll >= 0 { return readiness.epoll }
    guard readiness.open() else { return -1 }
    watch()
    readiness.raise(!queue.isEmpty)
    return readiness.works ? readiness.epoll : -1
  }

  // MARK: Standard input and signals

  func write(_ bytes: UnsafeRawBufferPointer) throws(FlowError) -> Int { throw WorkflowRun.noInput }
  func closeInput() throws(FlowError) { throw WorkflowRun.noInput }
  var room: Descriptor? { nil }
  func awaitRoom(_ isWanted: Bool) {}
  var hasEvents: Bool { !queue.isEmpty }

  private static let noInput = FlowError(
    .invalid, "a workflow takes no input from the host: use \"stdin\" with a text, a file or a value in its steps")

  /// Signals the commands of the step that runs.
  func signal(_ number: Int32, _ target: SignalTarget) throws(FlowError) {
    for phase in phases {
      if case .step(let run) = phase.wait { return try run.signal(number, target) }
    }
    throw FlowError(.ended, "no step of the workflow is running")
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
      case .transfers, .immediate: timer?.stop()
      }
    }
  }

  func advance(_ ready: Waiting.Ready, isListening: Bool) {
    queue.isListening = isListening
    proceed(ready)
  }

  /// - Parameter index: the number of the step that the event is about; -1 if it is about the workflow.
  private func tell(_ content: Event.Content, step index: Int = -1) {
    queue.tell(content, of: item(index).map { ($0.0, index) })
  }

  // MARK: The machine

  /// - Parameter ready: the descriptors of `waiting` that can be read; `nil` if nobody has looked yet.
  private func proceed(_ ready: Waiting.Ready?) {
    var isChanged = false
    phases = phases.compactMap { drive($0, ready, &isChanged) }
    if isChanged { watch() }
    readiness.raise(!queue.isEmpty)
  }

  /// Goes from one phase to the next until a phase has to wait; `nil` if the run is over.
  private func drive(_ first: Phase, _ ready: Waiting.Ready?, _ isChanged: inout Bool) -> Phase? {
    var phase = first
    var ready = ready
    while true {
      switch follow(phase, ready) {
      case .wait:
        // The descriptor of transfers changes from file to file. The descriptor of a step stays the same.
        if case .transfers = phase.wait { isChanged = true }
        return phase
      case .phase(let next): phase = next
      case .end:
        isChanged = true
        return nil
      }
      // The descriptors that are ready belong to the phase that is over.
      (ready, isChanged) = (nil, true)
    }
  }

  /// Does what can be done in a phase now, and decides what follows.
  private func follow(_ phase: Phase, _ ready: Waiting.Ready?) -> Next {
    switch phase {
    case .sources(let transfers):
      guard let end = advance(transfers, for: -1) else { return .wait }
      if let failure = end { return finish(failure) }
      do throws(StepFailure) {
        return .phase(.place(FilePlacements(resolved.placements, in: try volumes.volume(of: Volumes.main))))
      } catch { return finish(error) }
    case .place(let placements): return place(placements)
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
      // The transfers call every file that they bring an "input".
      let reason = failure.reason.without(prefix: "its input").map { "its output" + $0 }
      return finish(StepFailure(.outputMissing, reason ?? failure.reason))
    }
  }

  /// Lets transfers go on. Gives their end, once, which is `nil` inside if they have succeeded.
  ///
  /// - Parameter step: the number of the step that the transfers are for; -1 if they are for the workflow.
  private func advance(_ transfers: Transfers, for step: Int) -> StepFailure?? {
    if let interruption { transfers.stop(interruption) }
    let end = transfers.advance()
    for file in transfers.takeCopied().map({ $0.masked(by: secrets) }) {
      copies.append(RunResult.Copy(step: step, file: file, ended: fws_wall()))
      tell(.fileCopied(file), step: step)
    }
    if end != nil { files = transfers.index }
    return end
  }

  /// The reason why nothing more may begin; `nil` if there is none.
  private var interruption: StepFailure? {
    if isCancelled { return StepFailure(.cancelled, "it was cancelled") }
    if settings.deadline?.hasPassed == true { return StepFailure(.timeout, "\(settings.limit) had passed") }
    return nil
  }

  /// Makes the one descriptor that the host waits with watch what the phases wait for now.
  private func watch() {
    guard readiness.epoll >= 0 else { return }
    for fd in watched { readiness.forget(fd) }
    watched = []
    for phase in phases {
      if case .step(let run) = phase.wait {
        let fd = run.descriptor()
        // If the system has no descriptor left for the step, the timer makes the host look again and again.
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
    // The steps that an earlier run has ended had the files at their targets.
    guard restored == 0, !resolved.placements.isEmpty else { return prepare() }
    do throws(StepFailure) {
      let transfers = Transfers(volumes, files)
      transfers.prepare(try volumes.volume(of: Volumes.main), inputs: resolved.placements.map(\.source), [])
      return .phase(.sources(transfers))
    } catch { return finish(error) }
  }

  /// Copies files to their targets for some milliseconds.
  private func place(_ placements: FilePlacements) -> Next {
    do throws(StepFailure) {
      let end = fws_monotonic() + 0.005
      repeat {
        if let interruption { throw interruption }
        guard try placements.advance() else { continue }
        let location = try volumes.volume(of: Volumes.main).location
        for placement in resolved.placements { files.record(placement.target, in: [location]) }
        timer?.set(settings.deadline?.left ?? Timer.never)
        return prepare()
      } while fws_monotonic() < end
      timer?.stop()
      return .wait
    } catch { return finish(error) }
  }

  private func prepare() -> Next {
    do throws(StepFailure) {
      undeclared = try UndeclaredOutputs(of: resolved, workers, volumes)
      guard restored == 0 else {
        // An earlier process began the run. Outputs of which the state directory says nothing count if they exist.
        if !undeclared.watches.isEmpty {
          undeclared.resume(state?.attempt { (state) throws(StepFailure) in try state.beginning() } ?? [])
        }
        return nextStep()
      }
      guard !resolved.files.inputs.isEmpty || !undeclared.watches.isEmpty else { return nextStep() }
      let transfers = Transfers(volumes, files)
      transfers.prepare(try volumes.volume(of: Volumes.main), inputs: resolved.files.inputs, undeclared.watches)
      return .phase(.inputs(transfers))
    } catch { return finish(error) }
  }

  /// Collects the outputs of the workflow in the run directory, wherever they were made, when all steps have succeeded.
  private func collect() -> Next {
    guard !resolved.files.outputs.isEmpty else { return finish(nil) }
    do throws(StepFailure) {
      try undeclared.find(besides: resolved.steps, &files)
      let transfers = Transfers(volumes, files)
      transfers.prepare(try volumes.volume(of: Volumes.main), inputs: resolved.files.outputs, [])
      return .phase(.outputs(transfers))
    } catch { return finish(error) }
  }

  /// - Parameter failure: the failure that ends the run; `nil` if it is a step's, or if there is none.
  private func finish(_ failure: StepFailure?) -> Next {
    let values = context.snapshot.without(secrets.names).flatMap { secrets.masked($0) }
    let facts = RunResult.Facts(
      name: resolved.name.map { secrets.masked($0) }, rundir: volumes.rundir.map { secrets.masked($0) },
      state: state.map { secrets.masked($0.path) },
      arguments: ContextValues(resolved.arguments).hiding(secrets.names).flatMap { secrets.masked($0) },
      notReached: resolved.steps.dropFirst(results.count).map(\.cName.string))
    let run = RunResult(
      facts, steps: results, total: resolved.steps.count, restored: restored,
      failure: failure.map { secrets.masked($0) }, started: started, duration: fws_monotonic() - began,
      context: values, copies: copies, unkept: state?.failure.map { secrets.masked($0) })
    // Another run may lock the state directory as soon as this one is over.
    state = nil
    tell(.runEnded(run))
    result = ExecResult(run)
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
    guard resolved.steps.indices.contains(index), index < workers.count else { return nil }
    return (resolved.steps[index], workers[index].takeUnretainedValue())
  }

  private func launch(_ fetched: StepTask) -> Next {
    var task = fetched
    do throws(FlowError) {
      let values = context.snapshot
      let path = try CText(task.volume.path)
      let plan = try task.worker.prepare(task.step, values, path, settings)
      if state != nil { task.plan = task.document(of: plan, values, path) }
      let run = StepRun(
        task.step, worker: task.worker.cName.string, task.worker.type, plan, rundir: path, context,
        events: queue.isListening ? events : nil, position: queue.position.of(task.step, index: task.index),
        outputs: task.outputs)
      guard run.result != nil else { return .phase(.run(task, run)) }
      timer?.stop()
      return .phase(.skip(task, run))
    } catch {
      let reason = error.message.without(prefix: "step \(task.step.shownName): ").map(String.init)
      return refuse(task.step, task.worker, StepFailure(reason ?? error.message))
    }
  }

  /// Takes the result of a step if the step is over.
  private func take(_ task: StepTask, _ run: StepRun) -> Next {
    guard let result = run.stepResult else { return .wait }
    // The events of the step come before the events of whatever follows.
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

  /// Ends the run at a step whose commands have succeeded, and whose files have not.
  private func fail(_ task: StepTask, _ result: StepResult, _ failure: StepFailure) -> Next {
    keep(result.failed(by: secrets.masked(failure), of: task.step))
    return finish(nil)
  }

  /// Ends the run at a step that could not be started.
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

  private func keep(_ result: StepResult) { results.append(ExecResult(result, isLent: true)) }

  // MARK: Values

  /// The secrets of the whole run.
  private var secrets: Secrets { settings.secrets }

  /// Adds the value that a step has given to the secrets, if another step lists its name as secret.
  private func learnSecret() {
    // If there is no memory to mask the value, there is none for the next step either.
    guard let learnt = try? Secrets(secrets.names, envs: [], [context.snapshot], before: secrets) else { return }
    settings.secrets = learnt
  }

  /// Shows all values to the host at the beginning of the run. There may be many.
  private func publish() {
    guard let hostContext else { return }
    context.snapshot.object.read { object in
      object.forEachMember { key, value in
        if let kept = JSONValue(keeping: value) { hostContext.set(key.string, kept) }
      }
    }
  }

  /// Shows the value that a step has given to the host.
  private func publish(_ name: String) {
    let values = context.snapshot
    if let value = values[name].flatMap({ JSONValue(keeping: $0) }) {
      hostContext?.set(name, value, object: values.objects[Name(name)])
    }
  }

  // MARK: The state directory

  /// Takes over the steps that an earlier run has ended, as long as nothing about them has changed.
  private func resume() {
    guard let state else { return }
    volumes.keepCopies(at: state.copies)
    while let (step, worker) = item(index),
      let record = state.attempt({ [index] (state) throws(StepFailure) in try state.read(index) })
    {
      guard let volume = try? volumes.volume(of: worker.location), let path = try? CText(volume.path),
        let text = try? worker.plan(step, context.snapshot, path, settings),
        let plan = try? JSONText.parse(text.bytes),
        let signature = Signature(
          step, plan: plan, context.snapshot, volumes, record.files, volume, sources: state.sources, secrets),
        signature.isSame(as: record.signature),
        let result = record.result.read({
          StepResult($0, of: step, by: worker, rundir: secrets.masked(volume.path))
        })
      else {
        Log.write(
          .info,
          "step \(step.shownName) runs again: the step, its values or its files are not those of the earlier run")
        break
      }
      files = record.files
      if let argument = step.code.argument, let value = record.value { context.set(argument, value) }
      keep(result)
      index += 1
    }
    restored = index
    state.attempt { [index] (state) throws(StepFailure) in try state.forget(from: index) }
  }
}
