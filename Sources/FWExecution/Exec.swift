internal import CSystem
package import FWBase
package import FWModel
package import FWSystem
internal import Glibc

/// A step or a workflow that runs. It goes on whenever `advance` is called, and never waits itself.
package protocol Execution: AnyObject {
  var result: ExecResult? { get }
  var waiting: Waiting { get }
  /// Gives the one descriptor that a host can wait with, or -1 if the system has none left.
  func descriptor() -> Int32
  func takeEvent() -> Event?
  /// Discards the events that nobody has taken.
  func discardEvents()
  func cancel()
  /// Takes bytes for the standard input, as many as there is room for.
  func write(_ bytes: UnsafeRawBufferPointer) throws(FlowError) -> Int
  func closeInput() throws(FlowError)
  /// The descriptor that becomes writable when there is room; `nil` where it has no descriptor of its own.
  var room: Descriptor? { get }
  /// Makes the descriptor of the host readable when there is room, or ends that.
  func awaitRoom(_ isWanted: Bool)
  func signal(_ number: Int32, _ target: SignalTarget) throws(FlowError)
  var hasEvents: Bool { get }
  /// Does everything that can be done without waiting.
  func advance(_ ready: Waiting.Ready, isListening: Bool)
}

/// A step or a workflow that was started, which any number of threads may use at the same time.
///
/// Of the threads that wait, one waits at the descriptors, without the lock, and the others wait for that thread. So no
/// descriptor is closed while somebody waits at it, and a cancel never has to wait.
///
/// `poll` is the only place where the library waits for a step or a workflow, because running one to its end means
/// starting it and waiting for it.
package final class Exec: @unchecked Sendable {
  // The conformance is unchecked because every access is under the lock, or atomic (`slot`).
  private let lock: UnsafeMutableRawPointer
  private let run: any Execution
  private var hasWaiter = false
  /// The thread that has asked for events last; `nil` if none has.
  private var listener: pthread_t?
  private let slot: UnsafeMutablePointer<UnsafeMutableRawPointer?>

  package init(_ run: any Execution) throws(FlowError) {
    guard let lock = fws_lock_create() else { throw .noMemory }
    self.lock = lock
    self.run = run
    slot = .allocate(capacity: 1)
    slot.initialize(to: nil)
  }

  deinit {
    slot.deallocate()
    fws_lock_free(lock)
  }

  /// A pointer of the host's, which the library keeps and does not use.
  package var data: UnsafeMutableRawPointer? {
    get { fws_load(slot) }
    set { fws_store(slot, newValue) }
  }

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

  /// Gives the next event; `nil` if the time has passed, or if there will be no more events.
  ///
  /// - Parameter timeout: the seconds to wait at most; a negative number stands for no limit.
  package func nextEvent(timeout: Double) -> Event? {
    fws_lock(lock)
    defer { fws_unlock(lock) }
    listener = pthread_self()
    let deadline = Deadline(timeout)
    while true {
      if let event = run.takeEvent() { return event }
      if run.result != nil || !poll(deadline, isListening: true) { return run.takeEvent() }
    }
  }

  /// Discards the events and gives the result; `nil` if the time has passed. `finish` is for callers without a limit.
  ///
  /// - Parameter timeout: the seconds to wait at most; a negative number stands for no limit.
  package func wait(timeout: Double) -> ExecResult? {
    fws_lock(lock)
    defer { fws_unlock(lock) }
    let deadline = Deadline(timeout)
    while true {
      run.discardEvents()
      if let result = run.result { return result }
      if !poll(deadline, isListening: false), run.result == nil { return nil }
    }
  }

  /// Waits for the end, and gives the result. Callers that have no limit get no optional, so none of them can report
  /// success without a result.
  package func finish() -> ExecResult {
    while true { if let result = wait(timeout: -1) { return result } }
  }

  /// Gives bytes to the standard input of the command that runs. Waits for room, and meanwhile drives the step.
  ///
  /// Whoever takes the events decides what is done with those that arrive meanwhile. If nobody does, they are dropped.
  /// If this thread does, the call returns, because they fill the memory. If another thread does, they are left to it,
  /// and no more output is read until it has taken them.
  ///
  /// - Parameters:
  ///   - timeout: the seconds to wait at most; a negative number stands for no limit.
  ///   - taken: the number of bytes that were taken, also if the call throws.
  package func write(_ bytes: UnsafeRawBufferPointer, timeout: Double, taken: inout Int) throws(FlowError) {
    fws_lock(lock)
    defer { fws_unlock(lock) }
    let deadline = Deadline(timeout)
    // Whoever calls again and again finds the descriptor watched from the last call.
    if timeout != 0 { run.awaitRoom(false) }
    var isShort = false
    defer { run.awaitRoom(isShort) }
    while true {
      // What is not taken finds no room.
      taken += try run.write(UnsafeRawBufferPointer(rebasing: bytes[taken...]))
      if taken == bytes.count { return }
      let isToReturn = run.hasEvents && listener.map { pthread_equal($0, pthread_self()) != 0 } ?? false
      isShort = isToReturn || deadline.hasPassed
      if isShort { return }
      if listener == nil { run.discardEvents() }
      if hasWaiter || run.hasEvents {
        waitForRoom(deadline)
      } else {
        _ = poll(deadline, isListening: listener != nil, room: run.room)
      }
    }
  }

  /// The longest time for which a write waits for what another thread does, in seconds.
  private static let longestTurn = 0.02

  /// Waits for room, while another thread drives the step, or has events to take before it goes on. It does so for a
  /// short time only: the other thread may leave without making room, and then nobody would drive the step.
  private func waitForRoom(_ deadline: Deadline) {
    let turn = deadline.within(Exec.longestTurn)
    // The descriptor stays open as long as this thread has it.
    guard let room = run.room else { return fws_wait(lock, turn.time) }
    fws_unlock(lock)
    _ = Waiting(room: room.number).poll(turn.left)
    withExtendedLifetime(room) {}
    fws_lock(lock)
  }

  package func closeInput() throws(FlowError) {
    fws_lock(lock)
    defer { fws_unlock(lock) }
    try run.closeInput()
  }

  package func signal(_ number: Int32, _ target: SignalTarget) throws(FlowError) {
    fws_lock(lock)
    defer { fws_unlock(lock) }
    try run.signal(number, target)
  }

  /// Waits until the step or workflow can go on, and lets it advance; or waits until another thread has done so. Gives
  /// false if the time has passed.
  ///
  /// - Parameter room: a descriptor that is waited for until it can be written to, too.
  private func poll(_ deadline: Deadline, isListening: Bool, room: Descriptor? = nil) -> Bool {
    if hasWaiter {
      if deadline.hasPassed { return false }
      fws_wait(lock, deadline.time)
      return true
    }
    hasWaiter = true
    var waiting = run.waiting
    if let room { waiting.room = room.number }
    fws_unlock(lock)
    let ready = waiting.poll(deadline.left)
    withExtendedLifetime(room) {}
    fws_lock(lock)
    hasWaiter = false
    fws_wake_all(lock)
    guard ready.isAny else { return !deadline.hasPassed }
    run.advance(ready, isListening: isListening)
    return !(ready.isGuessed && deadline.hasPassed)
  }
}

/// A time of the monotonic clock at which a wait ends.
private struct Deadline {
  let time: Double

  init(_ seconds: Double) { time = seconds < 0 || seconds > 1e9 ? .infinity : fws_monotonic() + seconds }

  private init(time: Double) { self.time = time }

  /// This deadline, or one in so many seconds if that is earlier.
  func within(_ seconds: Double) -> Deadline { Deadline(time: min(time, fws_monotonic() + seconds)) }

  /// The seconds that are left; a negative number stands for no limit.
  var left: Double { time == .infinity ? -1 : max(0, time - fws_monotonic()) }
  var hasPassed: Bool { time != .infinity && fws_monotonic() >= time }
}
