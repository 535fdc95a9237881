internal import CSystem

/// What ends a phase of a command when the thing that the phase waits for does not come. There is no default, and no
/// limit without an alarm or a reason: a phase that could wait for ever cannot be written by an oversight.
package struct PhaseLimit<Alarm: Hashable> {
  fileprivate let alarms: [(alarm: Alarm, seconds: Double)]

  /// An alarm rings so many seconds after the phase was entered.
  package static func rings(_ alarm: Alarm, in seconds: Double) -> PhaseLimit { PhaseLimit(alarms: [(alarm, seconds)]) }

  /// One more alarm, which runs at the same time.
  package func and(_ alarm: Alarm, in seconds: Double) -> PhaseLimit { PhaseLimit(alarms: alarms + [(alarm, seconds)]) }

  /// The phase waits for the answer to one request, and the request has a limit of its own.
  package static var request: PhaseLimit { PhaseLimit(alarms: []) }

  /// The phase may take any time.
  ///
  /// - Parameter why: what ends it for certain.
  package static func unlimited(_ why: StaticString) -> PhaseLimit { PhaseLimit(alarms: []) }

  /// No phase follows.
  package static var final: PhaseLimit { PhaseLimit(alarms: []) }
}

/// The phase in which a command is, and the alarms that run. A phase is entered with its limit, and its alarms end with
/// it.
package struct PhaseMachine<Phase, Alarm: Hashable> {
  package private(set) var phase: Phase
  private var deadlines: Deadlines<Alarm>
  /// Alarms of the command, which go on from phase to phase.
  private let lasting: Set<Alarm>

  /// - Parameters:
  ///   - timer: one that has not been set to ring.
  ///   - lasting: the alarms that do not end with a phase.
  package init(_ phase: Phase, _ limit: PhaseLimit<Alarm>, timer: Pause, lasting: Set<Alarm>) {
    self.phase = phase
    self.lasting = lasting
    deadlines = Deadlines(timer)
    enter(phase, limit)
  }

  /// Enters a phase, which may be the same one again. An alarm that the phase before had as well, and that has not
  /// rung, goes on.
  package mutating func enter(_ phase: Phase, _ limit: PhaseLimit<Alarm>) {
    self.phase = phase
    let going = lasting.union(limit.alarms.map(\.alarm))
    deadlines.clear { !going.contains($0) }
    for (alarm, seconds) in limit.alarms where !deadlines.has(alarm) { deadlines.set(alarm, in: seconds) }
  }

  /// Sets an alarm, or sets it anew.
  package mutating func set(_ alarm: Alarm, in seconds: Double) { deadlines.set(alarm, in: seconds) }

  /// Brings an alarm nearer, if it is not near enough.
  package mutating func bring(_ alarm: Alarm, within seconds: Double) { deadlines.bring(alarm, within: seconds) }

  package mutating func clear(_ alarm: Alarm) { deadlines.clear { $0 == alarm } }

  package func has(_ alarm: Alarm) -> Bool { deadlines.has(alarm) }

  /// Takes the first of the alarms whose time has come.
  package mutating func takeDue() -> Alarm? { deadlines.takeDue() }

  /// Lets whoever waits for the command advance it at once.
  package mutating func wake() { deadlines.wake() }
}

/// Deadlines with names. Any number of them run at once: to set one leaves the others as they are. The nearest is set
/// in the timer.
private struct Deadlines<Name: Hashable> {
  private let timer: Pause
  private var times: [Name: Double] = [:]
  /// When the timer rings. It may ring too early, which is cheaper than to set the timer anew for each change.
  private var armed = Double.infinity

  init(_ timer: Pause) { self.timer = timer }

  mutating func set(_ name: Name, in seconds: Double) {
    let time = fws_monotonic() + seconds
    times[name] = time
    arm(time)
  }

  mutating func bring(_ name: Name, within seconds: Double) {
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
