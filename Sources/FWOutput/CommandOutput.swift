internal import CSystem
package import FWBase
package import FWModel
package import FWSystem
internal import Glibc

/// The standard output and the standard error of one command. Every kind of command keeps, reports and ends its output
/// here.
///
/// The bytes come from two pipes that are read here, or are handed over by the code that receives them (`take`). Either
/// way the output passes the same steps: secrets are masked, the limit and the spill file apply, events are reported,
/// and `drain` takes the rest when the command has ended.
package struct CommandOutput: ~Copyable {
  private var stdout: OutputSink
  private var stderr: OutputSink

  /// - Parameters:
  ///   - events: the form of output events; `nil` if nobody asks for events.
  ///   - out, err: the reading ends of the command's pipes; -1 where bytes are handed over.
  package init(_ settings: RunSettings, _ events: RunOptions.Events?, out: Int32 = -1, err: Int32 = -1) {
    stdout = OutputSink(fd: out, ReceivedOutput(.stdout, settings, events))
    stderr = OutputSink(fd: err, ReceivedOutput(.stderr, settings, events))
  }

  /// What to wait for while the command runs, in addition to the descriptor that reports its end.
  package var waiting: Waiting { Waiting(stdout: stdout.fd, stderr: stderr.fd) }

  /// What to wait for when the command has ended and its pipes are drained.
  package var waitingForRest: Waiting { Waiting(stdout: stdout.current, stderr: stderr.current) }

  /// Reads each pipe that is ready once, so that a command that writes much to one stream does not delay the other one.
  package mutating func read(_ ready: Waiting.Ready, _ readiness: inout ReadinessFD, _ events: inout EventQueue) {
    if ready.stdout { stdout.read(&readiness, &events) }
    if ready.stderr { stderr.read(&readiness, &events) }
  }

  /// Takes bytes of a stream that were handed over.
  package mutating func take(_ stream: Stream, _ bytes: UnsafeRawBufferPointer, _ events: inout EventQueue) {
    if stream == .stdout { stdout.take(bytes, &events) } else { stderr.take(bytes, &events) }
  }

  /// Makes the output of a stream since the last call an element of its own in the result.
  package mutating func endPiece(_ stream: Stream) {
    if stream == .stdout { stdout.endPiece() } else { stderr.endPiece() }
  }

  /// The first bytes of a stream that was handed over, even if the limit has dropped them.
  package func beginning(of stream: Stream) -> UnsafeRawBufferPointer {
    stream == .stdout ? stdout.received.beginning.bytes : stderr.received.beginning.bytes
  }

  /// Notes that the command has ended: each stream ends with the bytes that are in its pipe now.
  package mutating func markEnd() {
    stdout.markEnd()
    stderr.markEnd()
  }

  /// Takes the rest of the output, and puts all output into the end of the command.
  ///
  /// - Parameter text: text that the result has after the command's own standard error.
  /// - Returns: whether the output is complete. If it is not, the caller takes the events and calls again, so that a
  ///   heavy stream does not fill the memory.
  package mutating func drain(
    into end: inout CommandEnd, appending text: String = "", _ readiness: inout ReadinessFD, _ events: inout EventQueue
  ) -> Bool {
    while !stdout.isDone || !stderr.isDone {
      if !stdout.isDone { stdout.read(&readiness, &events) }
      if !stderr.isDone { stderr.read(&readiness, &events) }
      if !events.isEmpty, !stdout.isDone || !stderr.isDone { return false }
    }
    end.stdout = stdout.finish(&readiness, &events, appending: "")
    end.stderr = stderr.finish(&readiness, &events, appending: text)
    end.note(unread: .stdout, stdout.failure)
    end.note(unread: .stderr, stderr.failure)
    return true
  }
}

/// The reader of the pipe for one stream of a command. The bytes go into a `ReceivedOutput`.
private struct OutputSink: ~Copyable {
  /// The end of the pipe that is read. It is `none` after the pipe was closed, and where the stream has no pipe.
  private var pipe: fws_fd
  private(set) var received: ReceivedOutput
  private var isGrown = false
  /// How many bytes have been read, and how many bytes the stream has in all, once that number is known.
  private var taken = 0
  private var end = Int.max
  /// The number of consecutive reads that have failed.
  private var errors = 0
  /// Why the rest of the stream could not be read. It is `nil` where the stream was read to its end.
  private(set) var failure: String?

  /// A small command costs one page. A stream that proves heavy is read in large pieces.
  private static let firstRead = 4096
  private static let heavy = 64 * 1024
  private static let largeRead = 1 << 20
  /// A read may fail temporarily if memory is short. After this many failures in a row, the rest of the stream is given
  /// up.
  private static let maxErrors = 100

