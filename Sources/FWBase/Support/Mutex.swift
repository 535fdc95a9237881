internal import CSystem

/// A value with a lock, so that one thread at a time uses the value.
@usableFromInline package final class Guarded<Value>: @unchecked Sendable {
  // The conformance is unchecked because the value is used only under the lock.
  private let mutex: UnsafeMutableRawPointer
  private let isOfProcess: Bool
  private var value: Value

  @usableFromInline package init(_ value: Value) throws(FlowError) {
    guard let mutex = fws_lock_create() else { throw .noMemory }
    self.mutex = mutex
    self.value = value
    isOfProcess = false
  }

  /// Makes the lock of what a process has once: a static property.
  package init(process which: Int, _ value: Value) {
    mutex = fws_lock_of_process(Int32(truncatingIfNeeded: which))
    self.value = value
    isOfProcess = true
  }

  @usableFromInline package func withLock<Result: ~Copyable, E: Error>(_ body: (inout Value) throws(E) -> Result)
    throws(E) -> Result
  {
    fws_lock(mutex)
    defer { fws_unlock(mutex) }
    return try body(&value)
  }

  deinit { if !isOfProcess { fws_lock_free(mutex) } }
}
