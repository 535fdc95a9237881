internal import CFlowShims
internal import Glibc

/// Our end of the pipe that a command writes one of its streams to, and what has been read from it.
struct OutputSink: ~Copyable {
  /// The end that is read; -1 once it is closed.
  private(set) var fd: Int32
  private var kept: KeptOutput
  private var isGrown = false
  private var feed: EventFeed?
  /// Where there are secrets.
  private var mask: Mask?
  /// How many bytes have been read, and how many the stream has, once that is known.
  private var taken = 0
  private var end = Int.max

  /// A small command costs one page; a stream that proves heavy is read in large pieces.
  private static let firstRead = 4096
  private static let heavy = 64 * 1024
  private static let largeRead = 1 << 20

  init(fd: Int32, limit: Int?, spill: SpillFile?, feed: consuming EventFeed?, secrets: Secrets) {
    self.fd = fd
    mask = secrets.isEmpty ? nil : Mask(secrets)
    kept = KeptOutput(limit: limit, spill: spill)
    self.feed = feed
  }

  deinit { if fd >= 0 { Glibc.close(fd) } }

  private mutating func close(_ signpost: inout Signpost) {
    if fd < 0 { return }
    signpost.forget(fd)
    Glibc.close(fd)
    fd = -1
  }

  /// Reads once. Closes the pipe at its end.
  ///
  mutating func read(_ signpost: inout Signpost, _ events: inout EventQueue) {
    if fd < 0 { return }
    let count: Int
    if mask != nil || feed != nil && events.isListening {
      count = readChunk(&events)
    } else {
      count = kept.read(fd, isGrown ? OutputSink.largeRead : OutputSink.firstRead)
      if feed != nil, count > 0 {
        // Somebody who has not seen all that came before cannot be given a part of a character.
        feed?.forget()
        events.skipOutput()
      }
    }
    if count < 0 && errno == EINTR { return }
    if count < 0 && errno == EAGAIN {
      if end != Int.max { end = taken }
      return
    }
    if count <= 0 { return close(&signpost) }
    taken += count
    if !isGrown, taken >= OutputSink.heavy {
      isGrown = true
      fws_pipe_grow(fd, Int32(OutputSink.largeRead))
    }
  }

  private mutating func readChunk(_ events: inout EventQueue) -> Int {
    var chunk = ByteBuffer()
    let size = isGrown ? min(OutputSink.largeRead, feed?.largestRead ?? OutputSink.largeRead) : OutputSink.firstRead
    guard let room = chunk.room(for: size) else {
      feed?.forget()
      // What cannot be looked at is not kept.
      return mask == nil ? kept.read(fd, OutputSink.firstRead) : -1
    }
    let count = Glibc.read(fd, room, size)
    guard count > 0 else { return count }
    chunk.commit(count)
    if mask != nil {
      var masked = ByteBuffer()
      mask?.take(chunk.bytes) { masked.append($0) }
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
  mutating func markEnd() {
    var waiting: Int32 = 0
    if fd >= 0, ioctl(fd, UInt(FIONREAD), &waiting) < 0 { waiting = 0 }
    end = taken + Int(waiting)
  }

  /// Whether all has been read.
  var isDone: Bool { fd < 0 || taken >= end }

  /// Closes the pipe, and gives what was kept.
  ///
  /// - Parameter text: what comes behind it.
  mutating func finish(_ signpost: inout Signpost, _ events: inout EventQueue, behind text: String = "") -> Output {
    close(&signpost)
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
    let kept = head.count
    var bytes = ByteBuffer()
    swap(&bytes, &head)
    spill?.close()
    return Output(
      bytes.take(), count: kept, cutAt: cut, written: written, spill: spill, endsOfPieces: kept == written ? ends : [])
  }
}

/// What a command wrote to one stream, followed by a NUL.
final class Output: @unchecked Sendable {
  // Unchecked: the memory never changes.
  let start: UnsafeMutablePointer<UInt8>?
  let count: Int
  /// Where bytes are missing, if some are.
  let cut: Int
  /// Bytes that the command wrote; those that are not kept are `written - count`.
  let written: Int
  /// The file that has all of it, where there is one, and why it has not.
  let file: String?
  let fileError: String?
  /// Where its pieces end, the last with the bytes; none: it is one.
  private let ends: [Int]

  init(
    _ start: UnsafeMutablePointer<UInt8>?, count: Int, cutAt cut: Int, written: Int, spill: SpillFile? = nil,
    endsOfPieces ends: [Int] = []
  ) {
    self.start = start
    self.count = start == nil ? 0 : count
    self.ends = start == nil && count > 0 ? [] : ends
    self.cut = written > count && cut <= self.count ? cut : self.count
    self.written = written
    file = spill?.path
    fileError = spill?.error
  }

  /// A text that stands where output would.
  convenience init(_ text: String) {
    var bytes = ByteBuffer()
    bytes.append(text)
    let count = bytes.count
    self.init(bytes.take(), count: count, cutAt: count, written: 0)
  }

  /// Pieces of text that stand where output would.
  convenience init(pieces: [String]) {
    var bytes = ByteBuffer()
    var ends: [Int] = []
    for piece in pieces {
      bytes.append(piece)
      ends.append(bytes.count)
    }
    let count = bytes.count
    self.init(bytes.take(), count: count, cutAt: count, written: 0, endsOfPieces: ends)
  }

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

  /// What a result has of it: nothing, the whole, or the pieces that its writer has made, which may be empty.
  var pieces: [Output] {
    if ends.isEmpty { return count > 0 ? [self] : [] }
    if ends.count == 1 { return [self] }
    var pieces: [Output] = []
    var begin = 0
    for end in ends where end >= begin && end <= count {
      var piece = ByteBuffer()
      piece.append(UnsafeRawBufferPointer(rebasing: bytes[begin..<end]))
      let size = piece.count
      pieces.append(Output(piece.take(), count: size, cutAt: size, written: size))
      begin = end
    }
    return pieces
  }

  deinit { free(start) }
}
