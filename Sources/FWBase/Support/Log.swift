internal import CSystem

/// The log of the host. It is off until the host sets a function, and then costs one comparison for each line that is
/// not wanted.
///
/// The function of the host runs in the thread that writes the line. So no line is written under a lock that several
/// steps share, and everything in a line has its secrets masked before.
package final class Log: @unchecked Sendable {
  // The conformance is unchecked because the payload is the host's, who says that any thread may use it.

  /// How important a line is, with the number that the header gives it.
  package enum Level: Int32, Sendable {
    /// A step or a workflow has failed.
    case error = 1
    /// Something went wrong that the library copes with, or a setting has no effect.
    case warning = 2
    /// What runs where.
    case info = 3
    /// Each command, each file and each connection.
    case debug = 4

    package var name: StaticString {
      switch self {
      case .error: return "error"
      case .warning: return "warning"
      case .info: return "info"
      case .debug: return "debug"
      }
    }
  }

  package typealias Function = @convention(c) (Int32, UnsafePointer<CChar>, UnsafeMutableRawPointer?) -> Void

  private let level: Level
  private let function: Function
  private let payload: UnsafeMutableRawPointer?
  private let release: () -> Void

  /// - Parameter release: is called when no thread is in the function any more, and none will be.
  package init(
    _ level: Level, _ function: Function, _ payload: UnsafeMutableRawPointer?, release: @escaping () -> Void
  ) {
    self.level = level
    self.function = function
    self.payload = payload
    self.release = release
  }

  deinit { release() }

  private static let current = Guarded<Log?>(process: FWS_LOCK_LOG, nil)

  /// Replaces the log; `nil` turns it off.
  package static func set(_ log: Log?) {
    // The log before is released outside the lock.
    _ = current.withLock { current -> Log? in
      fws_set_log_level(log?.level.rawValue ?? 0)
      defer { current = log }
      return current
    }
  }

  /// Writes a line, whose text is made only if the host wants it.
  package static func write(_ level: Level, _ text: @autoclosure () -> String) {
    guard fws_logs(level.rawValue), let log = current.withLock({ $0 }), level.rawValue <= log.level.rawValue else {
      return
    }
    let line = CText(message: text())
    fws_call_log(log.function, level.rawValue, line.start, log.payload)
  }
}
