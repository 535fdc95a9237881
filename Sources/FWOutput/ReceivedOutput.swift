package import FWBase
package import FWModel

/// One stream of a command, whose bytes are received and not read from a pipe.
package struct ReceivedOutput: ~Copyable {
  private var kept: KeptOutput
  private var feed: EventFeed?
  private var mask: Mask?
  /// Where the pieces end that the writer has made, in what is kept.
  private var ends: [Int] = []
  /// The first bytes, whatever is kept.
  package private(set) var beginning = ByteBuffer()

  private static let beginningSize = 4096

  package init(_ stream: Stream, _ settings: RunSettings, _ events: RunOptions.Events?) {
    kept = KeptOutput(
      limit: settings.outputLimit, spill: settings.spill.map { SpillFile(in: $0, for: stream.name) })
    feed = events.flatMap { EventFeed($0, stream) }
    mask = settings.secrets.isEmpty ? nil : Mask(settings.secrets)
  }

  package mutating func take(_ bytes: UnsafeRawBufferPointer, _ events: inout EventQueue) {
    let missing = ReceivedOutput.beginningSize - beginning.count
    if missing > 0 { beginning.append(UnsafeRawBufferPointer(rebasing: bytes.prefix(missing))) }
    guard mask != nil else { return add(bytes, &events) }
    var masked = ByteBuffer()
    mask?.take(bytes) { masked.append($0) }
    if masked.isExhausted { kept.lose(max(0, bytes.count - masked.count)) }
    add(masked.bytes, &events)
  }

  /// What has come so far is a piece by itself. It is none where a secret may go on in the next one.
  package mutating func endPiece() {
    if !kept.isWhole {
      ends = []
    } else if mask?.isPending != true {
      ends.append(kept.written)
    }
  }

  private mutating func add(_ bytes: UnsafeRawBufferPointer, _ events: inout EventQueue) {
    if bytes.isEmpty { return }
    kept.add(bytes)
    guard feed != nil else { return }
    if events.isListening {
      var chunk = ByteBuffer()
      chunk.append(bytes)
      feed?.give(chunk, &events)
    } else {
      // Somebody who has not seen all that came before cannot be given a part of a character.
      feed?.forget()
      events.skipOutput()
    }
  }

  package mutating func finish(_ events: inout EventQueue) {
    var rest = ByteBuffer()
    mask?.finish { rest.append($0) }
    add(rest.bytes, &events)
    feed?.finish(&events)
  }

  package mutating func take() -> Output {
    if !ends.isEmpty, ends[ends.count - 1] < kept.written { ends[ends.count - 1] = kept.written }
    return kept.take(endsOfPieces: ends)
  }
}
