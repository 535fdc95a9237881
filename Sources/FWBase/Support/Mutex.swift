internal import CSystem

/// A value with a lock, so that one thread at a time uses the value.
@usableFromInline package final class Guarded<Value>: @unchecked Sendable {
  // The conformance is unchecked because the value is used only under the lock.
  private let mutex: UnsafeMutableRawPointer
  private var value: Value

  @usableFromInline package init(_ value: Value) throws(FlowError) {
    guard let mutex = fws_lock_create() else { throw .noMemory }
    self.mutex = mutex
    self.value = value
  }

  @usableFromInline package func withLock<Result: ~Copyable, E: Error>(_ body: (inout Value) throws(E) -> Result)
    throws(E) -> Result
  {
    fws_lock(mutex)
    defer { fws_unlock(mutex) }
    return try body(&value)
  }

  deinit { fws_lock_free(mutex) }
}
