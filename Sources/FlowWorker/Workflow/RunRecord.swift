internal import FWBase
internal import FWModel
internal import FWVolumes

/// What a run has to tell at its end.
struct RunRecord {
  /// Whether only the results of failures are kept.
  let isOfFailures: Bool
  private(set) var kept: [(place: StepPlace, result: StepResult)] = []
  var copies: [RunResult.Copy] = []
  /// The step that failed first in time.
  private(set) var firstFailure: StepPlace?
  /// How that step ended.
  private(set) var firstOutcome: Outcome?
  /// The steps that failed by themselves, or of which an instance did. Those that were only cancelled are not here.
  private(set) var failed: Set<Int> = []
  private(set) var succeeded = 0
  /// The number of steps and instances that an earlier run has ended.
  private(set) var restored = 0

  init(isOfFailures: Bool) { self.isOfFailures = isOfFailures }

  mutating func keep(_ result: StepResult, at place: StepPlace, isRestored: Bool = false) {
    let isSuccess = result.returncode == 0
    if isSuccess {
      succeeded += 1
    } else {
      firstFailure = firstFailure ?? place
      firstOutcome = firstOutcome ?? result.outcome
      if result.outcome != .cancelled { failed.insert(place.index) }
    }
    if isRestored { restored += 1 }
    if !isSuccess || !isOfFailures { kept.append((place, result)) }
  }

  /// The result of the run.
  mutating func result(
    _ facts: RunResult.Facts, total: Int, failure: StepFailure?, started: Double, duration: Double,
    context: JSONValue?, unkept: StepFailure?
  ) -> RunResult {
    // The steps have ended in any order.
    kept.sort { $0.place < $1.place }
    return RunResult(
      facts, steps: kept.map { ExecResult($0.result, isLent: true) },
      failed: firstFailure.flatMap { first in kept.firstIndex { $0.place == first } }, succeeded: succeeded,
      total: total, restored: restored, failure: failure, started: started, duration: duration, context: context,
      copies: copies, unkept: unkept)
  }
}
