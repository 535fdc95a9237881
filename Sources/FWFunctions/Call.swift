internal import CSystem
package import FWBase
package import FWModel
internal import FWSystem
internal import Glibc

/// One call of a function of the host. The thread of the function and the command of the step share it.
package final class Call: @unchecked Sendable {
  // The conformance is unchecked because everything that changes is used only under the lock.

  /// How a call ended whose function has returned.
  struct Return {
    let ending: Ending
    let duration: Double
    let usage: Usage
  }

  enum Ending {
    case reported(CallResult)
    /// The function has reported nothing.
    case silent
    /// The function has ended its thread.
    case left
    /// The function was not called, because the run directory could not be entered. The value is an errno.
    case unstarted(Int32)
  }

  /// A C function that is called when the call is cancelled.
  package typealias CancelHandler = Function.Release

  private struct State: ~Copyable {
    var ending = Ending.silent
    var returned: Return?
    var isCancelled = false
    /// Whether the step has ended without waiting for the call. Its further output and value are refused.
    var isAbandoned = false
    var cancelHandler: (function: CancelHandler, payload: UnsafeMutableRawPointer?)?
    var thrownByCancelHandler: RaisedException?
    /// Wakes the command. It is `nil` when the command no longer exists.
    var wake: (() -> Void)?
    var written = PendingOutput()
    /// The arguments that the function has asked for: their texts live as long as the call.
    var arguments: [Name: CText?] = [:]
    var action: CText?
    /// The ticket for the working directory of the process, while the call has that directory; 0 otherwise.
    var ticket: UInt64 = 0
    /// The errno for which the thread has no working directory of its own; 0 if it has one.
    var refusal: Int32 = 0
  }

  let name: String
  package let cStep: CText
  private let step: Step
  private let function: Function
  private let cRundir: CText
  private let directory: Descriptor
  private let values: CallArguments
  /// The ticket of the call in whose thread the step was started, if that call has the directory of the process; 0
  /// otherwise.
  private let parent: UInt64
  /// The number of bytes that may wait before the command is woken.
  private let wakeThreshold: Int
  private var state: State
  private let lock: UnsafeMutableRawPointer
  private let began = fws_monotonic()

  init(
    _ function: Function, _ values: CallArguments, of step: Step, rundir: CText, _ directory: Descriptor,
    hasListener: Bool,
    wake: @escaping () -> Void
  ) throws(FlowError) {
    guard let lock = fws_lock_create() else { throw .noMemory }
    self.lock = lock
    self.function = function
    self.values = values
    name = step.code.function
    self.step = step
    cStep = step.cName
    cRundir = rundir
    self.directory = directory
    parent = fws_directory_own()
    wakeThreshold = hasListener ? 1 : PendingOutput.limit / 2
    state = State(wake: wake)
  }

  deinit { fws_lock_free(lock) }

  private func withLock<Result: ~Copyable, E: Error>(_ body: (inout State) throws(E) -> Result) throws(E) -> Result {
    fws_lock(lock)
    defer { fws_unlock(lock) }
    return try body(&state)
  }

  /// Starts the call on a thread of its own. Returns 0, or an errno.
  func start() -> Int32 {
    let context = Unmanaged.passRetained(self)
    var job = fws_thread_job(
      begin: { context, refusal, error in
        Unmanaged<Call>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.begin(refusal, error) }
      }, function: function.body, payload: function.payload,
      ended: { context, end, type, message in
        guard let context else { return }
        Unmanaged<Call>.fromOpaque(context).takeRetainedValue().finish(end, type, message)
      }, context: context.toOpaque(), directory: directory.number)
    let error = fws_thread_start(&job)
    if error != 0 { context.release() }
    return error
  }

  /// Prepares the thread of the function. Returns whether the function is to be called.
  ///
  /// - Parameters:
  ///   - refusal: the errno for which the thread has no working directory of its own.
  ///   - error: the errno for which the thread is not in the run directory.
  private func begin(_ refusal: Int32, _ error: Int32) -> Bool {
    let error = refusal == 0 ? error : acquireDirectory(refusal)
    return withLock { state in
      if error != 0, error != ECANCELED { state.ending = .unstarted(error) }
      return error == 0 && !state.isCancelled
    }
  }

  private func finish(_ end: fws_host_end, _ type: UnsafePointer<CChar>?, _ message: UnsafePointer<CChar>?) {
    releaseDirectory()
    let usage = fws_thread_usage()
    let thrown = end == FWS_HOST_THREW ? RaisedException(thrown: type, message) : nil
    let wake = withLock { state in
      if let thrown { state.ending = .reported(CallResult(raised: thrown)) }
      if end == FWS_HOST_LEFT { state.ending = .left }
      state.cancelHandler = nil
      state.returned = Return(
        ending: state.ending, duration: fws_monotonic() - began,
        usage: Usage(user: usage.user, system: usage.system, peakMemory: nil))
      defer { state.wake = nil }
      return state.wake
    }
    // The lock is not held here, because the command that is woken takes it first.
    wake?()
  }

  // MARK: The working directory of the process, for a thread that has none of its own

  private func acquireDirectory(_ refusal: Int32) -> Int32 {
    withLock { $0.refusal = refusal }
    var ticket: UInt64 = 0
    let error = fws_directory_take(
      &ticket, parent, directory.number,
      { context in
        guard let context else { return true }
        return Unmanaged<Call>.fromOpaque(context).takeUnretainedValue().isCancelled
      }, Unmanaged.passUnretained(self).toOpaque())
    let isAbandoned = withLock { state in
      state.ticket = ticket
      return state.isAbandoned
    }
    if isAbandoned { releaseDirectory() }
    return error
  }

  private func releaseDirectory() {
    let ticket = withLock { state in
      defer { state.ticket = 0 }
      return state.ticket
    }
    if ticket != 0 { fws_directory_give(ticket) }
  }

  /// The errno for which the thread shares the directory of the process; 0 if it has its own.
  var refusal: Int32 { withLock { $0.refusal } }

  /// The exception that the cancellation handler has thrown.
  var thrownByCancelHandler: RaisedException? { withLock { $0.thrownByCancelHandler } }

  // MARK: The command's side

  var hasReturned: Bool { withLock { $0.returned != nil } }

  /// The output that the function has written since the last `take`, and how the call ended, if it has.
  struct Taken: ~Copyable {
    var written = PendingOutput()
    var returned: Return?
  }

  func take() -> Taken {
    withLock { state in
      var taken = Taken()
      swap(&taken.written, &state.written)
      taken.returned = state.returned
      if taken.written.isFull { fws_wake_all(lock) }
      return taken
    }
  }

  /// Asks the function to return, by its cancellation handler if it has registered one.
  func cancel() {
    withLock { state in
      state.isCancelled = true
      if let cancelHandler = state.cancelHandler {
        state.cancelHandler = nil
        state.thrownByCancelHandler = Function.callBack(cancelHandler.function, cancelHandler.payload)
      }
    }
    // The thread may be waiting for the directory of the process.
    if refusal != 0 { fws_directory_wake() }
  }

  /// Ends the step's interest in the call: further output and values of the function are refused.
  func abandon() {
    cancel()
    withLock { state in
      state.isAbandoned = true
      state.wake = nil
      state.written = PendingOutput()
      // The function may be waiting in a write.
      fws_wake_all(lock)
    }
    releaseDirectory()
  }

  // MARK: The function's side

  package func argument(_ name: UnsafePointer<CChar>) -> UnsafePointer<CChar>? {
    let name = String(cString: name)
    return withLock { state in
      if let earlier = state.arguments[Name(name)] { return earlier?.start }
      let text = values[name]
      state.arguments[Name(name)] = .some(text)
      return text?.start
    }
  }

  /// The action of the step as JSON; `nil` if there is not enough memory for it.
  package var action: UnsafePointer<CChar>? {
    withLock { state in
      if state.action == nil {
        var writer = JSONWriter()
        step.writeCall(to: &writer)
        let text = writer.buffer()
        state.action = text.isExhausted ? nil : try? CText(String(decoding: text.bytes, as: UTF8.self))
      }
      return state.action?.start
    }
  }

  package var rundir: UnsafePointer<CChar> { cRundir.start }

  package var isCancelled: Bool { withLock { $0.isCancelled } }

  /// Registers a handler that is called when the call is cancelled. It is called at once if the call has been cancelled
  /// already.
  package func setCancelHandler(_ function: @escaping CancelHandler, _ payload: UnsafeMutableRawPointer?) {
    let isLate = withLock { state in
      if !state.isCancelled { state.cancelHandler = (function, payload) }
      return state.isCancelled
    }
    if isLate, let thrown = Function.callBack(function, payload) {
      withLock { $0.thrownByCancelHandler = thrown }
    }
  }

  /// Takes output of the function. Waits while the command has too much earlier output left to take.
  ///
  /// - Parameter isPiece: whether the bytes become an element of their own in the result.
  package func write(_ stream: Stream, _ bytes: UnsafeRawBufferPointer, isPiece: Bool) throws(FlowError) {
    var rest = bytes
    try withLock { (state) throws(FlowError) in
      repeat {
        while state.written.isFull, !state.isAbandoned { fws_wait(lock, .infinity) }
        if state.isAbandoned { throw .abandoned }
        let before = state.written.count
        guard let count = state.written.add(stream, rest, isPiece: isPiece) else { throw .noMemory }
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
        if before < wakeThreshold, state.written.count >= wakeThreshold || state.written.isFull { state.wake?() }
      } while !rest.isEmpty
    }
  }

  package func setValue(_ json: UnsafeRawBufferPointer) throws(FlowError) {
    try end(with: CallResult(value: JSONText.parse(json)))
  }

  package func fail(type: String, message: String, trace: String?) throws(FlowError) {
    try end(with: CallResult(raised: RaisedException(type: type, message: message, trace: trace ?? "")))
  }

  /// - Parameter json: a report in the form that docs/reference/function-report.md describes.
  package func report(_ json: UnsafeRawBufferPointer) throws(FlowError) { try end(with: CallResult(json)) }

  private func end(with result: CallResult) throws(FlowError) {
    try withLock { (state) throws(FlowError) in
      if state.isAbandoned { throw .abandoned }
      state.ending = .reported(result)
    }
  }
}

