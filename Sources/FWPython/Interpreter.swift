internal import CSupervisorClient
internal import CSystem
package import FWBase
internal import FWExecution
internal import FWProcess
internal import FWSystem
internal import Glibc

/// A Python interpreter that does one job after the other: runner/ is its program.
///
/// It is a command of a monitor like any other, so it ends with the host, and with all that comes from it when it is
/// stopped. Its standard output is our connection to it; what it says on the standard error is kept for the case that
/// it cannot even begin.
final class Interpreter: @unchecked Sendable {
  // Unchecked: whoever has taken it out of the idle ones is the only one who has it.

  /// What an interpreter can be used for again.
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
  private let program: LinkedProgram
  private var incoming = ByteBuffer()
  /// Bytes of it that have been taken, and those in which no end of a line is.
  private var taken = 0
  private var searched = 0
  /// Bytes that something else has written before it was ready.
  private var foreign = 0
  /// It has said that it takes jobs.
  private(set) var isReady = false
  /// What a job leaves comes to it, and is seen.
  private(set) var isReaper = false
  /// The end of what it complained of.
  private var stderr = ByteBuffer()
  private var isStderrOpen = true

  /// Seconds without a job after which it ends.
  private static let idleTime = 60
  /// Seconds in which it takes a part of what is sent to it.
  private static let sendTime: Int32 = 10
  private static let readSize = 64 * 1024
  /// While it has no job, and has not begun with one, it has little to say; then its longest line is a value (call.py).
  private static let longestNotice = 64 << 10
  private static let longestLine = (256 << 20) + (64 << 10)
  /// What a site's own may print at the start of an interpreter.
  private static let longestPrelude = 1 << 20
  private static let longestErrorText = 4000

  /// Starts one.
  init(_ key: Key, environment: borrowing TextBlock, grace: Double) throws(StepFailure) {
    var arguments = TextBlock()
    for text in [key.program, key.program, "-c", RunnerSource.boot] { arguments.add(text) }
    program = try LinkedProgram(arguments, environment, grace: grace)
    self.key = key
    _ = fws_stream_send_within(program.control.number, Interpreter.sendTime)
    fws_epoll_add(program.epoll.number, program.stderr.number)
    let runner = RunnerSource.program(kind: key.kind, idleTime: Interpreter.idleTime)
    try send(runner.bytes, [])
  }

  /// Can be read when there is something to do.
  var fd: Int32 { program.epoll.number }

  /// Why its end is not known; `nil`: its monitor was killed.
  var loss: String? { program.channel.loss }

  private func send(_ bytes: UnsafeRawBufferPointer, _ fds: [Int32]) throws(StepFailure) {
    guard let start = bytes.baseAddress else { throw .noMemory }
    // Its monitor, which sees our end of the connection go, says what becomes of it.
    guard program.control.isOurs else { return }
    let error = fds.withUnsafeBufferPointer { list in
      fws_stream_send(program.control.number, start, bytes.count, list.baseAddress, list.count)
    }
    // One that has ended, or that never began, takes nothing; its monitor says why.
    if error == EPIPE || error == ECONNRESET { return }
    if error != 0 { throw StepFailure("\(shown) does not take its work", error, call: "sendmsg") }
  }

  /// Gives it a job, when it is ready.
  func begin(_ ticket: JobTicket) throws(StepFailure) {
    guard ticket.descriptors.allSatisfy(\.isOurs) else {
      throw StepFailure("this process has closed the descriptors that were made for it")
    }
    var line = ByteBuffer()
    line.append("{\"job\": true}\n" as StaticString)
    try send(line.bytes, ticket.descriptors.map(\.number))
    withExtendedLifetime(ticket) {}
  }

  /// Its monitor ends it after that time; `nil`: it may take any.
  func limit(_ timeout: Double?, grace: Double) { program.limit(timeout, grace: grace) }

  func stop() { program.stop() }

  enum Word {
    /// It has become ready for jobs.
    case ready
    case line(JSONValue)
    /// It does not speak as it should: why not.
    case fault(String)
  }

  enum Received {
    case something
    case nothing
    /// The interpreter speaks no more.
    case end
    case noMemory
  }

  /// Takes in what it has sent, as far as that is there.
  func receive() -> Received {
    drainStderr()
    compact()
    guard program.control.isOurs else { return .end }
    guard let room = incoming.room(for: Interpreter.readSize) else { return .noMemory }
    let count = fws_receive(program.control.number, room, Interpreter.readSize)
    if count == 0 { return .nothing }
    if count < 0 { return .end }
    incoming.commit(count)
    return .something
  }

