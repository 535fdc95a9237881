internal import CSystem
internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWSystem
internal import FWVolumes
internal import Glibc

/// How far a workflow is: one step after the other, each with its files before and behind it, until one fails.
final class WorkflowRun: Execution {
  enum Phase {
    /// Files are looked for and copied: before the first step, before a step, behind it, and at the end.
    case moving(Transfers, TransferPhase)
    case running(StepExecution)
    /// A step that had nothing to run: it ends with the next turn, so that there is no limit to how many follow.
    case ended(StepExecution)
    case over(Report)
  }

  enum TransferPhase {
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
  var stateFailure: StepFailure?
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
  var restored = 0
  var copies: [RunResult.Copy] = []
  var isCancelled = false
  let began = fws_monotonic()
  let started = fws_wall()
  /// Is over at the deadline, and whenever something else has to be looked at.
  let timer: Pause?
  private var timerFailure: StepFailure?

  var queue = EventQueue()
  var readiness = ReadinessFD()
  private var watched: [Int32] = []

  init(
    _ workflow: Workflow, _ pool: Pool, _ arguments: Context?, basedir: String?, options text: UnsafeRawBufferPointer?,
    isListening: Bool
  ) throws(FlowError) {
    var options = WorkflowOptions()
    if let text { options = try JSONText.read(text) { (json) throws(ValidationError) in try WorkflowOptions(reading: json) } }
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
    do throws(StepFailure) { timer = try Pause(options.deadline ?? Pause.never) } catch {
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
      if case .step(let result) = report.content { tell(.stepRestored(result), step: at) }
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
    if readiness.epoll >= 0 { return readiness.epoll }
    guard readiness.open() else { return -1 }
    watch()
    readiness.raise(!isSilent)
    return readiness.works ? readiness.epoll : -1
  }

  var isSilent: Bool { queue.isEmpty }

  /// Lets the one descriptor stand for what is waited for now.
  func watch() {
    guard readiness.epoll >= 0 else { return }
    for fd in watched { readiness.forget(fd) }
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
    for fd in watched { readiness.watch(Waiting(channel: fd)) }
  }

  func takeEvent() -> Event? {
    if let event = queue.take() {
      readiness.raise(!isSilent)
      return event
    }
    if case .running(let step) = phase { return step.takeEvent() }
    return nil
  }

  func discardEvents() {
    queue.removeAll()
    if case .running(let step) = phase { step.discardEvents() }
    readiness.raise(false)
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
    case .moving(let transfers, let transferPhase): advance(transfers, transferPhase)
    case .ended(let step):
      rearm()
      finishRunning(step)
    case .over, nil: break
    }
    readiness.raise(!isSilent)
  }

  func tell(_ content: Event.Content, step: Int = -1) { queue.tell(content, step: step) }

  // MARK: Files

  private func beginInputs() {
    if let timerFailure { return finish(timerFailure) }
    do throws(StepFailure) { try watchOwnOutputs() } catch { return finish(error) }
    guard restored == 0, !resolved.files.inputs.isEmpty || !ownOutputs.isEmpty else { return beginStep() }
    move(.inputs) { (transfers) throws(StepFailure) in
      transfers.prepare(try volumes.volume(of: Volumes.main), inputs: resolved.files.inputs, ownOutputs)
    }
  }

  private func move(_ transferPhase: TransferPhase, _ task: (Transfers) throws(StepFailure) -> Void) {
    let transfers = Transfers(volumes, files)
    do throws(StepFailure) {
      try task(transfers)
      phase = .moving(transfers, transferPhase)
      // Most have nothing to copy: the next step begins without another turn.
      advance(transfers, transferPhase)
    } catch {
      finishMoving(transferPhase, error)
    }
  }

  private func advance(_ transfers: Transfers, _ transferPhase: TransferPhase) {
    if let failure = interruption {
      transfers.drop()
      return finishMoving(transferPhase, failure)
    }
    let end = transfers.advance()
    for file in transfers.takeCopied().map({ $0.masked(by: secrets) }) {
      let step = isOfStep(transferPhase) ? index : -1
      copies.append(RunResult.Copy(step: step, file: file, ended: fws_wall()))
      tell(.fileCopied(file), step: step)
    }
    guard let end else { return watch() }
    files = transfers.index
    finishMoving(transferPhase, end)
  }

