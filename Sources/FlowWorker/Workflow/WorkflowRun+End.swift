internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWVolumes
internal import CSystem

/// The end of a run, and what its result says of steps that were not run.
extension WorkflowRun {
  /// - Parameter failure: the failure that ends the run; `nil` if it is a step's, or if there is none.
  func finish(_ failure: StepFailure?) -> Next {
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
  func notRun(_ failure: StepFailure?) -> [RunResult.NotRun] {
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
      let count = rest.count ?? instances[step]?.all.count
      // A step over no values has nothing to run.
      if count == 0 { return nil }
      var reason = general
      if let lack = rest.lack {
        reason = scheduler.graph.reason(from: lack, to: step) + ", which "
        let lacked = record.failed.contains(lack) ? "failed" : "was cancelled"
        reason += scheduler.hasFailed(lack) ? lacked : "was not run"
      }
      return RunResult.NotRun(
        step: resolved.steps[step].cName.string, index: step,
        instances: count, isWhole: rest.isWhole, reason: reason)
    }
  }

  func name(of place: StepPlace) -> String {
    guard resolved.steps.indices.contains(place.index) else { return "" }
    return resolved.steps[place.index].shownName + (place.instance.map { " (instance \($0))" } ?? "")
  }
}
