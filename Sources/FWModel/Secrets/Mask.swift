internal import FWBase
internal import Glibc

/// Replaces secrets in a stream whose pieces may end anywhere. Where several overlap, all that they cover becomes three stars:
/// no part of any is shown. What is held back is at most as long as the longest of them.
package struct Mask: ~Copyable {
  private let tree: PatternTree
  private var node: Int32 = 0
  /// How many bytes of the stream have come, and how many of these have been given or hidden.
  private var position = 0
  private var given = 0
  /// Where the last secret ends for which there are stars already. One that overlaps it makes no further ones.
  private var hidden = 0
  /// The bytes before `position`, from `heldFrom` on; the first `heldWaste` bytes of the buffer are no longer needed.
  private var held = ByteBuffer()
  private var heldFrom = 0
  private var heldWaste = 0
  /// The secrets that have been found and not given yet: apart from each other, in order, from `firstCover` on.
  private var covers: [Range<Int>] = []
  private var firstCover = 0

  package static let stars: StaticString = "***"
  /// How many are found before some are given.
  private static let mostCovers = 64

  package init(_ secrets: Secrets) { tree = secrets.tree }

  /// Whether the end of what has come is held back.
  package var isPending: Bool { given < position }

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

  /// No more comes.
  package mutating func finish(_ give: (UnsafeRawBufferPointer) -> Void) {
    node = 0
    settle(upTo: position, UnsafeRawBufferPointer(start: nil, count: 0), position, give)
    hold(UnsafeRawBufferPointer(start: nil, count: 0), position)
  }

  /// A secret has been found, whose end is behind all that were found before.
  private mutating func cover(_ start: Int, _ end: Int) {
    if start < hidden {
      // All others begin behind these stars, and so does none that this one does not overlap.
      covers.removeAll(keepingCapacity: true)
      firstCover = 0
      hidden = end
      given = max(given, end)
      return
    }
    var start = start
    while covers.count > firstCover, let last = covers.last, last.upperBound > start {
      start = min(start, last.lowerBound)
      covers.removeLast()
    }
    covers.append(start..<end)
  }

  /// Gives what is before a place: no secret that is found later begins there.
  ///
  /// - Parameter base: where `bytes` begin in the stream.
  private mutating func settle(
    upTo end: Int, _ bytes: UnsafeRawBufferPointer, _ base: Int, _ give: (UnsafeRawBufferPointer) -> Void
  ) {
    while firstCover < covers.count, covers[firstCover].lowerBound < end {
      let cover = covers[firstCover]
      firstCover += 1
      show(upTo: cover.lowerBound, bytes, base, give)
      give(UnsafeRawBufferPointer(start: Mask.stars.utf8Start, count: Mask.stars.utf8CodeUnitCount))
      hidden = cover.upperBound
      given = hidden
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
    if given < min(end, base) {
      let from = min(given - heldFrom + heldWaste, held.count)
      let part = held.bytes[from...].prefix(min(end, base) - given)
      if !part.isEmpty { give(UnsafeRawBufferPointer(rebasing: part)) }
      given = min(end, base)
    }
    if given < end {
      give(UnsafeRawBufferPointer(rebasing: bytes[(given - base)..<(end - base)]))
      given = end
    }
  }

  /// Keeps what has not been given.
  private mutating func hold(_ bytes: UnsafeRawBufferPointer, _ base: Int) {
    if given >= base {
      held.truncate(0)
      heldWaste = 0
      heldFrom = given
    } else {
      heldWaste += given - heldFrom
      heldFrom = given
      // Moved when half of it is waste, so that many small pieces do not move it each time.
      if heldWaste > held.count / 2 {
        held.removeFirst(heldWaste)
        heldWaste = 0
      }
    }
    let rest = bytes.dropFirst(max(0, min(given, position) - base))
    if rest.isEmpty { return }
    held.append(UnsafeRawBufferPointer(rebasing: rest))
    if held.isExhausted {
      // What cannot be looked at is not shown.
      covers = [heldFrom..<position]
      firstCover = 0
    }
  }
}
