internal import CSupervisorClient
package import CSystem
package import FWBase
internal import FWSystem
internal import Glibc

/// A connection to a monitor, which runs one command after the other.
package final class Channel: Sendable {
  private let socket: Descriptor
  private let supervisor: Supervisor

  fileprivate init(fd: Int32, supervisor: Supervisor) {
    socket = Descriptor(fd)
    self.supervisor = supervisor
  }

  deinit {
    // A process that the host has forked may hold a copy, and then closing alone would tell the monitor
    // nothing; in such a process the channel is the host's.
    if !fws_is_forked(), socket.isOurs { shutdown(socket.number, Int32(SHUT_RDWR)) }
  }

  package var number: Int32 { socket.number }
  package var isOurs: Bool { socket.isOurs }

  /// To wait with.
  var fd: Int32 { socket.number }

  enum Received {
    case message
    case nothing
    /// None comes any more.
    case lost
  }

  func receive(_ reply: inout fwsv_reply) -> Received {
    guard isOurs else { return .lost }
    switch fws_channel_receive(number, &reply) {
    case 0: return .nothing
    case 1: return .message
    default: return .lost
    }
  }

  /// How a command's end came to be lost, where that is not because its monitor was killed.
  package var loss: String? {
    if !isOurs { return "this process has closed the descriptor that its monitor process tells it by" }
    // One that is still there takes messages.
    if fws_channel_stop(number) == 0 { return "its monitor process could not send how (the kernel had no memory for the message)" }
    return nil
  }

  /// False: the monitor, or the descriptor, is not there any more.
  @discardableResult
  package func stop() -> Bool { isOurs && fws_channel_stop(number) == 0 }

  /// The monitor ends the command after that time; `nil`: it may take any.
  func limit(_ seconds: Double?, grace: Double) {
    if isOurs { _ = fws_channel_limit(number, seconds.map { Int64($0 * 1e9) } ?? -1, Int64(grace * 1e9)) }
  }

  /// Whose commands its monitor runs.
  var identity: fws_identity { supervisor.identity }

  fileprivate func isOf(_ supervisor: Supervisor) -> Bool { self.supervisor === supervisor }

  /// Gives the channel back for another command; only after the monitor has said that nothing is left of
  /// the last one.
  package func release() { Supervisors.shared?.keep(self) }
}

/// A supervisor process. It ends when its control socket is closed, its monitors when their channels are.
final class Supervisor: Sendable {
  private let control: fws_fd
  let identity: fws_identity

  fileprivate init(control: fws_fd, identity: fws_identity) {
    self.control = control
    self.identity = identity
  }

  deinit { control.close() }

  /// A channel to a new monitor; `nil`: this supervisor is not there any more, or the descriptor to it is not ours.
  fileprivate func open() throws(StepFailure) -> Channel? {
    guard control.isOurs else { return nil }
    var fd: Int32 = -1
    var call: UnsafePointer<CChar>?
    let error = fws_channel_open(control.number, &fd, &call)
    if error == 0 { return Channel(fd: fd, supervisor: self) }
    if error == EPIPE || error == ECONNRESET { return nil }
    throw StepFailure("no connection to the supervisor process could be made", error, call: call.map { String(cString: $0) })
  }
}

