internal import CFlowShims
internal import Glibc

/// One call of a function of the host, as its thread and the step's command see it.
public final class Call: @unchecked Sendable {
  // Unchecked: what changes is touched under the lock only.
  enum Ending {
    case returned(JSONValue)
    case failed(RaisedException)
    /// The function gave nothing.
    case silent
    /// It was not called, with an errno.
    case unstarted(Int32)
  }

  /// How a call ended that has come back.
  struct Return {
    let ending: Ending
    let duration: Double
    let usage: Usage
  }

  private struct State {
    var ending = Ending.silent
    var returned: Return?
    var isCancelled = false
    /// Nobody takes anything of it any more.
    var isGivenUp = false
    /// Wakes the command, as long as it is there.
    var wake: (() -> Void)?
  }

  let function: Function
  let cRundir: CText
  /// The ends that are written to; closed with the call.
  private let out: Descriptor
  private let err: Descriptor
  private let directory: Descriptor
  private let arguments: [Name: CText]
  private let state: Guarded<State>
  private let began = fws_monotonic()

  init(
    _ function: Function, arguments: [Name: CText], rundir: CText, _ directory: Descriptor, out: Descriptor,
    err: Descriptor, wake: @escaping () -> Void
  ) throws(FlowError) {
    self.function = function
    self.arguments = arguments
    cRundir = rundir
    self.directory = directory
    self.out = out
    self.err = err
    state = try Guarded(State(wake: wake))
  }

  /// Begins the call on a thread of its own. Gives an errno, or 0.
  func start() -> Int32 {
    let context = Unmanaged.passRetained(self)
    let error = fws_thread_start(
      { context, error in
        guard let context else { return }
        Unmanaged<Call>.fromOpaque(context).takeRetainedValue().run(error)
      }, context.toOpaque(), directory.number)
    if error != 0 { context.release() }
    return error
  }

  /// - Parameter error: why the thread is not in the run directory.
  private func run(_ error: Int32) {
    if error == 0 {
      function.body(OpaquePointer(Unmanaged.passUnretained(self).toOpaque()), function.payload)
    } else {
      state.withLock { $0.ending = .unstarted(error) }
    }
    let usage = fws_thread_usage()
    state.withLock { state in
      state.returned = Return(
        ending: state.ending, duration: fws_monotonic() - began,
        usage: Usage(user: usage.user, system: usage.system, peakMemory: nil))
      state.wake?()
      state.wake = nil
    }
  }

  // MARK: The command's side

  var returned: Return? { state.withLock { $0.returned } }

  func cancel() { state.withLock { $0.isCancelled = true } }

  func giveUp() {
    state.withLock { state in
      state.isCancelled = true
      state.isGivenUp = true
      state.wake = nil
    }
    // Who stands in a write is told now; the end that is closed with the command may have copies.
    for end in [out, err] where end.isOurs { fws_writing_end(end.number) }
  }

  // MARK: The function's side

  public func argument(_ name: UnsafePointer<CChar>) -> UnsafePointer<CChar>? {
    arguments[Name(String(cString: name))]?.start
  }

  public var rundir: UnsafePointer<CChar> { cRundir.start }

  public var isCancelled: Bool { state.withLock { $0.isCancelled } }

  public func write(_ stream: Stream, _ bytes: UnsafeRawBufferPointer) throws(FlowError) {
    var rest = bytes
    while let start = rest.baseAddress, !rest.isEmpty {
      if state.withLock({ $0.isGivenUp }) { throw .givenUp }
      let end = stream == .stdout ? out : err
      // The host may have closed it; its result says that output is missing.
      guard end.isOurs else { throw .givenUp }
      let count = fws_writing_send(end.number, start, rest.count)
      if count >= 0 {
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
      } else if errno != EINTR {
        // It is ended only when the call has been given up.
        throw .givenUp
      }
    }
  }

  public func give(_ json: UnsafeRawBufferPointer) throws(FlowError) {
    let value = try JSONText.parse(json)
    try end(with: .returned(value))
  }

  public func fail(type: String, message: String, trace: String?) throws(FlowError) {
    try end(with: .failed(RaisedException(type: type, message: message, trace: trace ?? "")))
  }

  private func end(with ending: Ending) throws(FlowError) {
    try state.withLock { (state) throws(FlowError) in
      if state.isGivenUp { throw .givenUp }
      state.ending = ending
    }
  }
}
