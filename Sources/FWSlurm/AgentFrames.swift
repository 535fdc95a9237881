internal import CSupervisorClient
internal import FWBase
internal import FWModel

/// The frames that an agent sends over its link (agent.h). They are read as they arrive, in pieces of any size.
struct AgentFrames: ~Copyable {
  enum Frame {
    case hello(UnsafeRawBufferPointer)
    case output(Stream, UnsafeRawBufferPointer)
    case reply(fwsv_reply)
    /// The number of bytes of the standard input that the command's pipe has taken.
    case inputTaken(Int)
    /// The command has closed its standard input.
    /// With the errno of a write that failed; 0 if the command has closed its standard input.
    case inputClosed(Int32)
    case acknowledgement
    /// Bytes that no agent sends. It is unknown what else is missing.
    case refused
  }

  private var incoming = ByteBuffer()
  private var taken = 0
  /// Whether the ready byte has been received, which comes before the first frame.
  private(set) var hasReadyByte = false
  /// Whether the last frame has announced a further frame.
  private var isMoreAnnounced = false
  /// Whether frames were refused, so that the rest means nothing.
  private var isRefused = false

  private static let longest = 1 << 20

  /// Whether a part of a frame has arrived, or another frame was announced.
  var isMoreToCome: Bool { hasReadyByte && (isMoreAnnounced || incoming.count > taken) }

  /// Receives bytes into a place with room for `count` bytes. `body` returns how many there are; nothing is received if
  /// that is not positive. Returns `nil` if there is not enough memory.
  mutating func receive(_ count: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Int) -> Int? {
    guard let room = incoming.room(for: count) else { return nil }
    let received = body(room)
    incoming.commit(received)
    return received
  }

  /// Takes the next frame; `nil` if no frame is complete. The bytes of a frame are valid until the next call.
  mutating func next() -> Frame? {
    let headSize = MemoryLayout<fwa_head>.size
    if isRefused { return compact() }
    if !hasReadyByte {
      guard let first = incoming.bytes.first else { return nil }
      hasReadyByte = true
      if Int(first) == FWA_READY_BYTE { taken = 1 }
    }
    let rest = UnsafeRawBufferPointer(rebasing: incoming.bytes[taken...])
    guard rest.count >= headSize else { return compact() }
    let head = rest.loadUnaligned(as: fwa_head.self)
    let size = Int(head.size)
    guard size <= AgentFrames.longest else { return refuse() }
    guard rest.count >= headSize + size else { return compact() }
    taken += headSize + size
    isMoreAnnounced = head.kind & FWA_MORE != 0
    let payload = UnsafeRawBufferPointer(rebasing: rest[headSize..<(headSize + size)])
    return frame(Int(head.kind & ~FWA_MORE), payload) ?? refuse()
  }

  private func frame(_ kind: Int, _ payload: UnsafeRawBufferPointer) -> Frame? {
    switch kind {
    case FWA_HELLO:
      guard payload.count >= MemoryLayout<fwa_hello>.size,
        payload.loadUnaligned(as: fwa_hello.self).protocol == UInt32(FWA_PROTOCOL)
      else { return nil }
      return .hello(payload)
    case FWA_OUT: return .output(.stdout, payload)
    case FWA_ERR: return .output(.stderr, payload)
    case FWA_REPLY:
      var reply = fwsv_reply()
      // Only the list of processes has as many entries as there are.
      guard payload.count >= MemoryLayout<fwsv_reply>.offset(of: \.processes) ?? Int.max else { return nil }
      withUnsafeMutableBytes(of: &reply) {
        $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: payload.prefix($0.count)))
      }
      guard FWSV_STARTED...FWSV_ENDED ~= Int(reply.kind) else { return nil }
      return .reply(reply)
    case FWA_TAKEN:
      guard payload.count == MemoryLayout<UInt64>.size else { return nil }
      return .inputTaken(Int(clamping: payload.loadUnaligned(as: UInt64.self)))
    case FWA_CLOSED:
      guard payload.count == MemoryLayout<Int32>.size else { return nil }
      return .inputClosed(payload.loadUnaligned(as: Int32.self))
    case FWA_ACK: return .acknowledgement
    default: return nil
    }
  }

  private mutating func refuse() -> Frame? {
    isRefused = true
    return .refused
  }

  private mutating func compact() -> Frame? {
    incoming.removeFirst(taken)
    taken = 0
    return nil
  }
}

extension AgentFrames {
  /// The entries of the environment in the first frame of an agent.
  static func entries(_ hello: UnsafeRawBufferPointer) -> [String] {
    hello.dropFirst(MemoryLayout<fwa_hello>.size).split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
  }
}
