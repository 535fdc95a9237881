internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWOutput
internal import FWSystem
internal import FWVolumes
internal import CSystem

/// A workflow that runs: as many steps at once as its data and its `jobs` allow, each with the transfers of its files
/// before and after it.
///
/// The run is a state machine that goes on whenever `advance` is called, and never waits itself. Four declarations
/// describe all of it: `Scheduler` says which step starts next, the cases of `Phase` are what can go on in a slot,
/// `Phase.wait` says what wakes each phase, and `follow` says what comes after each phase.
final class WorkflowRun: Execution {
  // These variables are the input of the run.
  let resolved: Workflow.Resolved
  /// The pool keeps the workers alive.
  private let pool: Pool
  let workers: [Unmanaged<Worker>]
  let volumes: Volumes
  let options: WorkflowOptions
  /// What the steps take while they run.
  let resources: RunResources
  /// The settings of each step, with what is secret in the run.
  var settings: RunSettings
  /// The context that commands see. Its values are copied into the host's context.
  let context: Context
  let hostContext: Context?
  let began = fws_monotonic()
  let started = fws_wall()

  // These variables say how far the run is.
  var scheduler: Scheduler
  /// The instances of each step with `foreach`, if they are known, and whether they run in order.
  var instances: [Int: (all: Instances, isInOrder: Bool)] = [:]
  /// The steps that run while nothing else does, each with the reason. The instances of such a step run in order.
  let barriers: [Int: String]
  /// The values that the instances of a step have given, until all of them have ended.
  var gathers: [Int: Gather] = [:]
  var stage = Stage.beginning
  /// The slots in which something goes on, by their lanes.
  var slots: [Slot?] = []
  var activeCount = 0
  var copyTurns = CopyTurns()
  /// Where the latest version of each file is.
  let known = KnownFiles()
  var undeclared = UndeclaredOutputs()
  var isCancelled = false
  /// Why the steps that run are cancelled, and their transfers end; `nil`: they are not.
  var abort: StepFailure?
  /// Whether no further step starts.
  var isStopped = false
  var state: RunState?
  /// What each step reads and writes.
  let accesses: [StepAccess]
  /// What the state directory saves of each step; `nil` without one.
  var stepFacts: StepFacts?
  /// What was there before the first step, if an earlier run has ended steps.
  var beginning: RunState.Beginning?

  // These variables are the output of the run.
  var record: RunRecord
  var result: ExecResult?
  var queue = EventQueue()

  // These variables are how the host waits for the run.
  let watch: RunWatch
  /// Whether there are slots to fill that the last call has left.
  var isOverdue = false
  /// Whether a step that is ready waits for its worker or for resources.
  var isHeld = false

  /// How far the run is as a whole.
  enum Stage {
    /// The files of the workflow are made available.
    case beginning
    case steps
    /// The outputs of the workflow are collected.
    case ending
  }

  /// The seconds after which a run looks again whether the commands of an earlier run have ended.
  static let lateRound = 0.01

  /// The most slots that one call fills for each slot that there is. Steps may end at once, and a call has to end too.
  static let turns = 4

  /// - Parameter isListening: whether the host may take events.
  init(
    _ workflow: Workflow, _ pool: Pool, _ arguments: Context?, basedir: String?, _ options: WorkflowOptions,
    isListening: Bool
  ) throws(FlowError) {
    self.options = options
    self.pool = pool
    hostContext = arguments
    let empty = try Context(nil)
    let argumentValues = (arguments ?? empty).snapshot
    volumes = try Volumes(options.volumes ?? pool.volumes, basedir: basedir)
    let basis = try RunBasis(workflow, pool, argumentValues, volumes, options)
    (resolved, context, workers) = (basis.resolved, basis.context, basis.workers)
    for location in volumes.locations {
      // Files in the host's own directory are looked for when they are needed.
      for key in volumes.spec(location)?.files ?? [] { known.files.add(key, in: location) }
    }
    var settings = basis.settings
    if let seconds = options.deadline { settings.deadline = RunDeadline(in: seconds) }
    self.settings = settings
    record = RunRecord(isOfFailures: options.keepsFailuresOnly)
    barriers = basis.barriers
    accesses = basis.accesses
    instances = basis.instances
    resources = basis.resources
    watch = RunWatch(deadline: options.deadline, resources: resources.fd, hasManySlots: options.jobs > 1)
    scheduler = Scheduler(
      basis.graph, isMany: resolved.steps.map { $0.forEach != nil }, classes: resources.classes,
      isSerial: options.jobs == 1)
    queue.isListening = isListening
    state = try options.state.map { (path) throws(FlowError) in try RunState(path) }
    self.settings.heldFile = state?.commands
    tell(.runStarted(steps: resolved.steps.map(\.cName.string)))
    let next = watch.failure.map { finish($0) } ?? resume()
    if case .phase(let first) = next { occupy(first) }
    proceed(nil)
  }

