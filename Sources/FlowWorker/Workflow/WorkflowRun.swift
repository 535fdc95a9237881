internal import CFlowShims
internal import Glibc

/// How far a workflow is: one step after the other, each with its files before and behind it, until one fails.
final class WorkflowRun: Flight {
  enum Phase {
    /// Files are looked for and copied: before the first step, before a step, behind it, and at the end.
    case moving(Transfers, Errand)
    case running(StepFlight)
    /// A step that had nothing to run: it ends with the next turn, so that there is no limit to how many follow.
    case ended(StepFlight)
    /// The host runs the step itself; the times are of the two clocks.
    case handed(since: Double, at: Double)
    case over(Report)
  }

  enum Errand {
    case inputs
    case before
    case behind(StepResult)
    case outputs
  }

  let resolved: Workflow.Resolved
  private let pool: Pool
  let workers: [Unmanaged<Worker>]
  let volumes: Volumes
  let options: WorkflowOptions
  let settings: RunSettings
  var state: RunState?
  /// The values that a step began with, where its state is kept.
  private var valuesBefore: Context?
  /// Whether the value of the step's function is all that JSON has of it.
  var isResumable = true
  /// What commands see, and what the host gets of it.
  let context: Context
  let hostContext: Context?

  var phase: Phase?
  var index = 0
  var files: FileIndex
  var reports: [Report] = []
  var kept = 0
  var copies: [RunResult.Copy] = []
  var isCancelled = false
  let began = fws_monotonic()
  let started = fws_wall()
  /// Is over at the deadline, and whenever something else has to be looked at.
  let timer: Pause?
  private var timerFailure: SpawnFailure?
  var account: HostAccount?

  var queue = EventQueue()
  var signpost = Signpost()
  private var watched: [Int32] = []

  init(
    _ workflow: Workflow, _ pool: Pool, _ arguments: Context?, basedir: String?, options text: UnsafeRawBufferPointer?,
    isListening: Bool
  ) throws(FlowError) {
    var options = WorkflowOptions()
    if let text { options = try JSONText.read(text) { (json) throws(Refusal) in try WorkflowOptions(reading: json) } }
    self.options = options
    self.pool = pool
    hostContext = arguments
    let empty = try Context(nil)
    resolved = try workflow.resolved((arguments ?? empty).snapshot)
    context = try Context(holding: resolved.values)
    volumes = try Volumes(pool.volumes, basedir: basedir)
    files = FileIndex()
    for name in volumes.names {
      // What the host's own directory has is looked for when it is needed.
      for key in volumes.spec(name)?.files ?? [] { files.add(key, in: name) }
    }
    var settings = options.settings
    if let seconds = options.deadline { settings.deadline = RunDeadline(in: seconds) }
    do throws(SpawnFailure) { timer = try Pause(options.deadline ?? WorkflowRun.never) } catch {
      timer = nil
      timerFailure = error
    }
    self.settings = settings
    workers = try resolved.workers(of: pool, volumes, options, context)
    queue.isListening = isListening
    state = try options.state.map { (path) throws(FlowError) in try RunState(path) }
    if let state { volumes.keepCopies(at: state.copies) }
    resume()
    publish()
    tell(.runStarted(steps: resolved.steps.map(\.cName.string)))
    for (at, report) in reports.enumerated() {
      if case .step(let result) = report.content { tell(.stepKept(result), step: at) }
    }
    beginInputs()
  }

  // MARK: What callers see

  /// Whether steps are handed to the host.
  var isHanding: Bool { options.code == .host }

  var report: Report? {
    if case .over(let report) = phase { return report }
    return nil
  }

  var waiting: Waiting {
    switch phase {
    case .running(let step): return step.waiting
    case .moving(let transfers, _):
      var waiting = transfers.waiting
      waiting.stdout = timer?.fd ?? -1
      return waiting
    case .handed, .ended: return Waiting(stdout: timer?.fd ?? -1)
    case .over, nil: return Waiting()
    }
  }

  /// Seconds: some thirty years.
  private static let never = 1e9

  func descriptor() -> Int32 {
    if signpost.epoll >= 0 { return signpost.epoll }
    guard signpost.open() else { return -1 }
    watch()
    signpost.raise(!isSilent)
    return signpost.works ? signpost.epoll : -1
  }

  var isSilent: Bool { queue.isEmpty }