  /// The next of what has been taken in.
  ///
  /// - Parameter works: whether it is at work.
  func nextWord(works: Bool) -> Word? {
    while let line = takeLine() {
      do throws(FlowError) {
        let value = try JSONText.parse(line)
        if isReady { return .line(value) }
        if value.read({ $0["event"]?.string == "ready" }) {
          isReady = true
          isReaper = value.read { $0["reaper"]?.boolean ?? false }
          return .ready
        }
      } catch { if isReady { return .fault("a line of it cannot be read: \(error.message)") } }
      // Before our program runs there, a site's own may print something.
      foreign += line.count + 1
    }
    let rest = incoming.count - taken
    let longest = works ? Interpreter.longestLine : Interpreter.longestNotice
    if isReady, rest > longest { return .fault("it has sent a line of more than \(longest) bytes") }
    if !isReady, foreign + rest > Interpreter.longestPrelude {
      return .fault("it has written more than \(Interpreter.longestPrelude) bytes before it was ready")
    }
    return nil
  }

  private func takeLine() -> UnsafeRawBufferPointer? {
    let all = incoming.bytes
    let from = max(searched, taken)
    guard from < all.count, let start = all.baseAddress,
      let end = memchr(start + from, Int32(UInt8(ascii: "\n")), all.count - from)
    else {
      searched = all.count
      return nil
    }
    let next = start.distance(to: UnsafeRawPointer(end))
    defer { taken = next + 1 }
    return UnsafeRawBufferPointer(rebasing: all[taken..<next])
  }

  /// Lets go of what has been taken.
  private func compact() {
    guard taken > 0 else { return }
    var rest = ByteBuffer()
    rest.append(UnsafeRawBufferPointer(rebasing: incoming.bytes[taken...]))
    swap(&incoming, &rest)
    searched = max(0, searched - taken)
    taken = 0
  }

  func monitorReply() -> fwsv_reply?? { program.monitorReply() }

  /// Whether an idle one can still be used: it has said nothing, and its monitor neither.
  var isSound: Bool {
    guard program.isOurs else { return false }
    let ready = Waiting(channel: fd).poll(0)
    if !ready.channel { return true }
    // That it is ready may be unread yet.
    guard case .nothing = receive(), nextWord(works: false) == nil, case .none = monitorReply() else { return false }
    return true
  }

  /// It must not stand still because nobody reads what it complains of.
  private func drainStderr() {
    // At most what is in the pipe: more may come all the time.
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
      guard stderr.count > 4 * Interpreter.longestErrorText else { continue }
      var end = ByteBuffer()
      end.append(UnsafeRawBufferPointer(rebasing: stderr.bytes.suffix(Interpreter.longestErrorText)))
      swap(&stderr, &end)
    }
  }

  /// The last line of what it complained of.
  var stderrText: String {
    drainStderr()
    let text = String(decoding: stderr.bytes.suffix(Interpreter.longestErrorText), as: UTF8.self)
    return text.pieces(at: "\n").last.map { MessageFormat.foreign(String($0)) } ?? ""
  }

  /// What a message calls it.
  var shown: String { "the Python interpreter \(MessageFormat.path(key.program))" }
}

/// What goes to an interpreter with a job.
final class JobTicket {
  /// The standard output and error of the job, the run directory, and a file with the job's text.
  let descriptors: [Descriptor]

  init(_ job: PythonJob, rundir: Descriptor, out: Descriptor, err: Descriptor) throws(StepFailure) {
    var text = job.text
    let number = text.withUTF8 { bytes in bytes.baseAddress.map { fws_memory_file($0, bytes.count) } ?? -ENOMEM }
    guard number >= 0 else { throw StepFailure("no memory for its arguments could be had", 0 - number, call: "memfd_create") }
    // It is read from the beginning.
    lseek(number, 0, SEEK_SET)
    descriptors = [out, err, rundir, Descriptor(number)]
  }
}

/// The interpreters of a pool that wait for a job.
package final class Interpreters: SharedResource {
  private let idle: Guarded<[Interpreter]>

  private static let maxIdle = 8

  package init() throws(FlowError) { idle = try Guarded([]) }

  /// One that is warm, or a new one.
  func take(_ key: Interpreter.Key, environment: borrowing TextBlock, grace: Double) throws(StepFailure) -> Interpreter
  {
    while let interpreter = takeIdle(key) { if interpreter.isSound { return interpreter } }
    return try Supervisors.retrying { () throws(StepFailure) in
      try Interpreter(key, environment: environment, grace: grace)
    }
  }

  private func takeIdle(_ key: Interpreter.Key) -> Interpreter? {
    idle.withLock { idle in idle.lastIndex { $0.key == key }.map { idle.remove(at: $0) } }
  }

  /// Gives one back that has done its job and left nothing.
  func keep(_ interpreter: Interpreter) {
    // What is let go ends after the lock.
    _ = idle.withLock { idle in
      idle.append(interpreter)
      return idle.count > Interpreters.maxIdle ? idle.removeFirst() : nil
    }
  }
}
