internal import CSystem
internal import FWBase
internal import FWModel
internal import FWSystem

/// What the host sees of the values, and the end.
extension WorkflowRun {
  /// Lets the host see the values, of which there may be many: at the beginning.
  func publish() {
    guard let hostContext else { return }
    context.snapshot.object.read { object in
      object.forEachMember { key, value in
        if let kept = JSONValue(keeping: value) { hostContext.set(key.string, kept) }
      }
    }
  }

  /// Lets it see the value that a step has given.
  func publish(_ name: String?) {
    let values = context.snapshot
    if let name, let value = values[name].flatMap({ JSONValue(keeping: $0) }) {
      hostContext?.set(name, value, object: values.objects[Name(name)])
    }
  }

  func finish(_ failure: StepFailure?) {
    let values = context.snapshot.without(secrets.names).flatMap { secrets.masked($0) }
    let result = RunResult(
      steps: reports, total: resolved.steps.count, restored: restored, failure: failure.map { secrets.masked($0) }, started: started,
      duration: fws_monotonic() - began, context: values, copies: copies,
      unkept: stateFailure.map { secrets.masked($0) })
    state = nil
    tell(.runEnded(result))
    phase = .over(Report(result))
    watch()
    readiness.raise(!isSilent)
  }
}
