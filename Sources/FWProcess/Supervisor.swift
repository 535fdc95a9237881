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
    // A process that the host has forked may hold a copy of the socket, so closing alone would tell the monitor
    // nothing. In such a process itself the channel stays open, because it belongs to the host.
    if !fws_is_forked(), socket.isOurs { shutdown(socket.number, Int32(SHUT_RDWR)) }
  }

  package var number: Int32 { socket.number }
  package var isOurs: Bool { socket.isOurs }

  /// The descriptor to wait with: it becomes readable when the monitor has said something.
  var fd: Int32 { socket.number }

  enum Received {
    case message
    case nothing
    /// The monitor is gone, and no message can come any more.
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

  /// Why the end of a command is not known; `nil` where its monitor was killed.
  package var loss: String? {
    if !isOurs { return "this process has closed the descriptor on which its monitor process reports" }
    // A monitor that still exists takes messages.
    if fws_channel_stop(number) == 0 {
      return "its monitor process could not report it (the kernel had no memory for the message)"
    }
    return nil
  }

  /// Asks the monitor to end its command. Gives false where the monitor or the descriptor is gone.
  @discardableResult
  package func stop() -> Bool { isOurs && fws_channel_stop(number) == 0 }

  /// Lets the monitor close its writing end of the standard input.
  func endInput() { if isOurs { _ = fws_channel_end_input(number) } }

  /// Sends a signal to the main process of the command that runs, or to all its processes.
  func signal(_ number: Int32, toTree: Bool) { if isOurs { _ = fws_channel_signal(self.number, number, toTree) } }

  /// Sets the time after which the monitor ends the command; `nil` for no limit.
  func limit(_ seconds: Double?, grace: Double) {
    if isOurs { _ = fws_channel_limit(number, seconds.map { Int64($0 * 1e9) } ?? -1, Int64(grace * 1e9)) }
  }

  /// The identity that the commands of the monitor have: user, limits, priorities and so on.
  var identity: fws_identity { supervisor.identity }

  fileprivate func isOf(_ supervisor: Supervisor) -> Bool { self.supervisor === supervisor }

  /// Gives the channel back for another command (model: HOST_WITHOUT_STEP). The monitor must have said before that
  /// nothing is left of the last command.
  package func release() { Supervisors.shared.keep(self) }
}

/// A supervisor process. It ends when its control socket is closed, and a monitor ends when its channel is closed.
final class Supervisor: Sendable {
  private let control: fws_fd
  let identity: fws_identity

  fileprivate init(control: fws_fd, identity: fws_identity) {
    self.control = control
    self.identity = identity
  }

  deinit { control.close() }

  /// A channel to a new monitor; `nil` where this supervisor has ended, or the host has closed the descriptor to it.
  fileprivate func open() throws(StepFailure) -> Channel? {
    guard control.isOurs else { return nil }
    var fd: Int32 = -1
    var call: UnsafePointer<CChar>?
    let error = fws_channel_open(control.number, &fd, &call)
    if error == 0 { return Channel(fd: fd, supervisor: self) }
    if error == EPIPE || error == ECONNRESET { return nil }
    throw StepFailure(
      "a connection to the supervisor process could not be created", error, call: call.map { String(cString: $0) })
  }
}

