/// How a step or a command ended, as the header numbers it.
public enum Outcome: Int32, Sendable {
  case exited = 0
  case signaled = 1
  case spawnFailed = 5
  case statusUnknown = 8

  /// As the JSON of a result has it.
  public var name: StaticString {
    switch self {
    case .exited: return "exited"
    case .signaled: return "signaled"
    case .spawnFailed: return "spawn_failed"
    case .statusUnknown: return "status_unknown"
    }
  }
}

/// What happened when a step was run.
public final class StepResult: Sendable {
  let step: String
  let worker: String
  let workerType: WorkerType
  let duration: Double
  let commands: [CommandRecord]
  public let outcome: Outcome
  public let returncode: Int32
  /// Why the step failed, as C text; `nil` when it did not.
  public let message: CText?
  private let outputs: [Output]
  private let errors: [Output]

  /// - Parameters:
  ///   - commands: those that ran, in order; the last decides.
  ///   - total: how many commands the step has.
  init(step: Step, worker: Worker, commands: [CommandRecord], total: Int, duration: Double) throws(FlowError) {
    self.step = step.cName.string
    self.worker = worker.cName.string
    workerType = worker.type
    self.duration = duration
    self.commands = commands
    let last = commands.last
    outcome = last?.outcome ?? .exited
    returncode = last?.returncode ?? 0
    if let last, returncode != 0 {
      let place = last.index.map { ", command \($0 + 1) of \(total)" } ?? ""
      message = try CText("step \(step.shownName)\(place) \(last.explanation)")
    } else {
      message = nil
    }
    outputs = commands.map(\.stdout).filter { $0.count > 0 }
    // What kept a command from running stands where its own complaint would.
    errors = commands.flatMap { [$0.stderr] + ($0.failure.map { [Output($0)] } ?? []) }.filter { $0.count > 0 }
  }

  public enum Stream: Int32, Sendable {
    case stdout = 1
    case stderr = 2
  }

  func outputs(of stream: Stream) -> [Output] { stream == .stdout ? outputs : errors }

  public func outputCount(of stream: Stream) -> Int { outputs(of: stream).count }

  /// The bytes that one command wrote, followed by a NUL; they live as long as the result.
  public func output(of stream: Stream, _ index: Int) -> UnsafeRawBufferPointer? {
    let list = outputs(of: stream)
    return index >= 0 && index < list.count ? list[index].bytes : nil
  }

  public func toJSON() throws(FlowError) -> UnsafeMutablePointer<UInt8> {
    var writer = JSONWriter()
    write(to: &writer)
    guard let text = writer.finish() else { throw .noMemory }
    return text
  }
}

/// What happened to one command.
struct CommandRecord: Sendable {
  /// Its number in the step, from 0; `nil` if it is about the step as a whole.
  let index: Int?
  /// After substitution.
  let command: String
  let outcome: Outcome
  let exitCode: Int32?
  let signal: Int32?
  let pid: Int32?
  /// Seconds since 1970.
  let started: Double
  let duration: Double
  let userTime: Double?
  let systemTime: Double?
  let stdout: Output
  let stderr: Output
  let survivors: [Survivor]
  /// What kept it from being run.
  let failure: String?

  var returncode: Int32 {
    switch outcome {
    case .exited: return exitCode ?? 1
    case .signaled: return signal.map { 0 - $0 } ?? 1
    case .spawnFailed, .statusUnknown: return 1
    }
  }

  /// What a message says of it, behind the command's place in the step.
  var explanation: String {
    let shown = Wording.quoted(command, limit: 100)
    switch outcome {
    case .exited:
      let code = exitCode ?? 1
      let hint = code == 127 ? " (the shell found no such command)" : code == 126 ? " (not executable)" : ""
      return "exited with status \(code)\(hint): \(shown)"
    case .signaled: return "was ended by signal \(signal ?? 0)\(signalName): \(shown)"
    case .statusUnknown: return "ended, but the host process took its exit status: \(shown)"
    case .spawnFailed: return "could not be started: \(failure ?? "")"
    }
  }

  private var signalName: String {
    switch signal {
    case 1: return " (HUP)"
    case 2: return " (INT)"
    case 3: return " (QUIT)"
    case 4: return " (ILL)"
    case 6: return " (ABRT)"
    case 7: return " (BUS)"
    case 8: return " (FPE)"
    case 9: return " (KILL)"
    case 11: return " (SEGV)"
    case 13: return " (PIPE)"
    case 14: return " (ALRM)"
    case 15: return " (TERM)"
    case 24: return " (XCPU)"
    case 25: return " (XFSZ)"
    default: return ""
    }
  }
}
