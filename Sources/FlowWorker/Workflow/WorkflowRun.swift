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
    case over(Report)
  }

  enum Errand {
    case inputs
    case before
    case behind(StepResult)
    case outputs
  }

  let resolved: Workflow.Resolved
  /// Its workers live as long as it does.
  private let pool: Pool
  let workers: [Unmanaged<Worker>]
  let volumes: Volumes
  let options: WorkflowOptions
  /// For each step, with what is secret in the run.
  private(set) var settings: RunSettings
  var state: RunState?
  /// Why something is not remembered.
  var stateFailure: SpawnFailure?
  /// The values that a step began with, where its state is kept.
  private var valuesBefore: Context?
  /// The arguments, and the environments of workers and steps: where secrets are found.
  private let given: ContextValues
  private let secretEnvs: [KeyValues]
  /// Of the step's outputs.
  private var outputs: OutputWatch?
  /// Of those outputs of the workflow that no step declares, where a step may make them.
  var ownOutputs: [OutputWatch] = []
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
    let given = (arguments ?? empty).snapshot
    volumes = try Volumes(pool.volumes, basedir: basedir)
    do throws(FlowError) {
      resolved = try workflow.resolved(given)
      context = try Context(ContextValues(resolved.values, given.function))
      workers = try resolved.workers(of: pool, volumes)
    } catch {
      throw try Secrets(workflow.secretNames(pool), envs: [], [given]).masked(error)
    }
    self.given = given
    secretEnvs = resolved.environments(workers)
    files = FileIndex()
    for location in volumes.locations {
      // What the host's own directory has is looked for when it is needed.
      for key in volumes.spec(location)?.files ?? [] { files.add(key, in: location) }
    }
    var settings = options.settings
    if let seconds = options.deadline { settings.deadline = RunDeadline(in: seconds) }
    do throws(SpawnFailure) { timer = try Pause(options.deadline ?? Pause.never) } catch {
      timer = nil
      timerFailure = error
    }
    settings.secrets = try Secrets(resolved.secretNames(workers), envs: secretEnvs, [given, context.snapshot])
    self.settings = settings
    do throws(FlowError) { try resolved.check(workers, context, settings) } catch {
      throw settings.secrets.masked(error)
    }
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
    case .ended: return Waiting(stdout: timer?.fd ?? -1)
    case .over, nil: return Waiting()
    }
  }

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
    case .moving, .ended: timer?.stop()
    case .over, nil: break
    }
  }

  /// The timer has been looked at.
  func rearm() { timer?.set(settings.deadline?.left ?? Pause.never) }

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
    case .over, nil: break
    }
    signpost.raise(!isSilent)
  }

  func tell(_ content: Event.Content, step: Int = -1) { queue.tell(content, step: step) }

  // MARK: Files

  private func beginInputs() {
    if let timerFailure { return finish(timerFailure) }
    do throws(SpawnFailure) { try watchOwnOutputs() } catch { return finish(error) }
    guard kept == 0, !resolved.files.inputs.isEmpty || !ownOutputs.isEmpty else { return beginStep() }
    move(.inputs) { (transfers) throws(SpawnFailure) in
      transfers.prepare(try volumes.place(of: Volumes.main), inputs: resolved.files.inputs, ownOutputs)
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
    for file in transfers.takeCopied().map({ $0.masked(by: secrets) }) {
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
      if !ownOutputs.isEmpty {
        do throws(SpawnFailure) { try state?.record(ownOutputs) } catch { stateFailure = error }
      }
      beginStep()
    case .before:
      if let failure { return failStep(failure) }
      run()
    case .behind(let result):
      guard let failure else { return complete(result) }
      keep(result.failed(by: secrets.masked(failure), of: resolved.steps[index]))
      finish(nil)
    case .outputs:
      guard let failure else { return finish(nil) }
      let reason = failure.reason.without(prefix: "its input").map { "its output" + $0 }
      finish(failure.outcome == .inputMissing ? SpawnFailure(.outputMissing, reason ?? failure.reason) : failure)
    }
  }

  // MARK: Steps

  var worker: Worker? { index < workers.count ? workers[index].takeUnretainedValue() : nil }

  private func beginStep() {
    guard index < resolved.steps.count, let worker else {
      guard !resolved.files.outputs.isEmpty else { return finish(nil) }
      do throws(SpawnFailure) { try findOwnOutputs() } catch { return finish(error) }
      // The run directory has them in the end, wherever they were made.
      return move(.outputs) { (transfers) throws(SpawnFailure) in
        transfers.prepare(try volumes.place(of: Volumes.main), inputs: resolved.files.outputs, [])
      }
    }
    if let interruption { return failStep(interruption) }
    let step = resolved.steps[index]
    if state != nil { valuesBefore = try? Context(context.snapshot) }
    move(.before) { (transfers) throws(SpawnFailure) in
      let place = try volumes.place(of: worker.location)
      let watch = OutputWatch(step.files.outputs, in: place, isKept: step.files.isKept)
      outputs = watch
      transfers.prepare(place, inputs: step.files.inputs, [watch])
    }
  }

  private func run() {
    guard let worker else { return finish(nil) }
    let step = resolved.steps[index]
    do throws(SpawnFailure) {
      let place = try volumes.place(of: worker.location)
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
        step, worker, plan, settings, context, events: queue.isListening ? options.events : nil, place: place,
        outputs: outputs)
    } catch {
      throw SpawnFailure(error.message.without(prefix: "step \(step.shownName): ").map(String.init) ?? error.message)
    }
  }

  private func finishRunning(_ flight: StepFlight) {
    guard let result = flight.result else { return }
    // Those of the step come before those of what follows.
    while let event = flight.takeEvent() { queue.adopt(event) }
    queue.place = flight.place
    publish(resolved.steps[index].code.argument)
    finishStep(result)
  }

  /// The commands of a step have ended.
  func finishStep(_ result: StepResult) {
    let step = resolved.steps[index]
    if let argument = step.code.argument, secrets.contains(argument) { learnSecret() }
    guard result.returncode == 0, let worker else {
      keep(result)
      return finish(nil)
    }
    do throws(SpawnFailure) {
      let location = worker.location
      let place = try volumes.place(of: location)
      if let failure = try outputs?.missing() { throw failure }
      let made = try outputs?.made() ?? []
      outputs = nil
      for key in made { files.record(key, in: [place.location]) }
      guard place.location != location, !made.isEmpty else { return complete(result) }
      move(.behind(result)) { (transfers) throws(SpawnFailure) in
        transfers.deliver(made, from: place, to: location)
      }
    } catch {
      keep(result.failed(by: secrets.masked(error), of: step))
      finish(nil)
    }
  }

  /// What is secret in the whole run.
  var secrets: Secrets { settings.secrets }

  /// A step has given a value that another one calls secret.
  private func learnSecret() {
    // Without memory for it the step's value stays unknown to the mask, and there will be no memory for the next step.
    guard
      let learnt = try? Secrets(secrets.names, envs: [], [context.snapshot], before: secrets)
    else { return }
    settings.secrets = learnt
  }

  private func complete(_ result: StepResult) {
    keep(valuesBefore.map { remember(result, $0) } ?? result)
    index += 1
    beginStep()
  }

  func keep(_ result: StepResult) { reports.append(Report(result, isLent: true)) }

  /// The step could not be started.
  func failStep(_ failure: SpawnFailure) {
    guard let worker else { return finish(failure) }
    let step = resolved.steps[index]
    var end = CommandEnd(failure: failure, started: fws_wall()).masked(by: secrets, of: step)
    if failure.outcome == .cancelled || failure.outcome == .timeout {
      end.explanation = "was not started, because \(failure.reason)"
    }
    keep(StepResult(step: step, worker: worker, end: end, limit: settings.limit, started: end.started, duration: 0))
    finish(nil)
  }
}