/// The supervisors of this process. There is more than one where threads of the host differ in user, limits, priorities
/// and so on, or where the host changes these in the course of time (identity.c).
package final class Supervisors: Sendable {
  package static let shared = Supervisors()

  private let state = Guarded(process: FWS_LOCK_SUPERVISORS, State())

  private struct State {
    /// The supervisor that was used last stands last.
    var supervisors: [Supervisor] = []
    /// The monitors without a command, and the times since when they have none. The last one is taken first.
    var idle: [(channel: Channel, since: Double)] = []
  }

  private static let maxSupervisors = 8
  private static let maxIdle = 16
  /// A number of seconds. When a monitor is given back, the one that has been idle longest is let go if it was idle for
  /// this time.
  private static let maxIdleTime = 10.0

  private init() {}

  /// The identity of commands that the calling thread starts.
  package func identity() throws(StepFailure) -> fws_identity {
    var identity = fws_identity()
    let error = fws_identity_now(&identity)
    guard error == 0 else {
      throw StepFailure("this thread's limits and rights cannot be read", error, call: "open")
    }
    return identity
  }

  /// A channel to a monitor whose commands get the identity of the calling thread.
  package func channel() throws(StepFailure) -> Channel {
    let identity = try identity()
    if let channel = takeIdle(identity) { return channel }
    // The socket tells of a supervisor that somebody has killed. Another supervisor is started then.
    for _ in 0..<2 {
      let supervisor = try supervisor(identity)
      if let channel = try supervisor.open() { return channel }
      forget(supervisor)
      Log.write(
        .warning, "a supervisor process was lost: it was killed, or this process has closed the descriptor to it")
    }
    throw StepFailure("the supervisor process ends right after its start")
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
    // The lock is held during the start: two threads that begin at once need one supervisor.
    let (supervisor, started) = try state.withLock { (state) throws(StepFailure) -> (Supervisor, Started?) in
      if let index = state.supervisors.lastIndex(where: { $0.identity == identity }) {
        let supervisor = state.supervisors.remove(at: index)
        state.supervisors.append(supervisor)
        return (supervisor, nil)
      }
      var control = fws_fd.none
      var call: UnsafePointer<CChar>?
      let error = fws_supervisor_start(&control, &call)
      guard error == 0 else {
        throw StepFailure(
          "the supervisor process, which runs the commands, could not be started", error,
          call: call.map { String(cString: $0) })
      }
      let supervisor = Supervisor(control: control, identity: identity)
      state.supervisors.append(supervisor)
      var started = Started(others: state.supervisors.count - 1)
      if state.supervisors.count > Supervisors.maxSupervisors {
        let old = state.supervisors.removeFirst()
        state.idle.removeAll { $0.channel.isOf(old) }
        started.isOneLetGo = true
      }
      return (supervisor, started)
    }
    if let started { Log.write(.info, started.text) }
    return supervisor
  }

  /// What the log says of a supervisor that was started.
  private struct Started {
    let others: Int
    var isOneLetGo = false

    var text: String {
      if others == 0 { return "a supervisor process was started, which runs the commands" }
      return "a supervisor process was started, because the user, limits, umask or other rights of this thread are "
        + "none of those that the \(others) others have"
        + (isOneLetGo ? "; the one that was not used for the longest time ends" : "")
    }
  }

  /// Gives a request to a monitor that has the identity of the calling thread (model: HOST_ASKING).
  func run(_ request: fwsv_request, _ texts: borrowing ByteBuffer, _ streams: fws_streams, rundir: Int32)
    throws(StepFailure) -> Channel
  {
    guard let start = texts.start else { throw .noMemory }
    var request = request
    var streams = streams
    // An idle monitor may have been killed meanwhile. The next one is tried then.
    var error = EPIPE
    var call: UnsafePointer<CChar>?
    for _ in 0..<20 where error == EPIPE || error == ECONNRESET {
      let channel = try channel()
      error = fws_channel_run(channel.number, &request, start, &streams, rundir, &call)
      // A supervisor that can make no monitor says so on the channel, and then the request has no reader.
      if error == 0 || fws_channel_has_message(channel.number) { return channel }
    }
    throw StepFailure("the supervisor process did not accept it", error, call: call.map { String(cString: $0) })
  }

  /// Does something. If no descriptor was left for it, what is kept for later steps is closed, and it is tried once
  /// more.
  package static func retrying<T>(_ body: () throws(StepFailure) -> T) throws(StepFailure) -> T {
    do {
      return try body()
    } catch {
      guard error.lacksDescriptors, shared.letGo() else { throw error }
      return try body()
    }
  }

  /// Lets go of idle monitors and of all supervisors but the last. Gives false where there was nothing to let go of.
  private func letGo() -> Bool {
    // Descriptors are closed outside the lock.
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
    // The channel that is let go is closed outside the lock.
    _ = state.withLock { state in
      state.idle.append((channel, now))
      let isFull = state.idle.count > Supervisors.maxIdle
      let isOld = state.idle.count > 1 && now - state.idle[0].since > Supervisors.maxIdleTime
      return isFull || isOld ? state.idle.removeFirst().channel : nil
    }
  }
}

extension fws_identity {
  package static func == (one: fws_identity, other: fws_identity) -> Bool {
    one.low == other.low && one.high == other.high
  }
}
