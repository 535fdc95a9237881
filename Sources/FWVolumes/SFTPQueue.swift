internal import CSystem
internal import FWBase

/// Packets that wait until ssh takes them.
struct SFTPQueue: ~Copyable {
  /// The packets. The first one begins at the beginning.
  var bytes = ByteBuffer()
  /// The number of bytes that were sent.
  private var sent = 0

  /// The number of sent bytes that are kept before they are dropped together.
  private static let mostSent = 1 << 20

  var unsent: Int { bytes.count - sent }

  /// Sends what goes without waiting. Returns false if there is more.
  ///
  /// - Parameter limit: the number of bytes that may be sent of all.
  mutating func send(to fd: Int32, upTo limit: Int) -> Bool {
    let end = min(bytes.count, limit)
    while sent < end, let start = bytes.start {
      let count = fws_link_send(fd, start + sent, end - sent)
      if count <= 0 { break }
      sent += count
    }
    let isDone = sent == end
    if sent == bytes.count {
      bytes.truncate(0)
      sent = 0
    } else if sent > SFTPQueue.mostSent {
      let begin = startedPacket.lowerBound
      bytes.removeFirst(begin)
      sent -= begin
    }
    return isDone
  }

  /// Drops all packets of which nothing was sent.
  mutating func keepStartedPacket() { bytes.truncate(startedPacket.upperBound) }

  /// Where the packet is of which a part was sent. It is empty if there is none.
  private var startedPacket: Range<Int> {
    var at = 0
    while at < sent {
      var reader = SFTPReader(UnsafeRawBufferPointer(rebasing: bytes.bytes[at...]))
      let next = at + 4 + Int(reader.number() ?? 0)
      if next > sent { return at..<min(next, bytes.count) }
      at = next
    }
    return at..<at
  }
}
