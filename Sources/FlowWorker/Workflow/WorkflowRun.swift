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
  private let options: WorkflowOptions
  /// What the steps take while they run.
  private let resources: RunResources
  /// The settings of each step, with what is secret in the run.
  var settings: RunSettings
  /// The context that commands see. Its values are copied into the host's context.
  let context: Context
  private let hostContext: Context?
  private let began = fws_monotonic()
  private let started = fws_wall()

  // These variables say how far the run is.
  var scheduler: Scheduler
  /// The instances of each step with `foreach`, if they are known, and whether they run in order.
  private var instances: [Int: (all: Instances, isInOrder: Bool)] = [:]
  /// The steps that run while nothing else does, each with the reason. The instances of such a step run in order.
  private let barriers: [Int: String]
  /// The values that the instances of a step have given, until all of them have ended.
  private var gathers: [Int: Gather] = [:]
  private var stage = Stage.beginning
  /// The slots in which something goes on, by their lanes.
  private var slots: [Slot?] = []
  private var activeCount = 0
  /// The slots whose files are copied when the transfers end that go on.
  private var copyQueue: [Slot] = []
  private var isCopying = false
  /// Where the latest version of each file is.
  let known = KnownFiles()
  var undeclared = UndeclaredOutputs()
  private var isCancelled = false
  /// Why the steps that run are cancelled, and their transfers end; `nil`: they are not.
  private var abort: StepFailure?
  /// Whether no further step starts.
  private var isStopped = false
  var state: RunState?
  /// What each step reads and writes.
  private let accesses: [StepAccess]
  /// What the state directory saves of each step; `nil` without one.
  private var stepFacts: StepFacts?
  /// What was there before the first step, if an earlier run has ended steps.
  private var beginning: RunState.Beginning?

  // These variables are the output of the run.
  private var record: RunRecord
  private(set) var result: ExecResult?
  private var queue = EventQueue()

  // These variables are how the host waits for the run.
  /// Watches the slots, if there may be more than one, or if the host has asked for a descriptor.
  private var ring: Ring?
  /// The timer that is over at the deadline, and is stopped whenever the run has to advance at once.
  private let timer: Timer?
  private var isTimerStopped = false
  /// Whether a slot has something to wait for that cannot be watched.
  private var isBlind = false

  /// How far the run is as a whole.
  private enum Stage {
    /// The files of the workflow are made available.
    case beginning
    case steps
    /// The outputs of the workflow are collected.
    case ending
  }

  /// The seconds after which a run looks again whether the commands of an earlier run have ended.
  private static let lateRound = 0.01

  /// What the ring says of a descriptor that belongs to no slot.
  private static let timerToken = -1
  /// The same, of the descriptor that tells when resources are free. There is nothing to do but to look for steps to
  /// start, as after everything else.
  private static let resourcesToken = -2

  /// The most slots that one call fills for each slot that there is. Steps may end at once, and a call has to end too.
  private static let turns = 4

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
    var timerFailure: StepFailure?
    do throws(StepFailure) { timer = try Timer(options.deadline ?? Timer.never) } catch {
      timer = nil
      timerFailure = error
    }
    record = RunRecord(isOfFailures: options.keepsFailuresOnly)
    barriers = basis.barriers
    accesses = basis.accesses
    instances = basis.instances
    resources = basis.resources
    scheduler = Scheduler(
      basis.graph, isMany: resolved.steps.map { $0.forEach != nil }, classes: resources.classes,
      isSerial: options.jobs == 1)
    queue.isListening = isListening
    state = try options.state.map { (path) throws(FlowError) in try RunState(path) }
    self.settings.heldFile = state?.commands
    tell(.runStarted(steps: resolved.steps.map(\.cName.string)))
    if options.jobs > 1, timerFailure == nil {
      do throws(StepFailure) { ring = try Ring() } catch { timerFailure = error }
      if let ring { watchOthers(ring) }
    }
    let next = timerFailure.map { finish($0) } ?? resume()
    if case .phase(let first) = next { occupy(first) }
    proceed(nil)
  }

  // MARK: What callers see

  var waiting: Waiting {
    if result != nil { return Waiting() }
    if let ring { return Waiting(channel: ring.fd) }
    // A poll takes three descriptors, as many as one slot needs.
    switch slots.first.flatMap({ $0 })?.phase.wait {
    case .transfers(let transfers):
      var waiting = transfers.waiting
      // The timer stays readable after the deadline or a cancel, which have been dealt with then.
      if !transfers.isStopped { waiting.stdout = timer?.fd ?? -1 }
      return waiting
    case .step(let run): return run.waiting
    case .timer(let own): return Waiting(channel: own.fd, stdout: timer?.fd ?? -1)
    case .immediate, .turn: return Waiting(stdout: timer?.fd ?? -1)
    case nil: return Waiting(channel: isHeld ? resources.fd : -1, stdout: timer?.fd ?? -1)
    }
  }

  func descriptor() -> Int32 {
    if ring?.works != true {
      guard let made = try? Ring() else { return -1 }
      ring = made
      watchOthers(made)
      for slot in slots {
        slot?.watched = []
        slot.map { watch($0) }
      }
      // What cannot be watched needs the timer.
      setTimer()
    }
    guard let ring, ring.openFlag() else { return -1 }
    ring.raise(!queue.isEmpty)
    return ring.fd
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

  private var running: [StepRun] {
    slots.compactMap { slot in
      if case .step(let run) = slot?.phase.wait { return run }
      return nil
    }
  }

  func takeEvent() -> Event? {
    let event = queue.take()
    if event != nil { ring?.raise(!queue.isEmpty) }
    return event
  }

  func discardEvents() {
    queue.removeAll()
    ring?.raise(false)
  }

  func cancel() {
    if isCancelled { return }
    isCancelled = true
    for run in running { run.cancel() }
    // Transfers end when the run advances.
    stopTimer()
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
    ring?.raise(!queue.isEmpty)
  }

  /// Lets the slots go on that have something to do.
  private func driveReady(_ ready: Waiting.Ready) {
    guard let ring else {
      if let slot = slots.first.flatMap({ $0 }) { drive(slot, ready) }
      return
    }
    guard ring.works, !isBlind else {
      for slot in slots { slot.map { drive($0, nil, isToLook: true) } }
      return
    }
    let tokens = ring.take()
    // The timer is never readable again after the first call that finds an interruption, and it may not be among the
    // first descriptors that are ready.
    if tokens.contains(WorkflowRun.timerToken) || interruption != nil { driveTimed() }
    for token in tokens {
      if slots.indices.contains(token), let slot = slots[token] {
        drive(slot, nil, isToLook: true)
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
      case .wait: return watch(slot)
      case .phase(let next):
        unwatch(slot)
        slot.phase = next
      case .end:
        unwatch(slot)
        slots[slot.lane] = nil
        activeCount -= 1
        return
      }
      // The descriptors that are ready belong to the phase that is over.
      ready = nil
    }
  }

  private func occupy(_ phase: Phase) {
    let lane = freeLane
    let slot = Slot(lane: lane, phase: phase)
    if lane < slots.count { slots[lane] = slot } else { slots.append(slot) }
    activeCount += 1
    drive(slot, nil)
  }

  private var freeLane: Int { slots.firstIndex { $0 == nil } ?? slots.count }

  /// Does what can be done in a slot now, and decides what follows.
  private func follow(_ slot: Slot, _ ready: Waiting.Ready?) -> Next {
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

  // MARK: Waiting

  /// Lets the ring watch what belongs to no slot.
  private func watchOthers(_ ring: Ring) {
    _ = ring.add(timer?.fd ?? -1, as: WorkflowRun.timerToken)
    _ = ring.add(resources.fd, as: WorkflowRun.resourcesToken)
  }

  /// Lets the ring watch what a slot waits for now.
  private func watch(_ slot: Slot) {
    guard let ring else { return }
    switch slot.phase.wait {
    case .step(let run):
      // The descriptor of a step stays the same.
      if !slot.watched.isEmpty {
        if run.isMute { isBlind = true }
        return
      }
      add(run.descriptor(), of: slot, to: ring)
    case .timer(let timer):
      if slot.watched.isEmpty { add(timer.fd, of: slot, to: ring) }
    case .transfers(let transfers):
      // The descriptor of transfers changes from file to file.
      unwatch(slot)
      add(transfers.waiting.channel, of: slot, to: ring)
    case .immediate, .turn: break
    }
  }

  private func add(_ fd: Int32, of slot: Slot, to ring: Ring) {
    if ring.add(fd, as: slot.lane) { slot.watched = [fd] } else { isBlind = true }
  }

  private func unwatch(_ slot: Slot) {
    for fd in slot.watched { ring?.remove(fd) }
    slot.watched = []
  }

  private func stopTimer() {
    isTimerStopped = true
    timer?.stop()
  }

  /// Sets the timer to when the run has to advance whatever happens.
  private func setTimer() {
    if result != nil {
      // The host's descriptor is never readable after the end.
      timer.map { ring?.remove($0.fd) }
      return
    }
    let isImmediate =
      isBlind || isOverdue
      || slots.contains { slot in
        if case .immediate = slot?.phase.wait { return true }
        return false
      }
    if isImmediate { return stopTimer() }
    let hasPassed = interruption != nil
    if isHeld, resources.fd < 0 {
      // The system has no descriptor that would wake the run, or the host has closed it.
      isTimerStopped = true
      timer?.set(WorkflowRun.blindTurn)
      return
    }
    guard isTimerStopped || hasPassed else { return }
    isTimerStopped = false
    // Without a ring the timer is watched for transfers only, and wakes them once.
    if ring == nil, hasPassed { return }
    timer?.set(hasPassed ? Timer.never : settings.deadline?.left ?? Timer.never)
  }

  /// Whether there are slots to fill that the last call has left.
  private var isOverdue = false
  /// Whether a step that is ready waits for its worker or for resources.
  private var isHeld = false
  /// The seconds after which a run that nothing can wake looks again.
  private static let blindTurn = 0.01

  // MARK: Transfers

  /// Lets transfers go on. Gives their end, once, which is `nil` inside if they have succeeded.
  ///
  /// - Parameter place: the step that the transfers are for; `nil` if they are for the workflow.
  private func advance(_ transfers: Transfers, for place: StepPlace?) -> StepFailure?? {
    if let interruption { transfers.stop(interruption) }
    let end = transfers.advance()
    for file in transfers.takeCopied().map({ $0.masked(by: secrets) }) {
      record.copies.append(
        RunResult.Copy(step: place?.index ?? -1, instance: place?.instance, file: file, ended: fws_wall()))
      tell(.fileCopied(file), at: place)
    }
    if end != nil, transfers.isExclusive { isCopying = false }
    return end
  }

  /// Takes the turn for transfers that may copy files. Gives false, and queues the slot, if others are being copied.
  ///
  /// One step at a time copies files. So a file is copied once, however many steps need it, and a connection to a
  /// remote volume belongs to one step.
  private func takeTurn(_ transfers: Transfers, _ slot: Slot) -> Bool {
    if isCopying {
      if !slot.isInCopyQueue { copyQueue.append(slot) }
      slot.isInCopyQueue = true
      return false
    }
    isCopying = true
    transfers.isExclusive = true
    return true
  }

  /// Gives the turn to the slots that wait for it.
  private func driveCopyQueue() {
    while !isCopying, !copyQueue.isEmpty {
      let slot = copyQueue.removeFirst()
      slot.isInCopyQueue = false
      // A slot that was cancelled meanwhile is free, or has another step.
      if case .turn = slot.phase.wait, slots[slot.lane] === slot { drive(slot, nil) }
    }
  }

  /// The reason why nothing more may begin; `nil` if there is none.
  private var interruption: StepFailure? {
    if isCancelled { return StepFailure(.cancelled, "it was cancelled") }
    if settings.deadline?.hasPassed == true { return StepFailure(.timeout, "\(settings.limit) had passed") }
    return abort
  }

  // MARK: The beginning and the end

  private func begin() -> Next {
    // The steps that an earlier run has ended had the files at their targets.
    guard record.restored == 0, !resolved.placements.isEmpty else { return prepare() }
    do throws(StepFailure) {
      let transfers = Transfers(volumes, known)
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
        for placement in resolved.placements { known.files.record(placement.target, in: [location]) }
        return prepare()
      } while fws_monotonic() < end
      return .wait
    } catch { return finish(error) }
  }

  private func prepare() -> Next {
    do throws(StepFailure) {
      undeclared = try UndeclaredOutputs(of: resolved, workers, volumes)
      guard record.restored == 0 else {
        // An earlier process began the run.
        undeclared.resume(beginning?.outputs ?? [])
        return beginSteps()
      }
      guard !resolved.files.inputs.isEmpty || !undeclared.watches.isEmpty else { return beginSteps() }
      let transfers = Transfers(volumes, known)
      transfers.prepare(try volumes.volume(of: Volumes.main), inputs: resolved.files.inputs, undeclared.watches)
      return .phase(.inputs(transfers))
    } catch { return finish(error) }
  }

  private func beginSteps() -> Next {
    stage = .steps
    if record.restored == 0 {
      state?.begin(
        resolved.placements.map(\.source), in: try? volumes.volume(of: Volumes.main), known.files, undeclared.watches)
    }
    return .end
  }

  /// Collects the outputs of the workflow in the run directory, wherever they were made, when all steps have succeeded.
  private func collect() -> Next {
    stage = .ending
    guard !resolved.files.outputs.isEmpty else { return finish(nil) }
    do throws(StepFailure) {
      try undeclared.find(besides: resolved.steps, &known.files)
      let transfers = Transfers(volumes, known)
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
      jobs: options.jobs, notRun: notRun(failure))
    let run = record.result(
      facts, total: resolved.steps.count, failure: failure.map { secrets.masked($0) }, started: started,
      duration: fws_monotonic() - began, context: values, unkept: state?.failure.map { secrets.masked($0) })
    // Another run may lock the state directory as soon as this one is over.
    state = nil
    settings.heldFile = nil
    tell(.runEnded(run))
    result = ExecResult(run)
    return .end
  }

  /// The steps that were not run, each with the reason.
  private func notRun(_ failure: StepFailure?) -> [RunResult.NotRun] {
    var general = "the run ended before"
    if record.firstOutcome == .cancelled {
      general = "the run was cancelled before it could start"
    } else if record.firstOutcome == .timeout, settings.deadline?.hasPassed == true {
      general = "\(settings.limit) had passed before it could start"
    } else if let failed = record.firstFailure {
      general = "step \(name(of: failed)) failed before it could start"
    } else if let failure {
      general = "the run failed before: \(secrets.masked(failure.reason))"
    }
    return resolved.steps.indices.compactMap { step in
      guard let rest = scheduler.unstarted(step) else { return nil }
      var reason = general
      if let lack = rest.lack {
        reason = scheduler.graph.reason(from: lack, to: step) + ", which "
        let lacked = record.failed.contains(lack) ? "failed" : "was cancelled"
        reason += scheduler.hasFailed(lack) ? lacked : "was not run"
      }
      return RunResult.NotRun(
        step: resolved.steps[step].cName.string, index: step,
        instances: rest.count ?? instances[step]?.all.count, isWhole: rest.isWhole,
        reason: reason)
    }
  }

  private func name(of place: StepPlace) -> String {
    guard resolved.steps.indices.contains(place.index) else { return "" }
    return resolved.steps[place.index].shownName + (place.instance.map { " (instance \($0))" } ?? "")
  }

  // MARK: Steps

  func item(_ index: Int) -> (Step, Worker)? {
    guard resolved.steps.indices.contains(index), index < workers.count else { return nil }
    return (resolved.steps[index], workers[index].takeUnretainedValue())
  }

  /// Starts steps until all slots are in use, or nothing more can start. Ends the run when all is done.
  private func fill() {
    var budget = WorkflowRun.turns * options.jobs
    isOverdue = false
    isHeld = false
    resources.beginRound()
    while result == nil, stage == .steps {
      driveCopyQueue()
      if isStopped || activeCount >= options.jobs { break }
      guard let next = scheduler.first() else { break }
      // A failure has to be told, and there is none yet if nothing ran when the run was interrupted.
      if interruption != nil, activeCount > 0 || record.firstFailure != nil {
        isStopped = true
        break
      }
      if budget == 0 {
        isOverdue = true
        break
      }
      budget -= 1
      switch next {
      case .expand(let step): expand(step)
      case .start(let place):
        // A step that is only refused takes nothing.
        switch interruption == nil ? resources.take(for: place.index) : .nothing {
        case .nothing: start(place, nil)
        case .grant(let grant): start(place, grant)
        case .held(let hold):
          budget += 1
          scheduler.hold(place.index, for: hold)
          isHeld = true
        }
      }
    }
    if isStopped {
      // Nothing is waited for any more, so it is left to other runs.
      isHeld = false
      resources.beginRound()
    }
    resources.endRound()
    scheduler.endRound()
    guard result == nil, stage == .steps, activeCount == 0, !isOverdue, !isHeld else { return }
    let next = record.firstFailure == nil ? collect() : finish(nil)
    if case .phase(let phase) = next { occupy(phase) }
  }

  /// Gives a step with `foreach` its instances, because everything that it needs is there.
  private func expand(_ index: Int) {
    guard let (step, worker) = item(index), let forEach = step.forEach else { return }
    do throws(FlowError) {
      let (all, isInOrder): (Instances, Bool)
      if let known = instances[index] {
        (all, isInOrder) = known
      } else {
        (all, isInOrder) = try step.instances(
          of: forEach, context.snapshot, secrets, areInOrder: barriers[index] != nil,
          areLooking: scheduler.graph.isLooking(index))
      }
      instances[index] = (all, isInOrder)
      stepFacts?.count(index, step, all)
      if step.code.argument != nil { gathers[index] = Gather(count: all.count) }
      scheduler.expand(index, count: all.count, isInOrder: isInOrder)
      if all.count == 0 { completeStep(index) }
    } catch {
      scheduler.refuse(index)
      let place = StepPlace(index: index)
      let schedule = schedule(of: place)
      let reason = error.message.without(prefix: "step \(step.shownName): ").map(String.init)
      _ = refuse(place, schedule, step, worker, StepFailure(reason ?? error.message))
    }
  }

  /// Lets the steps go on that wait for a step of which all has ended.
  private func completeStep(_ index: Int) {
    if let gather = gathers.removeValue(forKey: index), let argument = resolved.steps[index].code.argument,
      scheduler.hasSucceeded(index)
    {
      _ = gather.finish(argument, into: context)
      publish(argument)
      if secrets.contains(argument) { learnSecret() }
    }
    instances[index] = nil
    scheduler.finish(index)
  }

  /// Starts a step in the schedule, and says when and where it runs.
  private func schedule(of place: StepPlace) -> StepSchedule {
    let facts = scheduler.start(place)
    let after = facts.after.flatMap { after in item(after.index).map { ($0.0.cName.string, after) } }
    return StepSchedule(
      ready: facts.ready, after: after, lane: freeLane, held: facts.held, barrier: barriers[place.index])
  }

  /// The step as it runs: for one with `foreach`, the instance.
  private func step(at place: StepPlace, _ step: Step) throws(FlowError) -> Step {
    guard let number = place.instance, let instances = instances[place.index]?.all else { return step }
    return try step.instance(number, instances.values(number))
  }

  /// - Parameter grant: what the step has taken.
  private func start(_ place: StepPlace, _ grant: Grant?) {
    guard let (whole, worker) = item(place.index) else { return }
    let schedule = schedule(of: place)
    let step: Step
    do throws(FlowError) { step = try self.step(at: place, whole) } catch {
      let reason = error.message.without(prefix: "step \(whole.shownName): ").map(String.init)
      _ = refuse(place, schedule, whole, worker, StepFailure(reason ?? error.message))
      return
    }
    do throws(StepFailure) {
      let volume = try volumes.volume(of: worker.location)
      let outputs = OutputWatch(step.files.outputs, in: volume, isKept: step.files.isKept)
      let task = StepTask(
        place: place, schedule: schedule, step: step, worker: worker, volume: volume, outputs: outputs,
        grant: grant)
      if let interruption { throw interruption }
      occupy(.awaitFetch(task))
    } catch { _ = refuse(place, schedule, step, worker, error) }
  }

  /// Brings the inputs of a step to where its worker runs.
  private func fetch(_ task: StepTask, in slot: Slot) -> Next {
    let transfers = Transfers(volumes, known)
    transfers.prepare(task.volume, inputs: task.step.files.inputs, [task.outputs])
    return transfers.mayCopy && !takeTurn(transfers, slot) ? .wait : .phase(.fetch(task, transfers))
  }

  private func launch(_ fetched: StepTask) -> Next {
    var task = fetched
    do throws(FlowError) {
      let values = context.snapshot
      let path = try CText(task.volume.path)
      let plan = try task.worker.prepare(task.step, values, path, settings)
      if let state, let facts = stepFacts {
        task.memory = facts.memory(of: task, values, path, settings)
        if let memory = task.memory, !task.step.files.outputs.isEmpty { state.noteBegin(memory.identity) }
      }
      // The values of instances become a list.
      let run = StepRun(
        task.step, worker: task.worker.cName.string, task.worker.type, plan, rundir: path,
        task.place.instance == nil ? context : nil,
        events: queue.isListening ? options.events : nil, position: queue.position.of(task.step, at: task.place),
        outputs: task.outputs, task.grant)
      drain(run)
      return .phase(run.result == nil ? .run(task, run) : .skip(task, run))
    } catch {
      let reason = error.message.without(prefix: "step \(task.step.shownName): ").map(String.init)
      return refuse(task, StepFailure(reason ?? error.message))
    }
  }

  /// Takes over the events of a step at once, so that all events of the run are in the order of their numbers.
  private func drain(_ run: StepRun) {
    while let event = run.takeEvent() { queue.append(event) }
  }

  /// Takes the result of a step if the step is over.
  private func take(_ running: StepTask, _ run: StepRun) -> Next {
    var task = running
    drain(run)
    guard let result = run.stepResult else { return .wait }
    if let argument = task.step.code.argument {
      if let instance = task.place.instance {
        if let (value, object) = run.given {
          gathers[task.place.index]?.add(value, object: object, for: instance)
          task.memory?.given = value
        }
      } else {
        publish(argument)
        if secrets.contains(argument) { learnSecret() }
      }
    }
    guard result.returncode == 0 else { return end(task, result) }
    do throws(StepFailure) {
      if let failure = try task.outputs.missing() { throw failure }
      let made = try task.outputs.made()
      for key in made { known.files.record(key, in: [task.volume.location]) }
      guard task.volume.location != task.worker.location, !made.isEmpty else { return complete(task, result) }
      return .phase(.awaitStore(task, result, made))
    } catch { return fail(task, result, error) }
  }

  /// Brings the outputs of a step to the volume of its worker.
  private func store(_ task: StepTask, _ result: StepResult, _ made: [VolumeKey], in slot: Slot) -> Next {
    let transfers = Transfers(volumes, known)
    transfers.deliver(made, from: task.volume, to: task.worker.location)
    return takeTurn(transfers, slot) ? .phase(.store(task, result, transfers)) : .wait
  }

  private func complete(_ task: StepTask, _ result: StepResult) -> Next {
    let placed = result.placed(at: task.place, nil)
    return end(task, state?.remember(placed, of: task, context.snapshot, known.files, volumes, secrets) ?? placed)
  }

  /// Ends a step whose commands have succeeded, and whose files have not.
  private func fail(_ task: StepTask, _ result: StepResult, _ failure: StepFailure) -> Next {
    end(task, result.failed(by: secrets.masked(failure), of: task.step))
  }

  /// Ends a step that could not be started.
  private func refuse(_ task: StepTask, _ failure: StepFailure) -> Next {
    refuse(task.place, task.schedule, task.step, task.worker, failure)
  }

  private func refuse(
    _ place: StepPlace, _ schedule: StepSchedule, _ step: Step, _ worker: Worker, _ failure: StepFailure
  ) -> Next {
    var end = CommandEnd(failure: failure, started: fws_wall()).masked(by: secrets, of: step)
    if failure.outcome == .cancelled || failure.outcome == .timeout {
      end.explanation = "was not started because \(failure.reason)"
    }
    let result = StepResult(
      step: step, worker: worker.cName.string, worker.type, end: end, limit: settings.limit, started: end.started,
      duration: 0)
    return self.end(place, schedule, result)
  }

  private func end(_ task: StepTask, _ result: StepResult) -> Next { end(task.place, task.schedule, result) }

  /// Ends a step, and decides what its failure means for the others.
  private func end(_ place: StepPlace, _ schedule: StepSchedule, _ result: StepResult) -> Next {
    let isSuccess = result.returncode == 0
    record.keep(result.placed(at: place, schedule), at: place)
    if scheduler.end(place, isSuccess: isSuccess) { completeStep(place.index) }
    if isSuccess { return .end }
    switch options.fail {
    case .stop: isStopped = true
    case .now:
      isStopped = true
      if abort == nil {
        abort = StepFailure(.cancelled, "step \(name(of: place)) failed")
        for run in running { run.cancel() }
        stopTimer()
      }
    case .last: break
    }
    return .end
  }

  /// - Parameter place: the step that the event is about; `nil` if it is about the workflow.
  private func tell(_ content: Event.Content, at place: StepPlace? = nil) {
    queue.tell(content, of: place.flatMap { place in item(place.index).map { ($0.0, place) } })
  }

  // MARK: Values

  /// The secrets of the whole run.
  var secrets: Secrets { settings.secrets }

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
  private func resume() -> Next {
    guard let state else { return restore() }
    volumes.keepCopies(at: state.copies)
    if state.isAlone() { return restore() }
    Log.write(.info, "the run begins when the commands of an earlier run, whose host has died, have ended")
    do throws(StepFailure) { return .phase(.late(try Timer(WorkflowRun.lateRound))) } catch { return finish(error) }
  }

  /// Takes over the steps that an earlier run has ended, and begins with the others.
  private func restore() -> Next {
    if let state { restore(from: state) }
    publish()
    for (place, result) in record.kept { tell(.stepRestored(result), at: place) }
    return begin()
  }

  private func restore(from state: RunState) {
    let run = Resume.Run(
      steps: resolved.steps, workers: workers, accesses: accesses, graph: scheduler.graph,
      volumes: volumes, settings: settings, values: context.snapshot, sources: resolved.placements.map(\.source))
    var resume = Resume(run, StepFacts(run), state)
    let decision = resume.decide()
    stepFacts = resume.facts
    guard let decision else { return }
    beginning = decision.beginning
    known.files = FileIndex()
    for place in decision.beginning.files { place.restore(&known.files, volumes) }
    for step in decision.restored {
      switch step {
      case .ended(let kept): restore(kept)
      case .empty(let index): expand(index)
      }
    }
  }

  /// Takes over a step that an earlier run has ended. Those that it waits for have been taken over before.
  private func restore(_ kept: Resume.Kept) {
    let place = kept.place
    if place.instance != nil, !scheduler.isExpanded(place.index) { expand(place.index) }
    for file in kept.files { file.restore(&known.files, volumes) }
    if let argument = item(place.index)?.0.code.argument, let value = kept.value {
      if let instance = place.instance {
        gathers[place.index]?.add(value, object: nil, for: instance)
      } else {
        context.set(argument, value)
      }
    }
    record.keep(kept.result.placed(at: place, nil), at: place, isRestored: true)
    if scheduler.restore(place) { completeStep(place.index) }
  }
}
