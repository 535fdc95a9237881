internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWOutput
internal import FWSystem
internal import FWVolumes
internal import CSystem

/// The life of a step in a run.
extension WorkflowRun {
  /// Starts steps until all slots are in use, or nothing more can start. Ends the run when all is done.
  func fill() {
    var budget = WorkflowRun.turns * options.jobs
    isOverdue = false
    isHeld = false
    resources.beginRound()
    fws_identity_hold()
    defer { fws_identity_let_go() }
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
  func expand(_ index: Int) {
    guard let (step, worker) = item(index), let forEach = step.forEach else { return }
    do throws(FlowError) {
      let (all, isInOrder): (Instances, Bool)
      if let known = instances[index] {
        (all, isInOrder) = known
      } else {
        (all, isInOrder) = try step.instances(
          of: forEach, context.snapshot, secrets, areInOrder: barriers[index] != nil)
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
  func completeStep(_ index: Int) {
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
  func schedule(of place: StepPlace) -> StepSchedule {
    let facts = scheduler.start(place)
    let after = facts.after.flatMap { after in item(after.index).map { ($0.0.cName.string, after) } }
    return StepSchedule(
      ready: facts.ready, after: after, lane: freeLane, held: facts.held, barrier: barriers[place.index])
  }

  /// The step as it runs: for one with `foreach`, the instance.
  func step(at place: StepPlace, _ step: Step) throws(FlowError) -> Step {
    guard let number = place.instance, let instances = instances[place.index]?.all else { return step }
    return try step.instance(number, instances.values(number))
  }

  /// - Parameter grant: what the step has taken.
  func start(_ place: StepPlace, _ grant: Grant?) {
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
  func fetch(_ task: StepTask, in slot: Slot) -> Next {
    let transfers = Transfers(volumes, known)
    transfers.prepare(task.volume, inputs: task.step.files.inputs, [task.outputs])
    return transfers.mayCopy && !copyTurns.take(transfers, slot) ? .wait : .phase(.fetch(task, transfers))
  }

  func launch(_ fetched: StepTask) -> Next {
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
  func drain(_ run: StepRun) {
    while let event = run.takeEvent() { queue.append(event) }
  }

  /// Takes the result of a step if the step is over.
  func take(_ running: StepTask, _ run: StepRun) -> Next {
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
  func store(_ task: StepTask, _ result: StepResult, _ made: [VolumeKey], in slot: Slot) -> Next {
    let transfers = Transfers(volumes, known)
    transfers.deliver(made, from: task.volume, to: task.worker.location)
    return copyTurns.take(transfers, slot) ? .phase(.store(task, result, transfers)) : .wait
  }

  func complete(_ task: StepTask, _ result: StepResult) -> Next {
    let placed = result.placed(at: task.place, nil)
    return end(task, state?.remember(placed, of: task, context.snapshot, known.files, volumes, secrets) ?? placed)
  }

  /// Ends a step whose commands have succeeded, and whose files have not.
  func fail(_ task: StepTask, _ result: StepResult, _ failure: StepFailure) -> Next {
    end(task, result.failed(by: secrets.masked(failure), of: task.step))
  }

  /// Ends a step that could not be started.
  func refuse(_ task: StepTask, _ failure: StepFailure) -> Next {
    refuse(task.place, task.schedule, task.step, task.worker, failure)
  }

  func refuse(
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

  func end(_ task: StepTask, _ result: StepResult) -> Next { end(task.place, task.schedule, result) }

  /// Ends a step, and decides what its failure means for the others.
  func end(_ place: StepPlace, _ schedule: StepSchedule, _ result: StepResult) -> Next {
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
        watch.stopTimer()
      }
    case .last: break
    }
    return .end
  }
}