  private func isOfStep(_ transferPhase: TransferPhase) -> Bool {
    switch transferPhase {
    case .before, .behind: return true
    case .inputs, .outputs: return false
    }
  }

  /// Why nothing more begins, if that is so.
  private var interruption: StepFailure? {
    if isCancelled { return StepFailure(.cancelled, "it was cancelled") }
    if settings.deadline?.hasPassed == true { return StepFailure(.timeout, "\(settings.limit) had passed") }
    return nil
  }

  private func finishMoving(_ transferPhase: TransferPhase, _ failure: StepFailure?) {
    switch transferPhase {
    case .inputs:
      if let failure { return finish(failure) }
      if !ownOutputs.isEmpty {
        do throws(StepFailure) { try state?.record(ownOutputs) } catch { stateFailure = error }
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
      finish(failure.outcome == .inputMissing ? StepFailure(.outputMissing, reason ?? failure.reason) : failure)
    }
  }

  // MARK: Steps

  var worker: Worker? { index < workers.count ? workers[index].takeUnretainedValue() : nil }

  private func beginStep() {
    guard index < resolved.steps.count, let worker else {
      guard !resolved.files.outputs.isEmpty else { return finish(nil) }
      do throws(StepFailure) { try findOwnOutputs() } catch { return finish(error) }
      // The run directory has them in the end, wherever they were made.
      return move(.outputs) { (transfers) throws(StepFailure) in
        transfers.prepare(try volumes.volume(of: Volumes.main), inputs: resolved.files.outputs, [])
      }
    }
    if let interruption { return failStep(interruption) }
    let step = resolved.steps[index]
    if state != nil { valuesBefore = try? Context(context.snapshot) }
    move(.before) { (transfers) throws(StepFailure) in
      let volume = try volumes.volume(of: worker.location)
      let watch = OutputWatch(step.files.outputs, in: volume, isKept: step.files.isKept)
      outputs = watch
      transfers.prepare(volume, inputs: step.files.inputs, [watch])
    }
  }

  private func run() {
    guard let worker else { return finish(nil) }
    let step = resolved.steps[index]
    do throws(StepFailure) {
      let volume = try volumes.volume(of: worker.location)
      var position = queue.position
      position.step = Int32(clamping: index)
      let execution = StepExecution(try stepRun(worker, step, volume.path, position))
      if execution.result == nil {
        phase = .running(execution)
      } else {
        phase = .ended(execution)
        timer?.stop()
      }
      watch()
    } catch { failStep(error) }
  }

  private func stepRun(_ worker: Worker, _ step: Step, _ rundir: String, _ position: EventQueue.Position) throws(StepFailure)
    -> StepRun
  {
    do throws(FlowError) {
      let plan = try worker.prepare(step, context.snapshot, CText(rundir), settings)
      let settings = plan.settings
      return StepRun(
        step, worker: worker.cName.string, worker.type, plan, settings, context, events: queue.isListening ? options.events : nil, position: position,
        outputs: outputs)
    } catch {
      throw StepFailure(error.message.without(prefix: "step \(step.shownName): ").map(String.init) ?? error.message)
    }
  }

  private func finishRunning(_ execution: StepExecution) {
    guard let result = execution.result else { return }
    // Those of the step come before those of what follows.
    while let event = execution.takeEvent() { queue.append(event) }
    queue.position = execution.position
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
    do throws(StepFailure) {
      let location = worker.location
      let volume = try volumes.volume(of: location)
      if let failure = try outputs?.missing() { throw failure }
      let made = try outputs?.made() ?? []
      outputs = nil
      for key in made { files.record(key, in: [volume.location]) }
      guard volume.location != location, !made.isEmpty else { return complete(result) }
      move(.behind(result)) { (transfers) throws(StepFailure) in
        transfers.deliver(made, from: volume, to: location)
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
  func failStep(_ failure: StepFailure) {
    guard let worker else { return finish(failure) }
    let step = resolved.steps[index]
    var end = CommandEnd(failure: failure, started: fws_wall()).masked(by: secrets, of: step)
    if failure.outcome == .cancelled || failure.outcome == .timeout {
      end.explanation = "was not started, because \(failure.reason)"
    }
    keep(
      StepResult(
        step: step, worker: worker.cName.string, worker.type, end: end, limit: settings.limit, started: end.started,
        duration: 0))
    finish(nil)
  }
}
