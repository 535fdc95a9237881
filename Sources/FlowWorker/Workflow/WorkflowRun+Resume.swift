internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWSystem
internal import FWVolumes

/// How a run takes over what an earlier run has ended.
extension WorkflowRun {
  /// Takes over the steps that an earlier run has ended, as long as nothing about them has changed.
  func resume() -> Next {
    guard let state else { return restore() }
    volumes.keepCopies(at: state.copies)
    if state.isAlone() { return restore() }
    Log.write(.info, "the run begins when the commands of an earlier run, whose host has died, have ended")
    do throws(StepFailure) { return .phase(.late(try Timer(WorkflowRun.lateRound))) } catch { return finish(error) }
  }

  /// Takes over the steps that an earlier run has ended, and begins with the others.
  func restore() -> Next {
    if let failure = state.flatMap({ restore(from: $0) }) ?? publish() { return finish(failure) }
    for (place, result) in record.kept { tell(.stepRestored(result), at: place) }
    return begin()
  }

  /// Gives why a value of these steps is lost; `nil` if none is.
  func restore(from state: RunState) -> StepFailure? {
    let run = Resume.Run(
      steps: resolved.steps, workers: workers, accesses: accesses, graph: scheduler.graph,
      volumes: volumes, settings: settings, values: context.snapshot, sources: resolved.placements.map(\.source))
    var resume = Resume(run, StepFacts(run), state)
    let decision = resume.decide()
    stepFacts = resume.facts
    guard let decision else { return nil }
    beginning = decision.beginning
    known.files = FileIndex()
    for place in decision.beginning.files { place.restore(&known.files, volumes) }
    for step in decision.restored {
      switch step {
      case .ended(let kept): if let failure = restore(kept) { return failure }
      case .empty(let index): expand(index)
      }
    }
    return nil
  }

  /// Takes over a step that an earlier run has ended. Those that it waits for have been taken over before.
  func restore(_ kept: Resume.Kept) -> StepFailure? {
    let place = kept.place
    if place.instance != nil, !scheduler.isExpanded(place.index) { expand(place.index) }
    for file in kept.files { file.restore(&known.files, volumes) }
    if let argument = item(place.index)?.0.code.argument, let value = kept.value {
      if let instance = place.instance {
        gathers[place.index]?.add(value, object: nil, for: instance)
      } else if !context.set(argument, value) {
        return StepFailure.noMemory(forValue: argument)
      }
    }
    if scheduler.lacksOneSuccess(place.index), let failure = gather(place.index) { return failure }
    record.keep(kept.result.placed(at: place, nil), at: place, isRestored: true)
    if scheduler.restore(place) { completeStep(place.index) }
    return nil
  }
}