  // MARK: What callers see

  var waiting: Waiting {
    if result != nil { return Waiting() }
    if let fd = watch.fd { return Waiting(channel: fd) }
    // A poll takes three descriptors, as many as one slot needs.
    switch slots.first.flatMap({ $0 })?.phase.wait {
    case .transfers(let transfers):
      var waiting = transfers.waiting
      // The timer stays readable after the deadline or a cancel, which have been dealt with then.
      if !transfers.isStopped { waiting.stdout = watch.timerFD }
      return waiting
    case .step(let run): return run.waiting
    case .timer(let own): return Waiting(channel: own.fd, stdout: watch.timerFD)
    case .immediate, .turn: return Waiting(stdout: watch.timerFD)
    case nil: return Waiting(channel: isHeld ? resources.fd : -1, stdout: watch.timerFD)
    }
  }

  func descriptor() -> Int32 {
    guard let isNew = watch.openRing() else { return -1 }
    if isNew {
      for case let slot? in slots {
        watch.unwatch(slot)
        watch.watch(slot)
      }
      // What cannot be watched needs the timer.
      setTimer()
    }
    return watch.hostDescriptor(hasEvents: !queue.isEmpty)
  }

  // MARK: Standard input and signals

  func write(_ bytes: UnsafeRawBufferPointer) throws(FlowError) -> Int { throw WorkflowRun.noInput }
  func closeInput() throws(FlowError) { throw WorkflowRun.noInput }
  var room: Descriptor? { nil }
  func awaitRoom(_ isWanted: Bool) {}
  var hasEvents: Bool { !queue.isEmpty }

  private static let noInput = FlowError(
    .invalid, "a workflow takes no input from the host: use \"stdin\" with a text, a file or a value in its steps")

  /// Signals the commands of all steps that run.
  func signal(_ number: Int32, _ target: SignalTarget) throws(FlowError) {
    var hasSignalled = false
    var failure: FlowError?
    for run in running {
      do throws(FlowError) {
        try run.signal(number, target)
        hasSignalled = true
      } catch { failure = failure ?? error }
    }
    if !hasSignalled { throw failure ?? FlowError(.ended, "no step of the workflow is running") }
  }

  var running: [StepRun] {
    slots.compactMap { slot in
      if case .step(let run) = slot?.phase.wait { return run }
      return nil
    }
  }

  func takeEvent() -> Event? {
    let event = queue.take()
    if event != nil { watch.show(hasEvents: !queue.isEmpty) }
    return event
  }

  func discardEvents() {
    queue.removeAll()
    watch.show(hasEvents: false)
  }

  func cancel() {
    if isCancelled { return }
    isCancelled = true
    for run in running { run.cancel() }
    // Transfers end when the run advances.
    watch.stopTimer()
  }

  func advance(_ ready: Waiting.Ready, isListening: Bool) {
    queue.isListening = isListening
    proceed(ready)
  }

  // MARK: The machine

  /// - Parameter ready: the descriptors of `waiting` that can be read; `nil` if nobody has looked yet.
  private func proceed(_ ready: Waiting.Ready?) {
    if let ready { driveReady(ready) }
    fill()
    setTimer()
    watch.show(hasEvents: !queue.isEmpty)
  }

