internal import Glibc

/// The reason why a step, or a command of it, could not be run.
package struct StepFailure: Error {
  package let reason: String
  /// The outcome of the step: `spawnFailed`, or the outcome that names the part at fault, such as its engine or its
  /// files.
  package let outcome: Outcome
  /// Whether the process or the system has no descriptor left.
  package let lacksDescriptors: Bool
  /// The call that failed, and the remedy that is likely to help; `nil` where they are not known.
  package let call: String?
  package let likely: String?

  package init(_ reason: String) { self.init(.spawnFailed, reason) }

  /// - Parameters:
  ///   - error: the errno of the failure.
  ///   - call: the name of the call that failed with this errno.
  ///   - likely: the remedy, where more is known than the errno says.
  package init(_ reason: String, _ error: Int32, call: String? = nil, likely: String? = nil) {
    let limit = SystemLimit(error, call: call)
    let shown = call.map { "\(reason) (\($0))" } ?? reason
    self.reason = MessageFormat.message("\(shown): \(errorText(error))" + (limit.shown.map { "; \($0)" } ?? ""))
    self.call = call
    self.likely = likely ?? limit.likely
    outcome = .spawnFailed
    lacksDescriptors = error == EMFILE || error == ENFILE
  }

  package init(engine reason: String, likely: String? = nil) { self.init(.engineFailed, reason, likely: likely) }

  package init(volume reason: String) { self.init(.volumeFailed, reason) }

  /// - Parameter error: the errno of the failure.
  package init(volume reason: String, _ error: Int32) { self.init(.volumeFailed, "\(reason): \(errorText(error))") }

  package init(_ outcome: Outcome, _ reason: String, likely: String? = nil) {
    self.reason = MessageFormat.message(reason)
    self.outcome = outcome
    lacksDescriptors = false
    call = nil
    self.likely = likely
  }

  package func with(reason: String) -> StepFailure { StepFailure(self, reason: reason) }

  private init(_ other: StepFailure, reason: String) {
    self.reason = reason
    outcome = other.outcome
    lacksDescriptors = other.lacksDescriptors
    call = other.call
    likely = other.likely
  }

  package static let noMemory = StepFailure("there is not enough memory to start it")

  /// There is no memory to keep a value that a step has given, so what uses it would see another one, or none.
  package static func noMemory(forValue name: String) -> StepFailure {
    StepFailure("there is not enough memory to keep the value \(MessageFormat.quoted(name))")
  }
}

/// How a step or a command ended. The raw values are the numbers of the header.
package enum Outcome: Int32, Sendable {
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

  /// The name that the outcome has in the JSON of a result.
  package var name: StaticString {
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
