internal import CFlowShims

/// What the host sees of the values, and the end.
extension WorkflowRun {
  /// Lets the host see what a step has given. All values are many, and it has seen them at the beginning.
  func publish(from step: Step) {
    guard let hostContext, let argument = step.code.argument, let given = context.snapshot[argument] else { return }
    if let kept = JSONValue(keeping: given) { hostContext.set(argument, kept) }
  }

  /// Lets the host see the values.
  func publish() {
    guard let hostContext else { return }
    context.snapshot.object.read { object in
      object.forEachMember { key, value in
        if let kept = JSONValue(keeping: value) { hostContext.set(key.string, kept) }
      }
    }
  }

  func finish(_ failure: SpawnFailure?) {
    let values = context.snapshot.without(secrets.names).flatMap { secrets.masked($0) }
    let result = RunResult(
      steps: reports, total: resolved.steps.count, kept: kept, failure: failure.map { secrets.masked($0) }, started: started,
      duration: fws_monotonic() - began, context: values, copies: copies,
      unkept: stateFailure.map { secrets.masked($0) })
    state = nil
    tell(.runEnded(result))
    phase = .over(Report(result))
    watch()
    signpost.raise(!isSilent)
  }
}
