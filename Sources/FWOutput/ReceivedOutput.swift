internal import CSystem
internal import FWBase
internal import FWModel
internal import Glibc

/// The output that was received of one stream of a command. Secrets are masked, the limit decides which bytes are kept,
/// and events are reported.
struct ReceivedOutput: ~Copyable {
  private var kept: KeptOutput
  private var feed: EventFeed?
  /// The mask for secrets; `nil` if the step has none.
  private var mask: Mask?
  /// The ends of the pieces that the writer has made, as offsets in the kept bytes.
  private var ends: [Int] = []
  /// The first bytes that were handed over, even if the limit has dropped them.
  private(set) var beginning = ByteBuffer()

  private static let beginningSize = 4096
  /// The number of bytes that are read at once if memory is short.
  private static let smallRead = 4096

  init(_ stream: Stream, _ settings: RunSettings, _ events: RunOptions.Events?) {
    kept = KeptOutput(
      limit: settings.outputLimit, spill: settings.spill.map { SpillFile(in: $0, for: stream.name) })
    feed = events.flatMap { EventFeed($0, stream) }
    mask = settings.secrets.isEmpty ? nil : Mask(settings.secrets)
  }

  /// Takes bytes that were handed over.
  mutating func take(_ bytes: UnsafeRawBufferPointer, _ events: inout EventQueue) {
    let missing = ReceivedOutput.beginningSize - beginning.count
    if missing > 0 { beginning.append(UnsafeRawBufferPointer(rebasing: bytes.prefix(missing))) }
    if mask != nil { return add(masked(bytes), &events) }
    guard keep(bytes, &events) else { return }
    var chunk = ByteBuffer()
    chunk.append(bytes)
    feed?.add(chunk, &events)
  }

  /// Reads once from a descriptor. Returns the number of bytes as read(2) does; if it is negative, the reason is in
  /// errno.
  mutating func read(_ fd: Int32, atMost size: Int, _ events: inout EventQueue) -> Int {
    if mask != nil || feed != nil && events.isListening { return readChunk(fd, size, &events) }
    let count = kept.read(fd, size)
    if feed != nil, count > 0 { skip(&events) }
    return count
  }

  private mutating func readChunk(_ fd: Int32, _ most: Int, _ events: inout EventQueue) -> Int {
    var chunk = ByteBuffer()
    var size = min(most, feed?.largestRead ?? most)
    // The memory of an event fits its bytes and the NUL behind them, so that it need not be cut. Large memory that is
    // cut is given back to the system, and comes back as new pages each time.
    if size > ReceivedOutput.smallRead {
      size = min(size, max(ReceivedOutput.smallRead, Int(clamping: fws_waiting_bytes(fd))))
    }
    guard let room = chunk.room(for: size + 1) else {
      feed?.discard()
      // Bytes that cannot be searched for secrets are not kept.
      if mask == nil { return kept.read(fd, min(most, ReceivedOutput.smallRead)) }
      errno = ENOMEM
      return -1
    }
    let count = Glibc.read(fd, room, size)
    guard count > 0 else { return count }
    chunk.commit(count)
    if mask != nil { add(masked(chunk.bytes), &events) } else { add(chunk, &events) }
    return count
  }

  private mutating func masked(_ bytes: UnsafeRawBufferPointer) -> ByteBuffer {
    var masked = ByteBuffer()
    mask?.take(bytes) { masked.append($0) }
    if masked.isExhausted { kept.countLost(max(0, bytes.count - masked.count)) }
    return masked
  }

  /// Takes bytes that have no secret in them.
  private mutating func add(_ chunk: consuming ByteBuffer, _ events: inout EventQueue) {
    if keep(chunk.bytes, &events) { feed?.add(chunk, &events) }
  }

  /// Keeps bytes. Returns whether the event feed takes them as well.
  private mutating func keep(_ bytes: UnsafeRawBufferPointer, _ events: inout EventQueue) -> Bool {
    if bytes.isEmpty { return false }
    kept.add(bytes)
    if feed == nil { return false }
    if events.isListening { return true }
    skip(&events)
    return false
  }

  /// Handles output that comes while nobody takes events. Bytes that were not reported are discarded: a listener that
  /// starts later must not get the rest of a character or line whose beginning it has not seen.
  private mutating func skip(_ events: inout EventQueue) {
    feed?.discard()
    events.skipOutput()
  }

  /// Ends a piece that the writer has made. No piece ends where a secret may continue in the next one.
  mutating func endPiece() {
    if !kept.isWhole {
      ends = []
    } else if mask?.isPending != true {
      ends.append(kept.written)
    }
  }

  /// Takes the rest of a stream that has ended.
  ///
  /// - Parameter text: text that follows the stream in the result.
  mutating func finish(_ events: inout EventQueue, appending text: String = "") {
    var rest = ByteBuffer()
    mask?.finish { rest.append($0) }
    add(rest, &events)
    if !text.isEmpty {
      var more = ByteBuffer()
      more.append(text)
      add(more, &events)
    }
    feed?.finish(&events)
  }

  /// Returns the kept output, after `finish`.
  mutating func take() -> Output {
    if !ends.isEmpty, ends[ends.count - 1] < kept.written { ends[ends.count - 1] = kept.written }
    return kept.take(endsOfPieces: ends)
  }
}
