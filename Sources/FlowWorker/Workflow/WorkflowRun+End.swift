internal import CFlowShims

/// What the host sees of the values, and the end.
extension WorkflowRun {
  /// Of values that are not told.
  var secretNames: Set<String> {
    workers.reduce(into: Set(resolved.steps.flatMap(\.secrets))) { $0.formUnion($1.takeUnretainedValue().secrets) }
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

  /// Lets it see the value that a step has given.
  func publish(_ name: String?) {
    let values = context.snapshot
    if let name, let value = values[name].flatMap({ JSONValue(keeping: $0) }) {
      hostContext?.set(name, value, unfit: values.unfit[name])
    }
  }

  func finish(_ failure: SpawnFailure?) {
    let result = RunResult(
      steps: reports, total: resolved.steps.count, kept: kept, failure: failure, started: started,
      duration: fws_monotonic() - began, context: context.snapshot.without(secretNames), copies: copies)
    state = nil
    tell(.runEnded(result))
    phase = .over(Report(result))
    watch()
    signpost.raise(!isSilent)
  }
}
