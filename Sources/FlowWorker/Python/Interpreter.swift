internal import CFlowShims
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
      one.kind == other.kind && one.program == other.program && one.identity == other.identity
        && one.environment == other.environment
    }
  }

  let key: Key
  private let program: LinkedProgram
  private var incoming = ByteBuffer()
  /// Bytes of it that have been taken.
  private var taken = 0
  /// It has said that it takes jobs.
  var isReady = false
  /// What a job leaves comes to it, and is seen.
  var isReaper = false

  /// Seconds without a job after which it ends.
  private static let idleTime = 60
  private static let readSize = 64 * 1024
  /// A value is one line; more than this is not waited for.
  private static let longestLine = 1 << 30

  /// Starts one.
  init(_ key: Key, environment: borrowing TextBlock, grace: Double) throws(SpawnFailure) {
    var arguments = TextBlock()
    for text in [key.program, key.program, "-c", RunnerSource.boot] { arguments.add(text) }
    program = try LinkedProgram(arguments, environment, grace: grace)
    self.key = key
    let runner = RunnerSource.program(kind: key.kind, idleTime: Interpreter.idleTime)
    try send(runner.bytes, [])
  }

  /// Can be read when there is something to do.
  var fd: Int32 { program.epoll.number }

  /// Why its end is not known; `nil`: its monitor was killed.
  var loss: String? { program.channel.loss }

  private func send(_ bytes: UnsafeRawBufferPointer, _ fds: [Int32]) throws(SpawnFailure) {
    guard let start = bytes.baseAddress else { throw .noMemory }
    // Its monitor, which sees our end of the connection go, says what becomes of it.
    guard program.control.isOurs else { return }
    let error = fds.withUnsafeBufferPointer { list in
      fws_stream_send(program.control.number, start, bytes.count, list.baseAddress, list.count)
    }
    // One that has ended, or that never began, takes nothing; its monitor says why.
    if error == EPIPE || error == ECONNRESET { return }
    if error != 0 { throw SpawnFailure("the Python interpreter \(key.program) does not take its work", error, call: "sendmsg") }
  }

  /// Gives it a job, when it is ready.
  func begin(_ ticket: JobTicket) throws(SpawnFailure) {
    guard ticket.descriptors.allSatisfy(\.isOurs) else {
      throw SpawnFailure("this process has closed the descriptors that were made for it")
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
    case nothing
    case line(JSONValue)
    /// The interpreter speaks no more, or not as it should.
    case end
  }

  /// What it says next, if it has said something.
  func listen() -> Word {
    while true {
      if let line = takeLine() {
        if let value = try? JSONText.parse(line) { return .line(value) }
        // Before our program runs there, a site's own may print something.
        if isReady { return .end }
        continue
      }
      guard program.control.isOurs else { return .end }
      guard incoming.count - taken < Interpreter.longestLine, let room = incoming.room(for: Interpreter.readSize) else {
        return .end
      }
      let count = fws_receive(program.control.number, room, Interpreter.readSize)
      if count == 0 { return .nothing }
      if count < 0 { return .end }
      incoming.commit(count)
    }
  }

  private func takeLine() -> UnsafeRawBufferPointer? {
    let rest = UnsafeRawBufferPointer(rebasing: incoming.bytes[taken...])
    guard let start = rest.baseAddress, let end = memchr(start, Int32(UInt8(ascii: "\n")), rest.count) else {
      if taken > 0, taken == incoming.count {
        incoming = ByteBuffer()
        taken = 0
      }
      return nil
    }
    let length = start.distance(to: UnsafeRawPointer(end))
    taken += length + 1
    return UnsafeRawBufferPointer(start: start, count: length)
  }

  func monitorReply() -> fwk_reply?? { program.monitorReply() }

  /// Whether an idle one can still be used: it has said nothing, and its monitor neither.
  var isSound: Bool {
    guard program.isOurs else { return false }
    let ready = Waiting(channel: fd).poll(0)
    if !ready.channel { return true }
    // That it is ready may be unread yet.
    guard case .nothing = listen(), case .none = monitorReply() else { return false }
    return true
  }

  /// The end of what it complained of.
  var complaint: String {
    var bytes = ByteBuffer()
    while bytes.count < 1 << 20, program.complaints.isOurs, let room = bytes.room(for: 4096) {
      let count = read(program.complaints.number, room, 4096)
      if count <= 0 { break }
      bytes.commit(count)
    }
    let text = String(decoding: bytes.bytes.suffix(4000), as: UTF8.self)
    return text.split(separator: "\n").last.map { Wording.line(String($0)) } ?? ""
  }
}

/// What goes to an interpreter with a job.
final class JobTicket {
  /// The standard output and error of the job, the run directory, and a file with the job's text.
  let descriptors: [Descriptor]

  init(_ job: PythonJob, rundir: Descriptor, out: Descriptor, err: Descriptor) throws(SpawnFailure) {
    var text = job.text
    let number = text.withUTF8 { bytes in bytes.baseAddress.map { fws_memory_file($0, bytes.count) } ?? -ENOMEM }
    guard number >= 0 else { throw SpawnFailure("no memory for its arguments could be had", 0 - number, call: "memfd_create") }
    // It is read from the beginning.
    lseek(number, 0, SEEK_SET)
    descriptors = [out, err, rundir, Descriptor(number)]
  }
}

/// The interpreters of a pool that wait for a job.
final class Interpreters: Sendable {
  private let idle: Guarded<[Interpreter]>

  private static let maxIdle = 8

  init() throws(FlowError) { idle = try Guarded([]) }

  /// One that is warm, or a new one.
  func take(_ key: Interpreter.Key, environment: borrowing TextBlock, grace: Double) throws(SpawnFailure) -> Interpreter
  {
    while let interpreter = takeIdle(key) { if interpreter.isSound { return interpreter } }
    return try Keepers.retrying { () throws(SpawnFailure) in
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