  /// Lets the one descriptor stand for what is waited for now.
  func watch() {
    guard signpost.epoll >= 0 else { return }
    for fd in watched { signpost.forget(fd) }
    if case .running(let step) = phase, case let fd = step.descriptor(), fd >= 0 {
      watched = [fd]
    } else if case .running = phase {
      // The system has no descriptor left: the host looks again and again.
      timer?.stop()
      watched = [timer?.fd ?? -1]
    } else {
      let waiting = waiting
      watched = [waiting.channel, waiting.stdout]
    }
    watched = watched.filter { $0 >= 0 }
    for fd in watched { signpost.watch(Waiting(channel: fd)) }
  }

  func takeEvent() -> Event? {
    if let event = queue.take() {
      signpost.raise(!isSilent)
      return event
    }
    if case .running(let step) = phase { return step.takeEvent() }
    return nil
  }

  func passOver() {
    queue.removeAll()
    if case .running(let step) = phase { step.passOver() }
    signpost.raise(false)
  }

  func cancel() {
    if isCancelled { return }
    isCancelled = true
    switch phase {
    case .running(let step): step.cancel()
    case .moving, .handed, .ended: timer?.stop()
    case .over, nil: break
    }
  }

  /// The timer has been looked at.
  func rearm() { timer?.set(settings.deadline?.left ?? WorkflowRun.never) }

  func advance(_ ready: Waiting.Ready, isListening: Bool) {
    queue.isListening = isListening
    switch phase {
    case .running(let step):
      step.advance(ready, isListening: isListening)
      if step.result != nil { finishRunning(step) }
    case .moving(let transfers, let errand): advance(transfers, errand)
    case .ended(let step):
      rearm()
      finishRunning(step)
    case .handed(let since, let started):
      if let account {
        self.account = nil
        rearm()
        finishHanded(account, since, started)
      } else if let interruption {
        failStep(interruption)
      } else {
        rearm()
      }
    case .over, nil: break
    }
    signpost.raise(!isSilent)
  }

  func tell(_ content: Event.Content, step: Int = -1) { queue.tell(content, step: step) }

  // MARK: Files

  private func beginInputs() {
    if let timerFailure { return finish(timerFailure) }
    guard kept == 0, !resolved.inputs.isEmpty else { return beginStep() }
    move(.inputs) { (transfers) throws(SpawnFailure) in
      transfers.prepare(try volumes.place(of: WorkerSpec.defaultVolume), inputs: resolved.inputs, outputs: [])
    }
  }

  private func move(_ errand: Errand, _ task: (Transfers) throws(SpawnFailure) -> Void) {
    let transfers = Transfers(volumes, files)
    do throws(SpawnFailure) {
      try task(transfers)
      phase = .moving(transfers, errand)
      // Most have nothing to copy: the next step begins without another turn.
      advance(transfers, errand)
    } catch {
      finishMoving(errand, error)
    }
  }

  private func advance(_ transfers: Transfers, _ errand: Errand) {
    if let failure = interruption {
      transfers.drop()
      return finishMoving(errand, failure)
    }
    let end = transfers.advance()
    for file in transfers.takeCopied() {
      let step = isOfStep(errand) ? index : -1
      copies.append(RunResult.Copy(step: step, file: file, ended: fws_wall()))
      tell(.fileCopied(file), step: step)
    }
    guard let end else { return watch() }
    files = transfers.index
    finishMoving(errand, end)
  }

  private func isOfStep(_ errand: Errand) -> Bool {
    switch errand {
    case .before, .behind: return true
    case .inputs, .outputs: return false
    }
  }

  /// Why nothing more begins, if that is so.
  private var interruption: SpawnFailure? {
    if isCancelled { return SpawnFailure(.cancelled, "it was cancelled") }
    if settings.deadline?.hasPassed == true { return SpawnFailure(.timeout, "\(settings.limit) had passed") }
    return nil
  }

  private func finishMoving(_ errand: Errand, _ failure: SpawnFailure?) {
    switch errand {
    case .inputs:
      if let failure { return finish(failure) }
      beginStep()
    case .before:
      if let failure { return failStep(failure) }
      run()
    case .behind(let result):
      guard let failure else { return complete(result) }
      keep(result.failed(by: failure, of: resolved.steps[index]))
      finish(nil)
    case .outputs:
      guard let failure else { return finish(nil) }
      finish(
        failure.outcome == .inputMissing
          ? SpawnFailure(.outputMissing, failure.reason.replacingFirst("its input", with: "its output")) : failure)
    }
  }

  // MARK: Steps

  var worker: Worker? { index < workers.count ? workers[index].takeUnretainedValue() : nil }

