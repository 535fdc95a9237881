internal import CSystem
package import FWBase

/// A timer with a descriptor that becomes readable when the timer fires.
package final class Timer {
  private let timer: Descriptor
  /// The time at which the timer fires. It is needed if the host closes the timer's descriptor.
  private var due: Double

  package init(_ seconds: Double) throws(StepFailure) {
    due = fws_monotonic() + seconds
    let fd = fws_timer(seconds)
    guard fd >= 0 else { throw StepFailure("a timer could not be created", 0 - fd, call: "timerfd_create") }
    timer = Descriptor(fd)
  }

  package var fd: Int32 { timer.number }

  /// A number of seconds that stands for no limit: about thirty years.
  package static let never = 1e9

  package var isOver: Bool {
    let fd = timer.number
    return fd >= 0 ? fws_timer_is_over(fd) : fws_monotonic() >= due
  }

  /// Lets the timer fire now. Any thread may call this.
  package func stop() { start(0) }

  /// Sets the timer anew.
  package func set(_ seconds: Double) {
    due = fws_monotonic() + seconds
    start(seconds)
  }

  private func start(_ seconds: Double) {
    let fd = timer.number
    if fd >= 0 { fws_timer_set(fd, seconds) }
  }
}