  /// Lets the slots go on that have something to do.
  private func driveReady(_ ready: Waiting.Ready) {
    switch watch.takeWoken() {
    case .polled: if let slot = slots.first.flatMap({ $0 }) { drive(slot, ready) }
    case .all: for slot in slots { slot.map { drive($0, nil, isToLook: true) } }
    case .some(let lanes, let isTimed):
      // The timer is never readable again after the first call that finds an interruption, and it may not be among the
      // first descriptors that are ready.
      if isTimed || interruption != nil { driveTimed() }
      for lane in lanes {
        // Several descriptors of a slot may be ready. The first one tells the slot to look at all of them.
        if slots.indices.contains(lane), let slot = slots[lane] { drive(slot, nil, isToLook: true) }
      }
    }
  }

  /// Lets the slots go on that the timer of the run wakes.
  private func driveTimed() {
    for slot in slots {
      switch slot?.phase.wait {
      case .transfers, .timer, .immediate: slot.map { drive($0, Waiting.Ready()) }
      case .turn: if interruption != nil { slot.map { drive($0, nil) } }
      case .step, nil: break
      }
    }
  }

  /// Goes from one phase of a slot to the next until a phase has to wait, or the slot is free.
  ///
  /// - Parameter isToLook: whether the descriptors that are ready have to be found out.
  private func drive(_ slot: Slot, _ ready: Waiting.Ready?, isToLook: Bool = false) {
    var ready = ready
    if isToLook {
      if case .step(let run) = slot.phase.wait {
        ready = run.waiting.poll(0)
        if ready?.isAny != true { return }
      } else {
        ready = Waiting.Ready()
      }
    }
    while true {
      switch follow(slot, ready) {
      case .wait: return watch.watch(slot)
      case .phase(let next):
        watch.unwatch(slot)
        slot.phase = next
      case .end:
        watch.unwatch(slot)
        slots[slot.lane] = nil
        activeCount -= 1
        return
      }
      // The descriptors that are ready belong to the phase that is over.
      ready = nil
    }
  }

  func occupy(_ phase: Phase) {
    let lane = freeLane
    let slot = Slot(lane: lane, phase: phase)
    if lane < slots.count { slots[lane] = slot } else { slots.append(slot) }
    activeCount += 1
    drive(slot, nil)
  }

  var freeLane: Int { slots.firstIndex { $0 == nil } ?? slots.count }

  /// Does what can be done in a slot now, and decides what follows.
  func follow(_ slot: Slot, _ ready: Waiting.Ready?) -> Next {
    switch slot.phase {
    case .late(let pause):
      if let interruption { return finish(interruption) }
      guard state?.isAlone() == false else { return restore() }
      pause.set(WorkflowRun.lateRound)
      return .wait
    case .sources(let transfers):
      guard let end = advance(transfers, for: nil) else { return .wait }
      if let failure = end { return finish(failure) }
      do throws(StepFailure) {
        return .phase(.place(FilePlacements(resolved.placements, in: try volumes.volume(of: Volumes.main))))
      } catch { return finish(error) }
    case .place(let placements): return place(placements)
    case .inputs(let transfers):
      guard let end = advance(transfers, for: nil) else { return .wait }
      if let failure = end { return finish(failure) }
      return beginSteps()
    case .awaitFetch(let task):
      if let interruption { return refuse(task, interruption) }
      return fetch(task, in: slot)
    case .fetch(let task, let transfers):
      guard let end = advance(transfers, for: task.place) else { return .wait }
      if let failure = end { return refuse(task, failure) }
      return launch(task)
    case .run(let task, let run):
      guard let ready else { return .wait }
      run.advance(ready, isListening: queue.isListening)
      return take(task, run)
    case .skip(let task, let run):
      guard ready != nil else { return .wait }
      return take(task, run)
    case .awaitStore(let task, let result, let made):
      if let interruption { return fail(task, result, interruption) }
      return store(task, result, made, in: slot)
    case .store(let task, let result, let transfers):
      guard let end = advance(transfers, for: task.place) else { return .wait }
      if let failure = end { return fail(task, result, failure) }
      return complete(task, result)
    case .outputs(let transfers):
      guard let end = advance(transfers, for: nil) else { return .wait }
      guard let failure = end, failure.outcome == .inputMissing else { return finish(end) }
      // The transfers call every file that they bring an "input".
      let reason = failure.reason.without(prefix: "its input").map { "its output" + $0 }
      return finish(StepFailure(.outputMissing, reason ?? failure.reason))
    }
  }

