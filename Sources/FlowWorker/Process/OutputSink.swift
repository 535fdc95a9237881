internal import CFlowShims
internal import Glibc

/// Our end of the pipe that a command writes one of its streams to, and what has been read from it.
struct OutputSink: ~Copyable {
  /// The end that is read; -1 once it is closed.
  private(set) var fd: Int32
  /// All bytes, or the first half of the limit.
  private var head = ByteBuffer()
  /// With a limit, the bytes behind the first half: a ring of the size of the second.
  private var tail = ByteBuffer()
  private var tailStart = 0
  private let headLimit: Int
  private let tailLimit: Int
  private(set) var written = 0
  private var isGrown = false

  /// A small command costs one page; a stream that proves heavy is read in large pieces.
  private static let firstRead = 4096
  private static let heavy = 64 * 1024
  private static let largeRead = 1 << 20

  init(fd: Int32, limit: Int?) {
    self.fd = fd
    headLimit = limit.map { $0 - $0 / 2 } ?? Int.max
    tailLimit = limit.map { $0 / 2 } ?? 0
  }

  deinit { if fd >= 0 { Glibc.close(fd) } }

  mutating func close() {
    if fd >= 0 { Glibc.close(fd) }
    fd = -1
  }

  /// Bytes that wait in the pipe.
  var waiting: Int {
    var count: Int32 = 0
    return fd >= 0 && ioctl(fd, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
  }

  /// Reads what is there, until that are `wanted` bytes or more. Closes the pipe at its end.
  mutating func read(atLeast wanted: Int) {
    var left = wanted
    while fd >= 0, left > 0 {
      let count = head.count < headLimit && !head.isExhausted ? readIntoHead() : readIntoTail()
      if count < 0 && errno == EINTR { continue }
      if count < 0 && errno == EAGAIN { return }
      if count <= 0 { return close() }
      written += count
      left -= count
      if !isGrown, written >= OutputSink.heavy {
        isGrown = true
        fws_pipe_grow(fd, Int32(OutputSink.largeRead))
      }
    }
  }

  private mutating func readIntoHead() -> Int {
    var size = isGrown ? OutputSink.largeRead : max(OutputSink.firstRead, head.spare)
    size = min(size, headLimit - head.count)
    guard let room = head.room(for: size) else { return readIntoTail() }
    let count = Glibc.read(fd, room, size)
    head.commit(count)
    return count
  }

  /// Reads on, so that the command does not stand still, and keeps the last bytes.
  private mutating func readIntoTail() -> Int {
    withUnsafeTemporaryAllocation(byteCount: OutputSink.heavy, alignment: 16) { scratch in
      let count = Glibc.read(fd, scratch.baseAddress, scratch.count)
      let saved = errno
      if count > 0 { keepTail(UnsafeRawBufferPointer(rebasing: scratch[..<count])) }
      errno = saved
      return count
    }
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

  /// Closes the pipe and gives what was kept.
  consuming func finish() -> Output {
    close()
    if tail.count > 0 {
      let ring = tail.bytes
      head.append(UnsafeRawBufferPointer(rebasing: ring[tailStart...]))
      head.append(UnsafeRawBufferPointer(rebasing: ring[..<tailStart]))
    }
    let kept = head.count
    let written = written
    var bytes = ByteBuffer()
    swap(&bytes, &head)
    return Output(bytes.take(), count: kept, written: written)
  }
}

/// What a command wrote to one stream, followed by a NUL.
final class Output: @unchecked Sendable {
  // Unchecked: the memory never changes.
  let start: UnsafeMutablePointer<UInt8>?
  let count: Int
  /// Bytes that the command wrote; those that are not kept are `written - count`.
  let written: Int

  init(_ start: UnsafeMutablePointer<UInt8>?, count: Int, written: Int) {
    self.start = start
    self.count = start == nil ? 0 : count
    self.written = written
  }

  /// A text that stands where output would.
  convenience init(_ text: String) {
    var bytes = ByteBuffer()
    bytes.append(text)
    let count = bytes.count
    self.init(bytes.take(), count: count, written: 0)
  }

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

  deinit { free(start) }
}