/// The output that a function has written and that its command has not taken yet.
struct PendingOutput: ~Copyable {
  struct Part {
    let stream: Stream
    var count: Int
    /// Whether a piece of the function's output ends with this part.
    let endsPiece: Bool
  }

  private var buffer = ByteBuffer()
  private(set) var parts: [Part] = []

  /// A function waits when this number of bytes, or this number of parts, has not been taken.
  static let limit = 64 * 1024
  private static let partLimit = 4096

  var bytes: UnsafeRawBufferPointer { buffer.bytes }
  var count: Int { buffer.count }
  var isFull: Bool { buffer.count >= PendingOutput.limit || parts.count >= PendingOutput.partLimit }

  /// Adds as many bytes as there is room for, and returns their number; `nil` if there is not enough memory.
  mutating func add(_ stream: Stream, _ bytes: UnsafeRawBufferPointer, isPiece: Bool) -> Int? {
    let part = UnsafeRawBufferPointer(rebasing: bytes.prefix(PendingOutput.limit - buffer.count))
    if !part.isEmpty {
      buffer.append(part)
      if buffer.isExhausted { return nil }
    }
    let endsPiece = isPiece && part.count == bytes.count
    if let last = parts.last, last.stream == stream, !last.endsPiece, !endsPiece {
      parts[parts.count - 1].count += part.count
    } else if endsPiece || !part.isEmpty {
      parts.append(Part(stream: stream, count: part.count, endsPiece: endsPiece))
    }
    return part.count
  }
}

/// The arguments of a call. The text of each is made when the function asks for it.
struct CallArguments {
  let values: ContextValues?
  /// The key of the value of each parameter; `nil` where all keys of the context are arguments.
  let keys: [Name: String]?

  /// An argument as JSON text; `nil` if there is no such parameter, or no value for it.
  subscript(name: String) -> CText? {
    guard let key = keys.map({ $0[Name(name)] }) ?? name, let value = values?[key], let text = JSONText.compact(value)
    else {
      return nil
    }
    return try? CText(text.string)
  }
}
