internal import CSystem
internal import FWBase
internal import FWModel
internal import FWSystem
internal import Glibc

/// The kept part of a stream: all bytes, or with a limit the first and the last half of the limit.
struct KeptOutput: ~Copyable {
  /// All bytes, or with a limit the first half.
  private var head = ByteBuffer()
  /// With a limit, the last bytes after the first half, in a ring of the size of the second half.
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

  /// Reads once. Returns the number of bytes as read(2) does; if it is negative, the reason is in errno.
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
    // Bytes that cannot be kept are read nevertheless, because the command would wait forever at a full pipe.
    return withUnsafeTemporaryAllocation(byteCount: KeptOutput.scratch, alignment: 16) { scratch in
      let count = Glibc.read(fd, scratch.baseAddress, scratch.count)
      let saved = errno
      if count > 0 { addAfterHead(UnsafeRawBufferPointer(rebasing: scratch[..<count])) }
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
    if taken < bytes.count { addAfterHead(UnsafeRawBufferPointer(rebasing: bytes.dropFirst(taken))) }
  }

  private mutating func addAfterHead(_ bytes: UnsafeRawBufferPointer) {
    if let spill {
      if !spill.isOpen, written + bytes.count > head.count + tailLimit {
        spill.open(head.bytes, tail.bytes)
      }
      if spill.isOpen { spill.write(bytes) }
    }
    written += bytes.count
    keepTail(bytes)
  }

  /// Counts bytes that were lost because there was no memory for them.
  mutating func countLost(_ count: Int) { written += count }

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

  /// Whether all written bytes are kept.
  var isWhole: Bool { head.count + tail.count == written }

  /// Returns the kept bytes, and closes the spill file.
  ///
  /// - Parameter ends: the ends of the pieces that the writer has made. They are dropped if bytes are missing.
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
      start, count: kept, cutAt: min(cut, kept), written: written, file: spill?.path,
      fileError: spill?.error, isExhausted: isExhausted && kept < written, endsOfPieces: kept == written ? ends : [])
  }
}

/// The file with the whole of a stream of which memory keeps only a part. It is created when the stream exceeds the
/// limit, in a directory that the host has named, and belongs to the host.
final class SpillFile {
  private let directory: String
  private let suffix: StaticString
  private var file = fws_fd.none
  private(set) var path: String?
  /// Why the file is missing or incomplete.
  private(set) var error: String?

  init(in directory: String, for suffix: StaticString) {
    self.directory = directory
    self.suffix = suffix
  }

  deinit { close() }

  var isOpen: Bool { file.number >= 0 }

  /// Creates the file, and writes the bytes that the stream has had so far.
  func open(_ head: UnsafeRawBufferPointer, _ tail: UnsafeRawBufferPointer) {
    if error != nil || path != nil { return }
    var failure = EEXIST
    for _ in 0..<10 {
      let name = "\(directory)/flowworker-\(uniqueIdentifier()).\(suffix)"
      let fd = fws_create_file(name)
      if fd >= 0 {
        file = fws_fd_of(fd)
        path = name
        write(head)
        write(tail)
        return
      }
      failure = 0 - fd
      if failure != EEXIST { break }
    }
    error = "a file for the output could not be created in \(MessageFormat.path(directory)): \(errorText(failure))"
  }

  func write(_ bytes: UnsafeRawBufferPointer) {
    var left = bytes
    while isOpen, let start = left.baseAddress, !left.isEmpty {
      guard file.isOurs else {
        file = fws_fd.none
        return fail("this process has closed its descriptor")
      }
      let count = fws_write_file(file.number, start, left.count)
      let failure = errno
      if count <= 0 {
        fail(errorText(failure))
        return close()
      }
      left = UnsafeRawBufferPointer(rebasing: left.dropFirst(count))
    }
  }

  /// Records why the file is incomplete. The first reason is kept.
  private func fail(_ why: String) {
    if error == nil { error = "the file \(MessageFormat.path(path ?? "")) is not complete: \(why)" }
  }

  /// Closes the file. A network file system may report only now that there was no space.
  func close() {
    guard isOpen else { return }
    let fd = file
    file = fws_fd.none
    guard fd.isOurs else { return fail("this process has closed its descriptor") }
    if Glibc.close(fd.number) < 0, errno != EINTR { fail(errorText(errno)) }
  }
}
