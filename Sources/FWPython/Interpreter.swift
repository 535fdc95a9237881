internal import CSupervisorClient
internal import CSystem
package import FWBase
internal import FWExecution
internal import FWProcess
internal import FWSystem
internal import Glibc

/// A Python interpreter that does one job after the other. Its program is the runner (Sources/CRunner/Runner).
///
/// An interpreter is a command of a monitor. It therefore ends with the host, and when it is stopped, all of its
/// processes end with it. Its standard output is the connection to the library. The end of its standard error is kept
/// for the message if the interpreter cannot start.
final class Interpreter: @unchecked Sendable {
  // The conformance is unchecked because an interpreter has one user at a time, which has taken it out of the list of
  // idle ones.

  /// The properties that two jobs must have in common to use the same interpreter.
  struct Key: Equatable {
    let kind: PythonJob.Kind
    let program: String
    let environment: [UInt8]
    let identity: fws_identity

    static func == (one: Key, other: Key) -> Bool {
      one.kind == other.kind && one.program.isSame(as: other.program) && one.identity == other.identity
        && one.environment == other.environment
    }
  }

  let key: Key
  /// What bounds the interpreter, which then does one job; `nil`: nothing does.
  let confinement: Confinement?
  /// The process that has sent the last line, with the number that it has here; 0 if the interpreter has no sandbox.
  private(set) var sender: Int32 = 0
  private let program: LinkedProgram
  private var lines = InterpreterLines()
  /// The end of the interpreter's standard error.
  private var stderr = ByteBuffer()
  private var isStderrOpen = true

  /// The number of seconds without a job after which the interpreter ends.
  private static let idleTime = 60
  /// The number of seconds in which the interpreter has to accept a part of the data that is sent to it.
  private static let sendTime: Int32 = 10
  private static let readSize = 64 * 1024
  private static let longestErrorText = 4000

  /// Starts an interpreter.
  init(
    _ key: Key, environment: borrowing TextBlock, grace: Double, _ confinement: Confinement?
  ) throws(StepFailure) {
    var arguments = TextBlock()
    for text in [key.program, key.program, "-c", RunnerSource.boot] { arguments.add(text) }
    program = try LinkedProgram(
      arguments, environment, grace: grace, sandbox: confinement?.request, rundir: confinement?.rundir)
    self.key = key
    self.confinement = confinement
    // In a sandbox processes have other numbers, and only the kernel knows both.
    if let error = confinement.map({ _ in fws_tell_senders(program.control.number) }), error != 0 {
      throw StepFailure("the connection to it does not tell who sends", error, call: "setsockopt")
    }
    _ = fws_stream_send_within(program.control.number, Interpreter.sendTime)
    fws_epoll_add(program.epoll.number, program.stderr.number)
    let runner = RunnerSource.program(kind: key.kind, idleTime: Interpreter.idleTime, confinement?.options)
    try send(runner, [])
  }

  /// A descriptor that becomes readable when there is something to do.
  var fd: Int32 { program.epoll.number }

  /// Why the end of the interpreter is not known; `nil` where its monitor was killed.
  var loss: String? { program.channel.loss }

  private func send(_ bytes: borrowing ByteBuffer, _ fds: [Int32]) throws(StepFailure) {
    // The interpreter would wait for the rest of a text that is cut.
    guard !bytes.isExhausted, let start = bytes.start else { throw .noMemory }
    // The monitor notices that the connection is closed, and reports what becomes of the interpreter.
    guard program.control.isOurs else { return }
    let error = fds.withUnsafeBufferPointer { list in
      fws_stream_send(program.control.number, start, bytes.count, list.baseAddress, list.count)
    }
    // An interpreter that has ended, or never started, accepts nothing. Its monitor reports why.
    if error == EPIPE || error == ECONNRESET { return }
    if error != 0 { throw StepFailure("\(shown) does not accept its job", error, call: "sendmsg") }
  }

  /// Gives a job to an interpreter that is ready.
  func begin(_ ticket: JobTicket) throws(StepFailure) {
    guard ticket.descriptors.allSatisfy(\.isOurs) else {
      throw StepFailure("this process has closed the descriptors that were made for it")
    }
    var line = ByteBuffer()
    line.append("{\"job\": true}\n" as StaticString)
    try send(line, ticket.descriptors.map(\.number))
    withExtendedLifetime(ticket) {}
  }

  /// Sets the time after which the monitor ends the interpreter; `nil` for no limit.
  func limit(_ timeout: Double?, grace: Double) { program.limit(timeout, grace: grace) }

  func stop() { program.stop() }

  enum Received {
    case something
    case nothing
    /// The interpreter has closed the connection, or the host has.
    case end
    case noMemory
  }

