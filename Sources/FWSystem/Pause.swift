internal import CSystem
package import FWBase

/// The time between two attempts.
package final class Pause {
  private let timer: Descriptor
  /// When it is over, for the case that the host closes the timer.
  private var due: Double

  package init(_ seconds: Double) throws(StepFailure) {
    due = fws_monotonic() + seconds
    let fd = fws_timer(seconds)
    guard fd >= 0 else { throw StepFailure("a timer could not be created", 0 - fd, call: "timerfd_create") }
    timer = Descriptor(fd)
  }

  package var fd: Int32 { timer.number }

  /// Seconds: some thirty years.
  package static let never = 1e9

  package var isOver: Bool {
    let fd = timer.number
    return fd >= 0 ? fws_timer_is_over(fd) : fws_monotonic() >= due
  }

  /// Lets it be over; any thread may.
  package func stop() { start(0) }

  /// Begins anew.
  package func set(_ seconds: Double) {
    due = fws_monotonic() + seconds
    start(seconds)
  }

  private func start(_ seconds: Double) {
    let fd = timer.number
    if fd >= 0 { fws_timer_set(fd, seconds) }
  }
}
