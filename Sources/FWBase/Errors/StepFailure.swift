internal import Glibc

/// Why a command could not be started.
package struct StepFailure: Error {
  package let reason: String
  /// `spawnFailed`, or what else is at fault, and not the step: its engine, or its files.
  package let outcome: Outcome
  /// The process, or the system, has no descriptor left.
  package let lacksDescriptors: Bool
  /// The call that failed, and what is likely to help, where that is known.
  package let call: String?
  package let likely: String?

  package init(_ reason: String) { self.init(.spawnFailed, reason) }

  /// - Parameters:
  ///   - error: of errno.
  ///   - call: the name of the call that gave it.
  package init(_ reason: String, _ error: Int32, call: String? = nil) {
    let limit = SystemLimit(error, call: call)
    let shown = call.map { "\(reason) (\($0))" } ?? reason
    self.reason = MessageFormat.message("\(shown): \(errorText(error))" + (limit.shown.map { "; \($0)" } ?? ""))
    self.call = call
    likely = limit.likely
    outcome = .spawnFailed
    lacksDescriptors = error == EMFILE || error == ENFILE
  }

  package init(engine reason: String) { self.init(.engineFailed, reason) }

  package init(volume reason: String) { self.init(.volumeFailed, reason) }

  /// - Parameter error: of errno.
  package init(volume reason: String, _ error: Int32) { self.init(.volumeFailed, "\(reason): \(errorText(error))") }

  package init(_ outcome: Outcome, _ reason: String) {
    self.reason = MessageFormat.message(reason)
    self.outcome = outcome
    lacksDescriptors = false
    call = nil
    likely = nil
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
}

/// How a step or a command ended, as the header numbers it.
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

  /// As the JSON of a result has it.
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
