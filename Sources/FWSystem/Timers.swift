internal import CSystem
package import FWBase

/// The limits of a phase of a command: what happens if the thing that the phase waits for does not come. There is no
/// default, and each limit needs an alarm or a stated reason, so that no phase can wait forever by an oversight.
package struct PhaseLimit<Alarm: Hashable> {
  fileprivate let alarms: [(alarm: Alarm, seconds: Double)]

  /// An alarm fires a number of seconds after the phase was entered.
  package static func alarm(_ alarm: Alarm, in seconds: Double) -> PhaseLimit { PhaseLimit(alarms: [(alarm, seconds)]) }

  /// Adds an alarm that runs at the same time.
  package func and(_ alarm: Alarm, in seconds: Double) -> PhaseLimit { PhaseLimit(alarms: alarms + [(alarm, seconds)]) }

  /// The phase waits for the answer to one request, which has its own limit.
  package static var request: PhaseLimit { PhaseLimit(alarms: []) }

  /// The phase may take any time.
  ///
  /// - Parameter why: what is certain to end the phase.
  package static func unlimited(_ why: StaticString) -> PhaseLimit { PhaseLimit(alarms: []) }

  /// The limit of the last phase, which nothing follows.
  package static var final: PhaseLimit { PhaseLimit(alarms: []) }
}

/// The current phase of a command, and its running alarms. A phase is entered together with its limit, and its alarms
/// end with it.
package struct PhaseMachine<Phase, Alarm: Hashable> {
  package private(set) var phase: Phase
  private var deadlines: Deadlines<Alarm>
  /// The alarms that belong to the command and keep running when the phase changes.
  private let persistent: Set<Alarm>

  /// - Parameters:
  ///   - timer: a timer that has not been set.
  ///   - persistent: the alarms that do not end with a phase.
  package init(_ phase: Phase, _ limit: PhaseLimit<Alarm>, timer: Timer, persistent: Set<Alarm>) {
    self.phase = phase
    self.persistent = persistent
    deadlines = Deadlines(timer)
    enter(phase, limit)
  }

  /// Enters a phase, which may be the current phase again. An alarm that the previous phase had too, and that has not
  /// fired, keeps running.
  package mutating func enter(_ phase: Phase, _ limit: PhaseLimit<Alarm>) {
    self.phase = phase
    let remaining = persistent.union(limit.alarms.map(\.alarm))
    deadlines.clear { !remaining.contains($0) }
    for (alarm, seconds) in limit.alarms where !deadlines.has(alarm) { deadlines.set(alarm, in: seconds) }
  }

  /// Sets an alarm, or replaces its time.
  package mutating func set(_ alarm: Alarm, in seconds: Double) { deadlines.set(alarm, in: seconds) }

  /// Lets an alarm fire within a number of seconds. An alarm that fires earlier is left as it is.
  package mutating func shorten(_ alarm: Alarm, within seconds: Double) { deadlines.shorten(alarm, within: seconds) }

  package mutating func clear(_ alarm: Alarm) { deadlines.clear { $0 == alarm } }

  package func has(_ alarm: Alarm) -> Bool { deadlines.has(alarm) }

  /// Takes the earliest alarm whose time has come.
  package mutating func takeDue() -> Alarm? { deadlines.takeDue() }

  /// Wakes the thread that waits for the command, so that it advances the command at once.
  package mutating func wake() { deadlines.wake() }
}

/// Named deadlines. Any number of them can run at once: setting one does not change the others. The timer is set to the
/// nearest.
private struct Deadlines<Name: Hashable> {
  private let timer: Timer
  private var times: [Name: Double] = [:]
  /// The time at which the timer fires. It may fire too early, because setting the timer anew for each change would
  /// cost more.
  private var armed = Double.infinity

  init(_ timer: Timer) { self.timer = timer }

  mutating func set(_ name: Name, in seconds: Double) {
    let time = fws_monotonic() + seconds
    times[name] = time
    arm(time)
  }

  mutating func shorten(_ name: Name, within seconds: Double) {
    if let time = times[name], time <= fws_monotonic() + seconds { return }
    set(name, in: seconds)
  }

  mutating func clear(_ isOver: (Name) -> Bool) {
    for name in times.keys.filter(isOver) { times[name] = nil }
  }

  func has(_ name: Name) -> Bool { times[name] != nil }

  mutating func takeDue() -> Name? {
    if timer.isOver { armed = .infinity }
    guard let (name, time) = times.min(by: { $0.value < $1.value }) else { return nil }
    if time <= fws_monotonic() {
      times[name] = nil
      return name
    }
    arm(time)
    return nil
  }

  mutating func wake() {
    armed = 0
    timer.stop()
  }

  private mutating func arm(_ time: Double) {
    if time >= armed { return }
    armed = time
    timer.set(max(time - fws_monotonic(), 0))
  }
}

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