  /// Receives what the interpreter has sent until now.
  func receive() -> Received {
    drainStderr()
    guard program.control.isOurs else { return .end }
    let count = lines.receive(Interpreter.readSize) {
      fws_receive_from(program.control.number, $0, Interpreter.readSize, &sender)
    }
    guard let count else { return .noMemory }
    return count > 0 ? .something : count == 0 ? .nothing : .end
  }

  /// Whether the interpreter has reported that it takes jobs.
  var isReady: Bool { lines.isReady }
  /// Whether the interpreter sees the processes that a job leaves.
  var isReaper: Bool { lines.isReaper }

  /// The next message among the received data.
  ///
  /// - Parameter isWorking: whether the interpreter does a job.
  func nextMessage(isWorking: Bool) -> InterpreterLines.Message? { lines.next(isWorking: isWorking) }

  /// The reply of the monitor, as `LinkedProgram.monitorReply` describes it.
  func monitorReply() -> fwsv_reply?? { program.monitorReply() }

  /// Whether an idle interpreter can still be used: neither the interpreter nor its monitor has sent anything.
  var isSound: Bool {
    guard program.isOurs else { return false }
    let ready = Waiting(channel: fd).poll(0)
    if !ready.channel { return true }
    // The message that it is ready may still be unread.
    guard case .nothing = receive(), nextMessage(isWorking: false) == nil, case .none = monitorReply() else {
      return false
    }
    return true
  }

  /// Reads the standard error, so that the interpreter never waits at a full pipe.
  private func drainStderr() {
    // No more is read than a pipe can hold, because more may come all the time.
    for _ in 0..<16 where isStderrOpen {
      guard program.stderr.isOurs, let room = stderr.room(for: 4096) else { return }
      let count = read(program.stderr.number, room, 4096)
      if count > 0 {
        stderr.commit(count)
      } else if count == 0 || errno != EINTR && errno != EAGAIN {
        isStderrOpen = false
        fws_epoll_remove(program.epoll.number, program.stderr.number)
      } else if errno == EAGAIN {
        break
      }
      if stderr.count > 4 * Interpreter.longestErrorText {
        stderr.removeFirst(stderr.count - Interpreter.longestErrorText)
      }
    }
  }

  /// The last line of the standard error.
  var stderrText: String {
    drainStderr()
    let text = String(decoding: stderr.bytes.suffix(Interpreter.longestErrorText), as: UTF8.self)
    return text.pieces(at: "\n").last.map { MessageFormat.foreign(String($0)) } ?? ""
  }

  /// The name of the interpreter in messages.
  var shown: String { "the Python interpreter \(MessageFormat.path(key.program))" }
}

/// The descriptors that are sent to an interpreter with a job.
final class JobTicket {
  /// The standard output and error of the job, the run directory unless the interpreter is in it, and a file with the
  /// job's text.
  let descriptors: [Descriptor]

  init(_ job: PythonJob, rundir: Descriptor?, out: Descriptor, err: Descriptor) throws(StepFailure) {
    var text = job.text
    let number = text.withUTF8 { bytes in bytes.baseAddress.map { fws_memory_file($0, bytes.count) } ?? -ENOMEM }
    guard number >= 0 else {
      throw StepFailure("a memory file for its arguments could not be created", 0 - number, call: "memfd_create")
    }
    // The interpreter reads the file from the beginning.
    lseek(number, 0, SEEK_SET)
    descriptors = [out, err] + (rundir.map { [$0] } ?? []) + [Descriptor(number)]
  }
}

/// The idle interpreters of a pool.
package final class Interpreters: SharedResource {
  private let idle: Guarded<[Interpreter]>

  private static let maxIdle = 8

  package init() throws(FlowError) { idle = try Guarded([]) }

  /// Returns an idle interpreter, or a new one. One in a sandbox is always new.
  func take(
    _ key: Interpreter.Key, environment: borrowing TextBlock, grace: Double, _ confinement: Confinement?
  ) throws(StepFailure) -> Interpreter {
    while confinement == nil, let interpreter = takeIdle(key) { if interpreter.isSound { return interpreter } }
    let interpreter = try Supervisors.retrying { () throws(StepFailure) in
      try Interpreter(key, environment: environment, grace: grace, confinement)
    }
    let job = confinement != nil ? "a step in a sandbox" : key.kind == .notebook ? "notebooks" : "functions"
    Log.write(.info, "the Python interpreter \(MessageFormat.path(key.program)) was started, for \(job)")
    return interpreter
  }

  private func takeIdle(_ key: Interpreter.Key) -> Interpreter? {
    idle.withLock { idle in idle.lastIndex { $0.key == key }.map { idle.remove(at: $0) } }
  }

  /// Takes back an interpreter whose job has left no process.
  func keep(_ interpreter: Interpreter) {
    // A surplus interpreter is ended outside the lock.
    _ = idle.withLock { idle in
      idle.append(interpreter)
      return idle.count > Interpreters.maxIdle ? idle.removeFirst() : nil
    }
  }
}
