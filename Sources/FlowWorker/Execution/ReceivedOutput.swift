/// One stream of a command, whose bytes are received and not read from a pipe.
struct ReceivedOutput: ~Copyable {
  private var kept: KeptOutput
  private var feed: EventFeed?
  /// The first bytes, whatever is kept.
  private(set) var beginning = ByteBuffer()

  private static let beginningSize = 4096

  init(_ stream: Stream, _ settings: RunSettings, _ events: RunOptions.Events?) {
    kept = KeptOutput(
      limit: settings.outputLimit, spill: settings.spill.map { SpillFile(in: $0, for: stream.name) })
    feed = events.flatMap { EventFeed($0, stream) }
  }

  mutating func take(_ bytes: UnsafeRawBufferPointer, _ events: inout EventQueue) {
    kept.add(bytes)
    let missing = ReceivedOutput.beginningSize - beginning.count
    if missing > 0 { beginning.append(UnsafeRawBufferPointer(rebasing: bytes.prefix(missing))) }
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

  mutating func finish(_ events: inout EventQueue) { feed?.finish(&events) }

  mutating func take() -> Output { kept.take() }
}
