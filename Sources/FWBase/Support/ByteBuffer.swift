internal import Glibc

/// Bytes in memory of malloc(3) that grows. Swift's own arrays would end the process, which is the host's, when memory
/// runs out.
@usableFromInline package struct ByteBuffer: ~Copyable {
  @usableFromInline package private(set) var start: UnsafeMutablePointer<UInt8>?
  @usableFromInline package private(set) var count = 0
  @usableFromInline package private(set) var capacity = 0
  /// Whether memory ran out. The bytes before are kept, and later bytes are not taken.
  package private(set) var isExhausted = false

  package init() {}
  deinit { free(start) }

  @usableFromInline package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

  /// Makes room for more bytes behind the last one. Gives `nil` if there is no memory.
  @inlinable @inline(__always)
  package mutating func room(for extra: Int) -> UnsafeMutablePointer<UInt8>? {
    if capacity - count < extra, !grow(extra) { return nil }
    return start.map { $0 + count }
  }

  @usableFromInline package mutating func grow(_ extra: Int) -> Bool {
    let (needed, overflow) = count.addingReportingOverflow(extra)
    guard !isExhausted, !overflow, needed <= Int.max / 2 else {
      isExhausted = true
      return false
    }
    let wanted = max(needed, capacity * 2, 64)
    for size in [wanted, needed] {
      guard let larger = realloc(start, size) else { continue }
      start = larger.assumingMemoryBound(to: UInt8.self)
      capacity = size
      return true
    }
    isExhausted = true
    return false
  }

  /// The number of bytes that can be added without growing.
  @usableFromInline package var spare: Int { capacity - count }

  /// Counts bytes that were written into `room`.
  @usableFromInline package mutating func commit(_ added: Int) { count += max(0, min(added, capacity - count)) }

  @inlinable @inline(__always)
  package mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let from = bytes.baseAddress, bytes.count > 0, let to = room(for: bytes.count) else { return }
    to.initialize(from: from.assumingMemoryBound(to: UInt8.self), count: bytes.count)
    count += bytes.count
  }

  @usableFromInline package mutating func append(byte: UInt8) {
    guard let to = room(for: 1) else { return }
    to.pointee = byte
    count += 1
  }

  @usableFromInline package mutating func append(_ text: StaticString) {
    append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  @usableFromInline package mutating func append(_ text: String) {
    var text = text
    text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }

  /// Drops the first bytes. The others move to the beginning.
  package mutating func removeFirst(_ removed: Int) {
    guard let start, removed > 0 else { return }
    let left = max(0, count - removed)
    if left > 0 { memmove(start, start + removed, left) }
    count = left
  }

  /// Drops the bytes from `end` on.
  @usableFromInline package mutating func truncate(_ end: Int) { count = max(0, min(count, end)) }

  /// Drops the last sixteenth of the bytes after memory has run out, so that there is some memory for everything else.
  package mutating func giveBack() {
    isExhausted = true
    count -= count / 16
    guard count > 0, let smaller = realloc(start, count) else { return }
    start = smaller.assumingMemoryBound(to: UInt8.self)
    capacity = count
  }

  /// Gives the bytes away, followed by a NUL, even after memory has run out. If there is no room for the NUL, it
  /// replaces the last byte.
  package consuming func takeRest() -> (start: UnsafeMutablePointer<UInt8>?, count: Int) {
    if spare == 0, count > 0, isExhausted || room(for: 1) == nil { count -= 1 }
    guard count > 0, let memory = start else { return (nil, 0) }
    memory[count] = 0
    let kept = count
    start = nil
    if capacity - kept <= 64 { return (memory, kept) }
    return (realloc(memory, kept + 1)?.assumingMemoryBound(to: UInt8.self) ?? memory, kept)
  }

  /// Gives the memory away, with a NUL behind the bytes. The caller frees it. Memory is cut to size where that saves
  /// much.
  package consuming func take() -> UnsafeMutablePointer<UInt8>? {
    append(byte: 0)
    guard !isExhausted else { return nil }
    if spare <= 64 {
      let memory = start
      start = nil
      return memory
    }
    let memory = realloc(start, count)?.assumingMemoryBound(to: UInt8.self) ?? start
    start = nil
    return memory
  }
}
