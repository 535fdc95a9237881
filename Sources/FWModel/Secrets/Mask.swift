internal import FWBase
internal import Glibc

/// Replaces secrets by three stars in a stream that comes in pieces, which may end anywhere. Where secrets overlap,
/// everything that they cover becomes three stars, so no part of any is shown. At most as many bytes are held back as
/// the longest secret has.
package struct Mask: ~Copyable {
  private let tree: PatternTree
  private var node: Int32 = 0
  /// The number of bytes of the stream that have come, and of those that are settled: given or hidden.
  private var position = 0
  private var settled = 0
  /// The end of the last secret for which stars were given. A secret that overlaps it gets no further stars.
  private var hidden = 0
  /// The bytes from `heldFrom` to `position` that are held back. The buffer begins with `heldWaste` bytes that are not
  /// needed.
  private var held = ByteBuffer()
  private var heldFrom = 0
  private var heldWaste = 0
  /// The secrets that were found and not given yet, in order and without overlap, from `firstCover` on.
  private var covers: [Range<Int>] = []
  private var firstCover = 0

  package static let stars: StaticString = "***"
  /// The number of secrets that are found before some are given.
  private static let mostCovers = 64

  package init(_ secrets: Secrets) { tree = secrets.tree }

  /// Whether bytes at the end of what has come are held back.
  package var isPending: Bool { settled < position }

  package mutating func take(_ bytes: UnsafeRawBufferPointer, _ give: (UnsafeRawBufferPointer) -> Void) {
    let base = position
    var at = 0
    while at < bytes.count {
      if node == 0 {
        at = tree.firstBeginning(in: bytes, from: at)
        if at == bytes.count { break }
      }
      node = tree.next(node, bytes[at])
      at += 1
      let match = tree.match(node)
      node = tree.open(node)
      guard match > 0 else { continue }
      cover(base + at - match, base + at)
      if covers.count - firstCover >= Mask.mostCovers { settle(upTo: base + at - tree.depth(node), bytes, base, give) }
    }
    position = base + bytes.count
    settle(upTo: position - tree.depth(node), bytes, base, give)
    hold(bytes, base)
  }

  /// Gives the bytes that were held back: the stream has ended.
  package mutating func finish(_ give: (UnsafeRawBufferPointer) -> Void) {
    node = 0
    settle(upTo: position, UnsafeRawBufferPointer(start: nil, count: 0), position, give)
    hold(UnsafeRawBufferPointer(start: nil, count: 0), position)
  }

  /// Notes a secret that was found. It ends behind all that were found before.
  private mutating func cover(_ start: Int, _ end: Int) {
    if start < hidden {
      // This secret overlaps the one for which stars were given, so those stars stand for both. It also covers all
      // secrets that were found since, because they begin behind those stars and end before this one does.
      covers.removeAll(keepingCapacity: true)
      firstCover = 0
      hidden = end
      settled = max(settled, end)
      return
    }
    var start = start
    while covers.count > firstCover, let last = covers.last, last.upperBound > start {
      start = min(start, last.lowerBound)
      covers.removeLast()
    }
    covers.append(start..<end)
  }

  /// Gives what is before a position. Secrets that are found later do not begin before it.
  ///
  /// - Parameter base: the position of `bytes` in the stream.
  private mutating func settle(
    upTo end: Int, _ bytes: UnsafeRawBufferPointer, _ base: Int, _ give: (UnsafeRawBufferPointer) -> Void
  ) {
    while firstCover < covers.count, covers[firstCover].lowerBound < end {
      let cover = covers[firstCover]
      firstCover += 1
      show(upTo: cover.lowerBound, bytes, base, give)
      give(UnsafeRawBufferPointer(start: Mask.stars.utf8Start, count: Mask.stars.utf8CodeUnitCount))
      hidden = cover.upperBound
      settled = hidden
    }
    if firstCover * 2 >= covers.count {
      covers.removeFirst(firstCover)
      firstCover = 0
    }
    show(upTo: end, bytes, base, give)
  }

  private mutating func show(
    upTo end: Int, _ bytes: UnsafeRawBufferPointer, _ base: Int, _ give: (UnsafeRawBufferPointer) -> Void
  ) {
    if settled < min(end, base) {
      let from = min(settled - heldFrom + heldWaste, held.count)
      let part = held.bytes[from...].prefix(min(end, base) - settled)
      if !part.isEmpty { give(UnsafeRawBufferPointer(rebasing: part)) }
      settled = min(end, base)
    }
    if settled < end {
      give(UnsafeRawBufferPointer(rebasing: bytes[(settled - base)..<(end - base)]))
      settled = end
    }
  }

  /// Holds back the bytes that were not given.
  private mutating func hold(_ bytes: UnsafeRawBufferPointer, _ base: Int) {
    if settled >= base {
      held.truncate(0)
      heldWaste = 0
      heldFrom = settled
    } else {
      heldWaste += settled - heldFrom
      heldFrom = settled
      // The bytes move when half of the buffer is waste, so that they do not move for each of many small pieces.
      if heldWaste > held.count / 2 {
        held.removeFirst(heldWaste)
        heldWaste = 0
      }
    }
    let rest = bytes.dropFirst(max(0, min(settled, position) - base))
    if rest.isEmpty { return }
    held.append(UnsafeRawBufferPointer(rebasing: rest))
    if held.isExhausted {
      // There is no memory to hold the bytes back, so all of them are hidden.
      covers = [heldFrom..<position]
      firstCover = 0
    }
  }
}