  /// - Parameter fd: the pipe to read; -1 for a stream whose bytes are handed over (`take`).
  init(fd: Int32, _ received: consuming ReceivedOutput) {
    pipe = fd < 0 ? fws_fd.none : fws_fd_of(fd)
    self.received = received
  }

  deinit { pipe.close() }

  /// The descriptor to wait with while another descriptor reports the end of the command; -1 after the pipe was closed.
  /// Whether the host has replaced the descriptor is checked before each read, and not here.
  var fd: Int32 { pipe.number }

  /// The descriptor to wait with when nothing else is waited for. It is checked here, because no read would follow.
  var current: Int32 { pipe.current }

  /// Reads once. Closes the pipe at its end.
  mutating func read(_ readiness: inout ReadinessFD, _ events: inout EventQueue) {
    if pipe.number < 0 { return }
    guard pipe.isOurs else { return lose() }
    let fd = pipe.number
    let count = received.read(fd, atMost: isGrown ? OutputSink.largeRead : OutputSink.firstRead, &events)
    if count < 0 {
      let error = errno
      // An empty pipe is the end of the stream where no more bytes can come.
      if error == EAGAIN, end == Int.max || !fws_has_bytes(fd) {
        if end != Int.max { end = taken }
        return
      }
      if error == EINTR { return }
      errors += 1
      guard errors > OutputSink.maxErrors else {
        usleep(1000)
        return
      }
      failure = errorText(error)
      return closeOurs(&readiness)
    }
    if count == 0 { return closeOurs(&readiness) }
    errors = 0
    taken += count
    if !isGrown, taken >= OutputSink.heavy {
      isGrown = true
      fws_pipe_grow(fd, Int32(OutputSink.largeRead))
    }
  }

  /// Takes bytes that were handed over.
  mutating func take(_ bytes: UnsafeRawBufferPointer, _ events: inout EventQueue) { received.take(bytes, &events) }

  mutating func endPiece() { received.endPiece() }

  /// Notes that the command has ended: the stream ends with the bytes that are in the pipe now. A process that was left
  /// behind and keeps writing therefore does not delay the end of the command.
  mutating func markEnd() {
    end = taken + (pipe.number < 0 ? 0 : Int(clamping: fws_waiting_bytes(pipe.number)))
  }

  /// Whether the whole stream has been read, or no more can be read.
  var isDone: Bool { pipe.number < 0 || taken >= end }

  /// Closes the pipe, and returns the kept part of the stream.
  mutating func finish(_ readiness: inout ReadinessFD, _ events: inout EventQueue, appending text: String) -> Output {
    close(&readiness)
    received.finish(&events, appending: text)
    return received.take()
  }

  private mutating func close(_ readiness: inout ReadinessFD) {
    if pipe.number < 0 { return }
    guard pipe.isOurs else { return lose() }
    closeOurs(&readiness)
  }

  private mutating func lose() {
    failure = "this process has closed the descriptor that it is read from"
    pipe = fws_fd.none
  }

  /// Closes a pipe whose descriptor has just been checked.
  private mutating func closeOurs(_ readiness: inout ReadinessFD) {
    readiness.forget(pipe.number)
    Glibc.close(pipe.number)
    pipe = fws_fd.none
  }
}

/// Two pipes for the output of a command: the ends that the command gets, and the readers of the other ends.
@frozen package struct OutputPipes: ~Copyable {
  package let outEnd: Descriptor
  package let errEnd: Descriptor
  package let output: CommandOutput

  /// The writer of the pipes: a program, which gets its ends at once, or a job of a running program, which gets them
  /// when that program is ready.
  package enum Writer { case program, job }

  package init(_ settings: RunSettings, _ events: RunOptions.Events?, for kind: Writer = .program) throws(StepFailure) {
    var out: Int32 = -1
    var err: Int32 = -1
    let outEnd = try OutputPipes.open(&out, for: kind)
    let errEnd: Descriptor
    do throws(StepFailure) { errEnd = try OutputPipes.open(&err, for: kind) } catch {
      close(out)
      throw error
    }
    self.outEnd = outEnd
    self.errEnd = errEnd
    output = CommandOutput(settings, events, out: out, err: err)
  }

  /// Creates a pipe. Returns the end that the command gets.
  package static func open(_ reader: inout Int32, for kind: Writer = .program) throws(StepFailure) -> Descriptor {
    var writer: Int32 = -1
    var call: UnsafePointer<CChar>?
    let error = fws_pipe(&reader, &writer, &call)
    guard error == 0 else {
      throw StepFailure("a pipe for its output could not be created", error, call: call.map { String(cString: $0) })
    }
    // A program's end is closed as soon as it is sent, so the host cannot close it before.
    return Descriptor(writer, isKept: kind != .program)
  }
}
