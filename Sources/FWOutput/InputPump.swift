internal import FWBase
internal import FWSystem
internal import Glibc

/// The standard input on its way to a command that is reached by a stream, such as the connection to an engine. The
/// bytes come from a file, which is read here, or from the host, whose bytes wait in a buffer of limited size.
package struct InputPump: ~Copyable {
  private let input: CommandInput
  /// The bytes that are to be sent, and how many of them were sent.
  private var buffer = ByteBuffer()
  private var sent = 0
  /// Whether no more bytes come into the buffer.
  private var isComplete = false
  /// Why the file could not be read to its end; `nil` if it could, or has not ended.
  package private(set) var failure: String?

  /// The most bytes in the buffer.
  private static let capacity = 256 * 1024

  package init(_ input: CommandInput) { self.input = input }

  // MARK: The host's side

  /// Takes bytes that the host writes. Returns how many; 0 if there is no room.
  package mutating func take(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard !isComplete else { return 0 }
    let room = InputPump.capacity - (buffer.count - sent)
    guard room > 0 else { return 0 }
    compact()
    buffer.append(UnsafeRawBufferPointer(rebasing: bytes.prefix(room)))
    if buffer.isExhausted { fail("there is not enough memory") }
    return buffer.isExhausted ? 0 : min(room, bytes.count)
  }

  /// Notes that the host writes no more.
  package mutating func close() { if input.file == nil { isComplete = true } }

  /// Whether `take` would take a byte now.
  package var hasRoom: Bool { !isComplete && buffer.count - sent < InputPump.capacity }

  // MARK: The stream's side

  /// The bytes to send next. They are empty if there are none now.
  package mutating func next() -> UnsafeRawBufferPointer {
    if sent == buffer.count { refill() }
    return UnsafeRawBufferPointer(rebasing: buffer.bytes[sent...])
  }

  /// Notes that the stream has taken bytes of `next`.
  package mutating func advance(_ count: Int) {
    sent = min(sent + count, buffer.count)
    if sent == buffer.count { compact() }
  }

  /// Whether everything was sent, and no more comes.
  package var isOver: Bool { isComplete && sent == buffer.count }

  private mutating func compact() {
    buffer.removeFirst(sent)
    sent = 0
  }

  /// Reads more of the file into the empty buffer.
  private mutating func refill() {
    guard let file = input.file, !isComplete else { return }
    compact()
    guard let room = buffer.room(for: InputPump.capacity) else { return fail("there is not enough memory") }
    var count = -1
    repeat { count = read(file.number, room, InputPump.capacity) } while count < 0 && errno == EINTR
    if count > 0 { return buffer.commit(count) }
    if count < 0 { return fail(errorText(errno)) }
    isComplete = true
  }

  private mutating func fail(_ why: String) {
    failure = "\(input.name) could not be read to its end: \(why)"
    isComplete = true
  }
}
