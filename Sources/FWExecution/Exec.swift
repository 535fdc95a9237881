internal import CSystem
package import FWBase
package import FWModel
package import FWSystem

/// What goes on while somebody lets it advance: a step, or a workflow.
package protocol Execution: AnyObject {
  var report: Report? { get }
  var waiting: Waiting { get }
  /// The descriptor to wait with; -1 if there is none to be had.
  func descriptor() -> Int32
  func takeEvent() -> Event?
  /// Forgets the events that nobody has taken.
  func discardEvents()
  func cancel()
  /// Does what can be done now.
  func advance(_ ready: Waiting.Ready, isListening: Bool)
}

/// A step in flight.
package final class StepExecution: Execution {
  private var run: StepRun
  private var kept: Report?

  package init(_ run: consuming StepRun) { self.run = run }

  package var result: StepResult? { run.result }

  package var report: Report? {
    if kept == nil { kept = run.result.map { Report($0) } }
    return kept
  }

  /// Where the events behind those of this step have their place.
  package var position: EventQueue.Position { run.position }
  package var waiting: Waiting { run.waiting }
  package func descriptor() -> Int32 { run.descriptor() }
  package func takeEvent() -> Event? { run.takeEvent() }
  package func discardEvents() { run.discardEvents() }
  package func cancel() { run.cancel() }
  package func advance(_ ready: Waiting.Ready, isListening: Bool) { run.advance(ready, isListening: isListening) }
}

/// A step or a workflow that was started, for any number of threads.
///
/// One of the threads that wait for it waits at its descriptors, without the lock; the others wait for
/// that one. So nobody closes a descriptor that somebody waits at, and a cancel need not wait.
package final class Exec: @unchecked Sendable {
  // Unchecked: all is touched under the lock only.
  private let lock: UnsafeMutableRawPointer
  private let run: any Execution
  private var hasWaiter = false

  package init(_ run: any Execution) throws(FlowError) {
    guard let lock = fws_lock_create() else { throw .noMemory }
    self.lock = lock
    self.run = run
  }

  deinit { fws_lock_free(lock) }

  package func descriptor() -> Int32 {
    fws_lock(lock)
    defer { fws_unlock(lock) }
    return run.descriptor()
  }

  package func cancel() {
    fws_lock(lock)
    defer { fws_unlock(lock) }
    run.cancel()
  }

  /// - Parameter timeout: seconds; negative: for ever.
  package func nextEvent(timeout: Double) -> Event? {
    fws_lock(lock)
    defer { fws_unlock(lock) }
    let deadline = Deadline(timeout)
    while true {
      if let event = run.takeEvent() { return event }
      if run.report != nil || !poll(deadline, isListening: true) { return run.takeEvent() }
    }
  }

  /// - Parameter timeout: seconds; negative: for ever.
  package func wait(timeout: Double) -> Report? {
    fws_lock(lock)
    defer { fws_unlock(lock) }
    let deadline = Deadline(timeout)
    while true {
      run.discardEvents()
      if let report = run.report { return report }
      if !poll(deadline, isListening: false), run.report == nil { return nil }
    }
  }

  /// Lets the step advance once, or another thread do it. False when the time has passed.
  private func poll(_ deadline: Deadline, isListening: Bool) -> Bool {
    if hasWaiter {
      if deadline.hasPassed { return false }
      fws_wait(lock, deadline.time)
      return true
    }
    hasWaiter = true
    let waiting = run.waiting
    fws_unlock(lock)
    let ready = waiting.poll(deadline.left)
    fws_lock(lock)
    hasWaiter = false
    fws_wake_all(lock)
    guard ready.isAny else { return !deadline.hasPassed }
    run.advance(ready, isListening: isListening)
    return !(ready.isGuessed && deadline.hasPassed)
  }
}

/// A time to wait until, of the monotonic clock.
private struct Deadline {
  let time: Double

  init(_ seconds: Double) { time = seconds < 0 || seconds > 1e9 ? .infinity : fws_monotonic() + seconds }

  /// Seconds; negative: for ever.
  var left: Double { time == .infinity ? -1 : max(0, time - fws_monotonic()) }
  var hasPassed: Bool { time != .infinity && fws_monotonic() >= time }
}

extension StepRun {
  /// Runs a step to its end in the calling thread: nobody else knows of it.
  package consuming func finished() -> StepResult {
    while true {
      if let result { return result }
      let ready = waiting.poll(-1)
      if ready.isAny { advance(ready, isListening: false) }
    }
  }
}
