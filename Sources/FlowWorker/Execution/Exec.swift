internal import CFlowShims

/// A step that was started, for any number of threads.
///
/// One of the threads that wait for it waits at its descriptors, without the lock; the others wait for
/// that one. So nobody closes a descriptor that somebody waits at, and a cancel need not wait.
public final class Exec: @unchecked Sendable {
  // Unchecked: all is touched under the lock only.
  private let lock: UnsafeMutableRawPointer
  private var run: StepRun
  private var hasWaiter = false

  init(_ run: consuming StepRun) throws(FlowError) {
    guard let lock = fws_lock_create() else { throw .noMemory }
    self.lock = lock
    self.run = run
  }

  deinit { fws_lock_free(lock) }

  public func descriptor() -> Int32 {
    fws_lock(lock)
    defer { fws_unlock(lock) }
    return run.descriptor()
  }

  public func cancel() {
    fws_lock(lock)
    defer { fws_unlock(lock) }
    run.cancel()
  }

  /// - Parameter timeout: seconds; negative: for ever.
  public func nextEvent(timeout: Double) -> Event? {
    fws_lock(lock)
    defer { fws_unlock(lock) }
    let deadline = Deadline(timeout)
    while true {
      if let event = run.takeEvent() { return event }
      if run.result != nil || !turn(deadline, isListening: true) { return run.takeEvent() }
    }
  }

  /// - Parameter timeout: seconds; negative: for ever.
  public func wait(timeout: Double) -> StepResult? {
    fws_lock(lock)
    defer { fws_unlock(lock) }
    let deadline = Deadline(timeout)
    while true {
      run.passOver()
      if let result = run.result { return result }
      if !turn(deadline, isListening: false), run.result == nil { return nil }
    }
  }

  /// Lets the step advance once, or another thread do it. False when the time has passed.
  private func turn(_ deadline: Deadline, isListening: Bool) -> Bool {
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
  consuming func finished() -> StepResult {
    while true {
      if let result { return result }
      advance(waiting.poll(-1), isListening: false)
    }
  }
}
