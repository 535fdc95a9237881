internal import CSystem

/// The deadlines of something that waits, each with a name. Any number of them run at once: to set one leaves the others
/// as they are. The nearest is set in the timer.
package struct Deadlines<Name: Hashable> {
  private let timer: Pause
  private var times: [Name: Double] = [:]
  /// When the timer rings. It may ring too early: that is cheaper than to set it anew for each change.
  private var armed = Double.infinity

  /// - Parameter timer: one that has not been set to ring.
  package init(_ timer: Pause) { self.timer = timer }

  /// Sets one, or sets it anew.
  package mutating func set(_ name: Name, in seconds: Double) {
    let time = fws_monotonic() + seconds
    times[name] = time
    arm(time)
  }

  /// Brings one nearer, if it is not near enough.
  package mutating func bring(_ name: Name, within seconds: Double) {
    if let time = times[name], time <= fws_monotonic() + seconds { return }
    set(name, in: seconds)
  }

  package mutating func clear(_ name: Name) { times[name] = nil }

  package mutating func clearAll() { times = [:] }

  package func has(_ name: Name) -> Bool { times[name] != nil }

  /// Takes the first of those that have passed.
  package mutating func takeDue() -> Name? {
    if timer.isOver { armed = .infinity }
    guard let (name, time) = times.min(by: { $0.value < $1.value }) else { return nil }
    if time <= fws_monotonic() {
      times[name] = nil
      return name
    }
    arm(time)
    return nil
  }

  private mutating func arm(_ time: Double) {
    if time >= armed { return }
    armed = time
    timer.set(max(time - fws_monotonic(), 0))
  }
}
