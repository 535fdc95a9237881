/// A reader of bytes that come from outside of the process, with what must hold for any bytes.
///
/// `make fuzz` gives a reader the bytes that libFuzzer makes, and `FuzzReplayTests` gives it those in
/// Tests/fuzz/corpus.
package struct Reader: Sendable {
  package let name: String
  /// The most bytes that an input of the fuzzer has.
  package let longest: Int
  /// Reads the bytes. It throws if something does not hold that must; a trap of the library ends the process.
  package let read: @Sendable (UnsafeRawBufferPointer) throws -> Void

  package init(
    _ name: String, longest: Int = 1024, _ read: @escaping @Sendable (UnsafeRawBufferPointer) throws -> Void
  ) {
    self.name = name
    self.longest = longest
    self.read = read
  }

  /// All readers. Each has a file in Tests/fuzz/corpus.
  package static let all: [Reader] = documents + texts + docker + storage + clusters + interpreters + states + sandboxes

  package static func named(_ name: String) -> Reader? { all.first { Array($0.name.utf8) == Array(name.utf8) } }
}

/// Something that must hold for any bytes, and does not.
package struct Broken: Error, CustomStringConvertible {
  package let description: String
}

/// Throws unless a condition holds.
func hold(_ condition: Bool, _ what: @autoclosure () -> String) throws {
  if !condition { throw Broken(description: what()) }
}

/// Throws unless a text is one short line of plain text, as each message of the library has to be.
func holdMessage(_ text: String, limit: Int = 4200) throws {
  var count = 0
  for scalar in text.unicodeScalars {
    count += 1
    let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
    let isLineEnd = scalar.value == 0x2028 || scalar.value == 0x2029
    let isDirection = (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
    try hold(
      !isControl && !isLineEnd && !isDirection, "a message has the character \(scalar.value): \(text.debugDescription)")
  }
  try hold(count <= limit, "a message has \(count) characters: \(text.debugDescription)")
}

/// Lends the bytes of a text.
func lend<Result>(_ text: String, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
  var text = text
  return try text.withUTF8 { try body(UnsafeRawBufferPointer($0)) }
}

/// The choices that the first bytes of an input make for the rest of it.
struct Choices {
  private(set) var rest: UnsafeRawBufferPointer

  init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

  /// A number below `limit`; 0 at the end of the bytes.
  mutating func next(below limit: Int) -> Int {
    guard let byte = rest.first else { return 0 }
    rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst())
    return Int(byte) % limit
  }
}

/// Cuts bytes into pieces, whose sizes come from a number that is stirred for each piece.
func pieces(of bytes: UnsafeRawBufferPointer, _ seed: Int) -> [UnsafeRawBufferPointer] {
  var pieces: [UnsafeRawBufferPointer] = []
  var state = UInt32(truncatingIfNeeded: seed)
  var at = 0
  while at < bytes.count {
    state = state &* 1_664_525 &+ 1_013_904_223
    // Most pieces are short, so that they end inside of whatever the bytes are made of.
    let size = state >> 24 & 7 == 0 ? Int(state >> 16 & 255) : Int(state >> 16 & 15) + 1
    let end = min(bytes.count, at + max(1, size))
    pieces.append(UnsafeRawBufferPointer(rebasing: bytes[at..<end]))
    at = end
  }
  return pieces
}
