/// How a step or a command ended, as the header numbers it.
public enum Outcome: Int32, Sendable {
  case exited = 0
  case signaled = 1
  case timeout = 2
  case cancelled = 3
  case oom = 4
  case spawnFailed = 5
  case engineFailed = 6
  case outputMissing = 7
  case statusUnknown = 8
  case inputMissing = 9
  case volumeFailed = 10

  /// As the JSON of a result has it.
  public var name: StaticString {
    switch self {
    case .exited: return "exited"
    case .signaled: return "signaled"
    case .timeout: return "timeout"
    case .cancelled: return "cancelled"
    case .oom: return "oom"
    case .spawnFailed: return "spawn_failed"
    case .engineFailed: return "engine_failed"
    case .outputMissing: return "output_missing"
    case .statusUnknown: return "status_unknown"
    case .inputMissing: return "input_missing"
    case .volumeFailed: return "volume_failed"
    }
  }
}

/// The two output streams of a step.
public enum Stream: Int32, Sendable {
  case stdout = 1
  case stderr = 2

  var name: StaticString { self == .stdout ? "stdout" : "stderr" }
}

/// What happened when a step was run.
public final class StepResult: @unchecked Sendable {
  // Unchecked: nothing changes after it is made.
  /// The name of the step, as C text.
  let cStep: CText
  var step: String { cStep.string }
  let worker: String
  let workerType: WorkerType
  /// Seconds since 1970.
  let started: Double
  /// Seconds, of all attempts and the time between them.
  let duration: Double
  /// Those before the last one.
  let attempts: [Attempt]
  let last: Attempt
  /// What is worth to be known of it, whether it failed or not.
  let notes: [String]

  init(step: Step, worker: Worker, attempts: [Attempt], last: Attempt, started: Double, duration: Double) {
    cStep = step.cName
    self.worker = worker.cName.string
    workerType = worker.type
    self.attempts = attempts
    self.last = last
    self.started = started
    self.duration = duration
    notes = last.commands.flatMap(\.end.notes)
  }

  /// The same, with something else that is worth to be known.
  func noted(_ note: String) -> StepResult { StepResult(self, last: last, notes: notes + [note]) }

  public var outcome: Outcome { last.outcome }
  public var returncode: Int32 { last.returncode }
  /// Why the step failed, as C text; `nil` when it did not.
  public var message: CText? { last.message }

  public func outputCount(of stream: Stream) -> Int { last.outputs(of: stream).count }

  /// What one command wrote; it lives as long as the result.
  func output(of stream: Stream, _ index: Int) -> Output? {
    let list = last.outputs(of: stream)
    return index >= 0 && index < list.count ? list[index] : nil
  }

  /// The same, for a step whose commands have succeeded, and its files have not.
  func failed(by failure: StepFailure, of step: Step) -> StepResult {
    StepResult(self, last: last.failed(by: failure, of: step, on: workerType), notes: notes)
  }

  /// A step of which there is one thing to say.
  convenience init(step: Step, worker: Worker, end: CommandEnd, limit: String, started: Double, duration: Double) {
    let record = CommandRecord(index: nil, command: "", end)
    let attempt = Attempt(
      step: step, commands: [record], total: 0, limit: limit, engine: nil, on: worker.type, path: nil, Secrets.none)
    self.init(step: step, worker: worker, attempts: [], last: attempt, started: started, duration: duration)
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
