internal import FWBase
internal import Glibc

/// The lines that an interpreter sends. They are read as they arrive, in pieces of any size. Each is a JSON object, but
/// code of the site may print anything before the runner begins.
struct InterpreterLines: ~Copyable {
  enum Message {
    /// The interpreter has become ready for jobs.
    case ready
    case line(JSONValue)
    /// The interpreter has violated the protocol. The text says how.
    case fault(String)
  }

  private var incoming = ByteBuffer()
  /// The number of incoming bytes that were taken, and the number of those that were searched for the end of a line.
  private var taken = 0
  private var searched = 0
  /// The number of bytes that arrived before the interpreter was ready, and that were not written by the runner.
  private var foreign = 0
  /// Whether the interpreter has reported that it takes jobs.
  private(set) var isReady = false
  /// Whether the interpreter sees the processes that a job leaves.
  private(set) var isReaper = false

  /// The longest line before a job has begun, and during a job, when a line may have the value of a function (call.py).
  private static let longestNotice = 64 << 10
  private static let longestLine = (256 << 20) + (64 << 10)
  /// The most that code of the site (sitecustomize, .pth files) may print at the start of an interpreter.
  private static let longestPrelude = 1 << 20

  /// Receives bytes into a place with room for `count` bytes. `body` returns how many there are; nothing is received if
  /// that is not positive. Returns `nil` if there is not enough memory.
  mutating func receive(_ count: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Int) -> Int? {
    compact()
    guard let room = incoming.room(for: count) else { return nil }
    let received = body(room)
    incoming.commit(received)
    return received
  }

  /// The next message among the received data.
  ///
  /// - Parameter isWorking: whether the interpreter does a job.
  mutating func next(isWorking: Bool) -> Message? {
    while let line = takeLine() {
      do throws(FlowError) {
        let value = try JSONText.parse(line)
        if isReady { return .line(value) }
        if value.read({ $0["event"]?.string == "ready" }) {
          isReady = true
          isReaper = value.read { $0["reaper"]?.boolean ?? false }
          return .ready
        }
      } catch { if isReady { return .fault("one of its lines cannot be read: \(error.message)") } }
      foreign += line.count + 1
    }
    let rest = incoming.count - taken
    let longest = isWorking ? InterpreterLines.longestLine : InterpreterLines.longestNotice
    if isReady, rest > longest { return .fault("it sent a line of more than \(longest) bytes") }
    if !isReady, foreign + rest > InterpreterLines.longestPrelude {
      return .fault("it wrote more than \(InterpreterLines.longestPrelude) bytes before it was ready")
    }
    return nil
  }

  private mutating func takeLine() -> UnsafeRawBufferPointer? {
    let all = incoming.bytes
    let from = max(searched, taken)
    guard from < all.count, let start = all.baseAddress,
      let end = memchr(start + from, Int32(UInt8(ascii: "\n")), all.count - from)
    else {
      searched = all.count
      return nil
    }
    let next = start.distance(to: UnsafeRawPointer(end))
    defer { taken = next + 1 }
    return UnsafeRawBufferPointer(rebasing: all[taken..<next])
  }

  /// Drops the bytes that were taken.
  private mutating func compact() {
    incoming.removeFirst(taken)
    searched = max(0, searched - taken)
    taken = 0
  }
}