/// The supervisors of this process. There is more than one where the threads of the host, or the host in the
/// course of time, have different users, limits, priorities and so on (identity.c).
package final class Supervisors: Sendable {
  /// `nil` if there was no memory for it.
  package static let shared = try? Supervisors()

  private let state: Guarded<State>

  private struct State {
    /// The one that was used last is the last.
    var supervisors: [Supervisor] = []
    /// Monitors without a command, with the time when they lost it; the last is taken first.
    var idle: [(channel: Channel, since: Double)] = []
  }

  private static let maxSupervisors = 8
  private static let maxIdle = 16
  /// Seconds. A monitor that nobody has needed for so long is let go when another is given back.
  private static let maxIdleTime = 10.0

  private init() throws(FlowError) {
    state = try Guarded(State())
  }

  /// What commands have that the calling thread starts.
  package func identity() throws(StepFailure) -> fws_identity {
    var identity = fws_identity()
    let error = fws_identity_now(&identity)
    guard error == 0 else { throw StepFailure("this thread's limits and rights cannot be looked at", error, call: "open") }
    return identity
  }

  /// A monitor whose commands have what the calling thread has.
  package func channel() throws(StepFailure) -> Channel {
    let identity = try identity()
    if let channel = takeIdle(identity) { return channel }
    // A supervisor that somebody has killed is seen by the socket; then another one is started.
    for _ in 0..<2 {
      let supervisor = try supervisor(identity)
      if let channel = try supervisor.open() { return channel }
      forget(supervisor)
    }
    throw StepFailure("the supervisor process ends as soon as it has been started")
  }

  private func takeIdle(_ identity: fws_identity) -> Channel? {
    while true {
      let channel = state.withLock { state -> Channel? in
        guard let index = state.idle.lastIndex(where: { $0.channel.identity == identity }) else { return nil }
        return state.idle.remove(at: index).channel
      }
      guard let channel else { return nil }
      if channel.isOurs { return channel }
    }
  }

  private func supervisor(_ identity: fws_identity) throws(StepFailure) -> Supervisor {
    // Under the lock: two threads that begin at once need one supervisor.
    try state.withLock { (state) throws(StepFailure) in
      if let index = state.supervisors.lastIndex(where: { $0.identity == identity }) {
        let supervisor = state.supervisors.remove(at: index)
        state.supervisors.append(supervisor)
        return supervisor
      }
      var control = fws_fd.none
      var call: UnsafePointer<CChar>?
      let error = fws_supervisor_start(&control, &call)
      guard error == 0 else {
        throw StepFailure(
          "the supervisor process, which runs the commands, could not be started", error, call: call.map { String(cString: $0) })
      }
      let supervisor = Supervisor(control: control, identity: identity)
      state.supervisors.append(supervisor)
      if state.supervisors.count > Supervisors.maxSupervisors {
        let old = state.supervisors.removeFirst()
        state.idle.removeAll { $0.channel.isOf(old) }
      }
      return supervisor
    }
  }

  /// Gives a request to a monitor of the calling thread's kind.
  func run(_ request: fwsv_request, _ texts: borrowing ByteBuffer, _ out: Int32, _ err: Int32, rundir: Int32)
    throws(StepFailure) -> Channel
  {
    guard let start = texts.start else { throw .noMemory }
    var request = request
    // A monitor that waits for a command may have been killed meanwhile: the next one then.
    var error = EPIPE
    var call: UnsafePointer<CChar>?
    for _ in 0..<20 where error == EPIPE || error == ECONNRESET {
      let channel = try channel()
      error = fws_channel_run(channel.number, &request, start, out, err, rundir, &call)
      // A supervisor that can make no monitor says so, and is not there to listen.
      if error == 0 || fws_channel_has_message(channel.number) { return channel }
    }
    throw StepFailure("the supervisor process does not take it", error, call: call.map { String(cString: $0) })
  }

  /// Once more without what is kept for later steps, if there was no descriptor left.
  package static func retrying<T>(_ body: () throws(StepFailure) -> T) throws(StepFailure) -> T {
    do {
      return try body()
    } catch {
      guard error.lacksDescriptors, let shared, shared.letGo() else { throw error }
      return try body()
    }
  }

  /// False: there was nothing to let go of.
  private func letGo() -> Bool {
    // It is closed after the lock.
    let old = state.withLock { state in
      let old = (idle: state.idle, supervisors: state.supervisors.dropLast())
      state.idle = []
      state.supervisors.removeFirst(old.supervisors.count)
      return old
    }
    return !old.idle.isEmpty || !old.supervisors.isEmpty
  }

  private func forget(_ supervisor: Supervisor) {
    state.withLock { state in state.supervisors.removeAll { $0 === supervisor } }
  }

  fileprivate func keep(_ channel: Channel) {
    let now = fws_monotonic()
    // What is let go is closed after the lock.
    _ = state.withLock { state in
      state.idle.append((channel, now))
      let isFull = state.idle.count > Supervisors.maxIdle
      let isOld = state.idle.count > 1 && now - state.idle[0].since > Supervisors.maxIdleTime
      return isFull || isOld ? state.idle.removeFirst().channel : nil
    }
  }
}

extension fws_identity {
  package static func == (one: fws_identity, other: fws_identity) -> Bool { one.low == other.low && one.high == other.high }
}