  private func beginStep() {
    guard index < resolved.steps.count, let worker else {
      guard !resolved.outputs.isEmpty else { return finish(nil) }
      // The run directory has them in the end, wherever they were made.
      return move(.outputs) { (transfers) throws(SpawnFailure) in
        transfers.prepare(try volumes.place(of: WorkerSpec.defaultVolume), inputs: resolved.outputs, outputs: [])
      }
    }
    if let interruption { return failStep(interruption) }
    let step = resolved.steps[index]
    isResumable = true
    if state != nil { valuesBefore = try? Context(holding: context.snapshot.object) }
    move(.before) { (transfers) throws(SpawnFailure) in
      transfers.prepare(try volumes.place(of: worker.cVolume.string), inputs: step.inputs, outputs: step.outputs)
    }
  }

  private func run() {
    guard let worker else { return finish(nil) }
    let step = resolved.steps[index]
    do throws(SpawnFailure) {
      let place = try volumes.place(of: worker.cVolume.string)
      if step.type == .code, worker.type == .code, options.code == .host {
        phase = .handed(since: fws_monotonic(), at: fws_wall())
        tell(.stepHanded(step: step.cName.string, worker: worker.cName.string, type: worker.type, rundir: place.path), step: index)
        return watch()
      }
      var position = queue.place
      position.step = Int32(clamping: index)
      let flight = StepFlight(try stepRun(worker, step, place.path, position))
      if flight.result == nil {
        phase = .running(flight)
      } else {
        phase = .ended(flight)
        timer?.stop()
      }
      watch()
    } catch { failStep(error) }
  }

  private func stepRun(_ worker: Worker, _ step: Step, _ rundir: String, _ place: EventQueue.Place) throws(SpawnFailure)
    -> StepRun
  {
    do throws(FlowError) {
      let plan = try worker.prepare(step, context.snapshot, CText(rundir), settings)
      let settings = plan.settings
      return StepRun(
        step, worker, plan, settings, context, events: queue.isListening ? options.events : nil, place: place)
    } catch {
      throw SpawnFailure(error.message.withoutPrefix("step \(step.shownName): "))
    }
  }

  private func finishRunning(_ flight: StepFlight) {
    guard let result = flight.result else { return }
    // Those of the step come before those of what follows.
    while let event = flight.takeEvent() { queue.adopt(event) }
    queue.place = flight.place
    publish()
    finishStep(result)
  }

  /// The commands of a step have ended.
  func finishStep(_ result: StepResult) {
    let step = resolved.steps[index]
    guard result.returncode == 0, let worker else {
      keep(result)
      return finish(nil)
    }
    do throws(SpawnFailure) {
      let volume = worker.cVolume.string
      let place = try volumes.place(of: volume)
      for key in step.outputs where try !place.has(key) {
        throw SpawnFailure(
          .outputMissing,
          "its output \(Wording.quoted(key)) is missing in \(Volumes.shown(place.name)), though its commands succeeded "
            + "(\(Wording.path(place.path)))")
      }
      for key in step.outputs { files.record(key, in: [place.name]) }
      guard place.name != volume, !step.outputs.isEmpty else { return complete(result) }
      move(.behind(result)) { (transfers) throws(SpawnFailure) in
        transfers.deliver(step.outputs, from: place, to: volume)
      }
    } catch {
      keep(result.failed(by: error, of: step))
      finish(nil)
    }
  }

  private func complete(_ result: StepResult) {
    keep(result)
    if let valuesBefore { remember(result, valuesBefore) }
    index += 1
    beginStep()
  }

  func keep(_ result: StepResult) { reports.append(Report(result, isLent: true)) }

  /// The step could not be started.
  func failStep(_ failure: SpawnFailure) {
    guard let worker else { return finish(failure) }
    let step = resolved.steps[index]
    var end = CommandEnd(failure: failure, started: fws_wall())
    if failure.outcome == .cancelled || failure.outcome == .timeout {
      end.explanation = "was not started, because \(failure.reason)"
    }
    keep(StepResult(step: step, worker: worker, end: end, limit: settings.limit, started: end.started, duration: 0))
    finish(nil)
  }
}

extension String {
  fileprivate func replacingFirst(_ text: String, with other: String) -> String {
    hasPrefix(text) ? other + dropFirst(text.count) : self
  }

  fileprivate func withoutPrefix(_ prefix: String) -> String { hasPrefix(prefix) ? String(dropFirst(prefix.count)) : self }
}
