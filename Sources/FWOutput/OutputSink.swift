internal import CSystem
internal import FWBase
package import FWModel
package import FWSystem
internal import Glibc

/// Our end of the pipe that a command writes one of its streams to, and what has been read from it.
package struct OutputSink: ~Copyable {
  /// The end that is read; none once it is closed.
  private var pipe: fws_fd
  private var kept: KeptOutput
  private var isGrown = false
  private var feed: EventFeed?
  /// Where there are secrets.
  private var mask: Mask?
  /// How many bytes have been read, and how many the stream has, once that is known.
  private var taken = 0
  private var end = Int.max
  /// Reads that have failed, one after the other.
  private var errors = 0
  /// Why the rest of the stream could not be read; `nil`: it was read to its end.
  package private(set) var failure: String?

  /// A small command costs one page; a stream that proves heavy is read in large pieces.
  private static let firstRead = 4096
  private static let heavy = 64 * 1024
  private static let largeRead = 1 << 20
  /// A read may fail for a moment (there is no memory). After so many the rest is given up.
  private static let maxErrors = 100

  init(fd: Int32, limit: Int?, spill: SpillFile?, feed: consuming EventFeed?, secrets: Secrets) {
    pipe = fws_fd_of(fd)
    mask = secrets.isEmpty ? nil : Mask(secrets)
    kept = KeptOutput(limit: limit, spill: spill)
    self.feed = feed
  }

  deinit { pipe.close() }

  /// To wait with, beside something that tells the end; -1: there is nothing to come. Whose it is, is looked at before
  /// it is read.
  package var fd: Int32 { pipe.number }

  /// To wait with alone.
  package var current: Int32 { pipe.current }

  private mutating func close(_ readiness: inout ReadinessFD) {
    if pipe.number < 0 { return }
    guard pipe.isOurs else { return lose() }
    closeOurs(&readiness)
  }

  private mutating func lose() {
    failure = "this process has closed the descriptor that it is read from"
    pipe = fws_fd.none
  }

  /// The same when it has just been looked at.
  private mutating func closeOurs(_ readiness: inout ReadinessFD) {
    readiness.forget(pipe.number)
    Glibc.close(pipe.number)
    pipe = fws_fd.none
  }

  /// Reads once. Closes the pipe at its end.
  package mutating func read(_ readiness: inout ReadinessFD, _ events: inout EventQueue) {
    if pipe.number < 0 { return }
    guard pipe.isOurs else { return lose() }
    let fd = pipe.number
    let count: Int
    if mask != nil || feed != nil && events.isListening {
      count = readChunk(fd, &events)
    } else {
      count = kept.read(fd, isGrown ? OutputSink.largeRead : OutputSink.firstRead)
      if feed != nil, count > 0 {
        // Somebody who has not seen all that came before cannot be given a part of a character.
        feed?.forget()
        events.skipOutput()
      }
    }
    if count < 0 {
      let error = errno
      // That there is nothing now is an end where no more comes.
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

  private mutating func readChunk(_ fd: Int32, _ events: inout EventQueue) -> Int {
    var chunk = ByteBuffer()
    let size = isGrown ? min(OutputSink.largeRead, feed?.largestRead ?? OutputSink.largeRead) : OutputSink.firstRead
    guard let room = chunk.room(for: size) else {
      feed?.forget()
      // What cannot be looked at is not kept.
      if mask == nil { return kept.read(fd, OutputSink.firstRead) }
      errno = ENOMEM
      return -1
    }
    let count = Glibc.read(fd, room, size)
    guard count > 0 else { return count }
    chunk.commit(count)
    if mask != nil {
      var masked = ByteBuffer()
      mask?.take(chunk.bytes) { masked.append($0) }
      if masked.isExhausted { kept.lose(max(0, chunk.count - masked.count)) }
      add(masked, &events)
    } else {
      add(chunk, &events)
    }
    return count
  }

  private mutating func add(_ chunk: consuming ByteBuffer, _ events: inout EventQueue) {
    guard chunk.count > 0 else { return }
    kept.add(chunk.bytes)
    guard feed != nil else { return }
    if events.isListening {
      feed?.give(chunk, &events)
    } else {
      feed?.forget()
      events.skipOutput()
    }
  }

  /// The command has ended: from now on there is what is in the pipe, and no more. A process that goes on
  /// writing cannot keep us here.
  package mutating func markEnd() {
    end = taken + (pipe.number < 0 ? 0 : Int(clamping: fws_waiting_bytes(pipe.number)))
  }

  /// Whether all has been read, or no more can be.
  package var isDone: Bool { pipe.number < 0 || taken >= end }

  /// Closes the pipe, and gives what was kept.
  ///
  /// - Parameter text: what comes behind it.
  package mutating func finish(_ readiness: inout ReadinessFD, _ events: inout EventQueue, behind text: String = "") -> Output {
    close(&readiness)
    if mask != nil {
      var rest = ByteBuffer()
      mask?.finish { rest.append($0) }
      add(rest, &events)
    }
    if !text.isEmpty {
      var rest = ByteBuffer()
      rest.append(text)
      add(rest, &events)
    }
    feed?.finish(&events)
    return kept.take()
  }
}

/// What is kept of a stream: all, or with a limit its first and its last half.
struct KeptOutput: ~Copyable {
  /// All bytes, or the first half of the limit.
  private var head = ByteBuffer()
  /// With a limit, the bytes behind the first half: a ring of the size of the second.
  private var tail = ByteBuffer()
  private var tailStart = 0
  private let headLimit: Int
  private let tailLimit: Int
  private(set) var written = 0
  private var spill: SpillFile?

  private static let scratch = 64 * 1024

  init(limit: Int?, spill: SpillFile?) {
    let limit = limit ?? (spill == nil ? nil : KeptOutput.scratch)
    headLimit = limit.map { $0 - $0 / 2 } ?? Int.max
    tailLimit = limit.map { $0 / 2 } ?? 0
    self.spill = spill
  }

  /// Reads once, of which the number of bytes is told as read(2) does.
  mutating func read(_ fd: Int32, _ wanted: Int) -> Int {
    if head.count < headLimit, !head.isExhausted {
      let size = min(max(wanted, head.spare), headLimit - head.count)
      if let room = head.room(for: size) {
        let count = Glibc.read(fd, room, size)
        if count > 0 {
          head.commit(count)
          written += count
        }
        return count
      }
      head.giveBack()
    }
    // It is read on, so that the command does not stand still.
    return withUnsafeTemporaryAllocation(byteCount: KeptOutput.scratch, alignment: 16) { scratch in
      let count = Glibc.read(fd, scratch.baseAddress, scratch.count)
      let saved = errno
      if count > 0 { addBehind(UnsafeRawBufferPointer(rebasing: scratch[..<count])) }
      errno = saved
      return count
    }
  }

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    let free = head.isExhausted ? 0 : max(0, headLimit - head.count)
    let part = UnsafeRawBufferPointer(rebasing: bytes.prefix(free))
    let before = head.count
    head.append(part)
    let taken = head.count - before
    written += taken
    if head.isExhausted, taken < part.count, before > 0 { head.giveBack() }
    if taken < bytes.count { addBehind(UnsafeRawBufferPointer(rebasing: bytes.dropFirst(taken))) }
  }

  private mutating func addBehind(_ bytes: UnsafeRawBufferPointer) {
    if let spill {
      if !spill.isOpen, written + bytes.count > head.count + tailLimit {
        spill.open(head.bytes, tail.bytes)
      }
      if spill.isOpen { spill.write(bytes) }
    }
    written += bytes.count
    keepTail(bytes)
  }

  /// Counts bytes that there was no memory for.
  mutating func lose(_ count: Int) { written += count }

  private mutating func keepTail(_ bytes: UnsafeRawBufferPointer) {
    guard tailLimit > 0 else { return }
    var bytes = UnsafeRawBufferPointer(rebasing: bytes.suffix(tailLimit))
    let free = tailLimit - tail.count
    if free > 0 {
      let part = UnsafeRawBufferPointer(rebasing: bytes.prefix(free))
      tail.append(part)
      bytes = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(part.count))
    }
    while let from = bytes.baseAddress, !bytes.isEmpty, tail.count > tailStart, let ring = tail.start {
      let part = min(bytes.count, tail.count - tailStart)
      memcpy(ring + tailStart, from, part)
      tailStart = (tailStart + part) % tail.count
      bytes = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(part))
    }
  }

  /// Whether all that was written is kept.
  var isWhole: Bool { head.count + tail.count == written }

  /// - Parameter ends: where the pieces end that its writer has made; they are forgotten where bytes were cut.
  mutating func take(endsOfPieces ends: [Int] = []) -> Output {
    let cut = head.count
    if tail.count > 0 {
      let ring = tail.bytes
      head.append(UnsafeRawBufferPointer(rebasing: ring[tailStart...]))
      head.append(UnsafeRawBufferPointer(rebasing: ring[..<tailStart]))
    }
    var bytes = ByteBuffer()
    swap(&bytes, &head)
    let isExhausted = bytes.isExhausted
    let (start, kept) = bytes.takeRest()
    spill?.close()
    return Output(
      start, count: kept, cutAt: min(cut, kept), written: written, file: spill?.path, fileError: spill?.error,
      isExhausted: isExhausted && kept < written, endsOfPieces: kept == written ? ends : [])
  }
}
