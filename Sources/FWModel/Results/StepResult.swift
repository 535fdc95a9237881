package import FWBase

/// What happened when a step was run.
package final class StepResult: @unchecked Sendable {
  // Unchecked: nothing changes after it is made.
  /// The name of the step, as C text.
  let cStep: CText
  package var step: String { cStep.string }
  package let worker: String
  package let workerType: WorkerType
  /// Seconds since 1970.
  package let started: Double
  /// Seconds, of all attempts and the time between them.
  package let duration: Double
  /// Those before the last one.
  package let attempts: [Attempt]
  package let last: Attempt
  /// What is worth to be known of it, whether it failed or not.
  let notes: [String]

  package init(
    step: Step, worker: String, _ type: WorkerType, attempts: [Attempt], last: Attempt, started: Double, duration: Double
  ) {
    cStep = step.cName
    self.worker = worker
    workerType = type
    self.attempts = attempts
    self.last = last
    self.started = started
    self.duration = duration
    notes = last.commands.flatMap(\.end.notes)
  }

  /// The same, with something else that is worth to be known.
  package func noted(_ note: String) -> StepResult { StepResult(self, last: last, notes: notes + [note]) }

  package var outcome: Outcome { last.outcome }
  package var returncode: Int32 { last.returncode }
  /// Why the step failed, as C text; `nil` when it did not.
  package var message: CText? { last.message }

  package func outputCount(of stream: Stream) -> Int { last.outputs(of: stream).count }

  /// What one command wrote; it lives as long as the result.
  package func output(of stream: Stream, _ index: Int) -> Output? {
    let list = last.outputs(of: stream)
    return index >= 0 && index < list.count ? list[index] : nil
  }

  /// The same, for a step whose commands have succeeded, and its files have not.
  package func failed(by failure: StepFailure, of step: Step) -> StepResult {
    StepResult(self, last: last.failed(by: failure, of: step, on: workerType), notes: notes)
  }

  /// A step of which there is one thing to say.
  package convenience init(
    step: Step, worker: String, _ type: WorkerType, end: CommandEnd, limit: String, started: Double, duration: Double
  ) {
    let record = CommandRecord(index: nil, command: "", end)
    let attempt = Attempt(
      step: step, commands: [record], total: 0, limit: limit, engine: nil, on: type, path: nil, Secrets.none)
    self.init(step: step, worker: worker, type, attempts: [], last: attempt, started: started, duration: duration)
  }

  private init(_ other: StepResult, last: Attempt, notes: [String]) {
    cStep = other.cStep
    worker = other.worker
    workerType = other.workerType
    attempts = other.attempts
    started = other.started
    duration = other.duration
    self.last = last
    self.notes = notes
  }
}
