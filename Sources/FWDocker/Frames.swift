internal import FWModel

/// Takes the two output streams out of the one that an engine sends: frames of a head of eight bytes - which
/// stream, three zeros, the size (big-endian) - and then so many bytes. Where pieces of the stream begin and end has
/// nothing to do with frames. (Docker Engine API, "Attach to a container".)
struct Frames {
  private var head: [UInt8] = []
  private var left = 0
  private var stream = Stream.stdout
  /// What came is no frame; nothing behind it can be told apart.
  private var isBroken = false

  init() { head.reserveCapacity(8) }

  /// Gives the pieces of output in what came.
  mutating func take(_ bytes: UnsafeRawBufferPointer, _ give: (Stream, UnsafeRawBufferPointer) -> Void) {
    var at = 0
    while at < bytes.count, !isBroken {
      if left == 0 {
        head.append(bytes[at])
        at += 1
        guard head.count == 8 else { continue }
        // 0 is the standard input, which engines write to the output; 3 is the engine's own complaint.
        isBroken = head[0] > 3 || head[1...3].contains { $0 != 0 }
        stream = head[0] == 2 || head[0] == 3 ? .stderr : .stdout
        left = head[4...].reduce(0) { $0 << 8 | Int($1) }
        head.removeAll(keepingCapacity: true)
        continue
      }
      let count = min(left, bytes.count - at)
      give(stream, UnsafeRawBufferPointer(rebasing: bytes[at..<(at + count)]))
      at += count
      left -= count
    }
  }

  /// Whether the stream has ended in the middle of a frame, or has become something else.
  var isCutShort: Bool { left > 0 || !head.isEmpty || isBroken }
}