  /// Sets the timer to when the run has to advance whatever happens.
  func setTimer() {
    if result != nil { return watch.setTimer(.over) }
    let isImmediate =
      isOverdue
      || slots.contains { slot in
        if case .immediate = slot?.phase.wait { return true }
        return false
      }
    if isImmediate { return watch.setTimer(.immediate) }
    if isHeld, resources.fd < 0 { return watch.setTimer(.soon) }
    watch.setTimer(.deadline(settings.deadline, hasPassed: interruption != nil))
  }

  // MARK: Transfers

  /// Lets transfers go on. Gives their end, once, which is `nil` inside if they have succeeded.
  ///
  /// - Parameter place: the step that the transfers are for; `nil` if they are for the workflow.
  func advance(_ transfers: Transfers, for place: StepPlace?) -> StepFailure?? {
    if let interruption { transfers.stop(interruption) }
    let end = transfers.advance()
    for file in transfers.takeCopied().map({ $0.masked(by: secrets) }) {
      record.copies.append(
        RunResult.Copy(step: place?.index ?? -1, instance: place?.instance, file: file, ended: fws_wall()))
      tell(.fileCopied(file), at: place)
    }
    if end != nil { copyTurns.end(transfers) }
    return end
  }

  /// Gives the turn to the slots that wait for it.
  func driveCopyQueue() {
    while let slot = copyTurns.next() {
      // A slot that was cancelled meanwhile is free, or has another step.
      if case .turn = slot.phase.wait, slots[slot.lane] === slot { drive(slot, nil) }
    }
  }

  /// The reason why nothing more may begin; `nil` if there is none.
  var interruption: StepFailure? {
    if isCancelled { return StepFailure(.cancelled, "it was cancelled") }
    if settings.deadline?.hasPassed == true { return StepFailure(.timeout, "\(settings.limit) had passed") }
    return abort
  }

  // MARK: Steps

  func item(_ index: Int) -> (Step, Worker)? {
    guard resolved.steps.indices.contains(index), index < workers.count else { return nil }
    return (resolved.steps[index], workers[index].takeUnretainedValue())
  }

  /// - Parameter place: the step that the event is about; `nil` if it is about the workflow.
  func tell(_ content: Event.Content, at place: StepPlace? = nil) {
    queue.tell(content, of: place.flatMap { place in item(place.index).map { ($0.0, place) } })
  }

  // MARK: Values

  /// The secrets of the whole run.
  var secrets: Secrets { settings.secrets }

  /// Adds the value that a step has given to the secrets, if another step lists its name as secret.
  func learnSecret() {
    // If there is no memory to mask the value, there is none for the next step either.
    guard let learnt = try? Secrets(secrets.names, envs: [], [context.snapshot], before: secrets) else { return }
    settings.secrets = learnt
  }

  /// Shows all values to the host at the beginning of the run. There may be many.
  func publish() {
    guard let hostContext else { return }
    context.snapshot.object.read { object in
      object.forEachMember { key, value in
        if let kept = JSONValue(keeping: value) { hostContext.set(key.string, kept) }
      }
    }
  }

  /// Shows the value that a step has given to the host.
  func publish(_ name: String) {
    let values = context.snapshot
    if let value = values[name].flatMap({ JSONValue(keeping: $0) }) {
      hostContext?.set(name, value, object: values.objects[Name(name)])
    }
  }
}
