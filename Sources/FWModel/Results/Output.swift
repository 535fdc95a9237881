internal import FWBase
internal import Glibc

/// The two output streams of a step.
package enum Stream: Int32, Sendable {
  case stdout = 1
  case stderr = 2

  package var name: StaticString { self == .stdout ? "stdout" : "stderr" }
}

/// What is kept of the output of a command to one stream. The bytes are followed by a NUL.
package final class Output: @unchecked Sendable {
  // Unchecked: the memory never changes.
  let start: UnsafeMutablePointer<UInt8>?
  let count: Int
  /// The position at which bytes are missing; `count` where none are.
  package let cut: Int
  /// The number of bytes that the command wrote. Of these, `written - count` are not kept.
  package let written: Int
  /// The spill file that has the whole stream, if there is one.
  package let file: String?
  /// Why the spill file is missing or incomplete.
  let fileError: String?
  /// Whether memory ran out before everything was kept that the limit allows.
  let isExhausted: Bool
  /// The positions at which the writer's pieces end; the last piece ends with the bytes. Without positions there is one
  /// piece.
  private let ends: [Int]

  package init(
    _ start: UnsafeMutablePointer<UInt8>?, count: Int, cutAt cut: Int, written: Int, file: String? = nil,
    fileError: String? = nil, isExhausted: Bool = false, endsOfPieces ends: [Int] = []
  ) {
    self.isExhausted = isExhausted
    self.start = start
    self.count = start == nil ? 0 : count
    self.ends = start == nil && count > 0 ? [] : ends
    self.cut = written > count && cut <= self.count ? cut : self.count
    self.written = written
    self.file = file
    self.fileError = fileError
  }

  /// A text of the library's own in the place of output.
  package convenience init(_ text: String) {
    var bytes = ByteBuffer()
    bytes.append(text)
    let count = bytes.count
    self.init(bytes.take(), count: count, cutAt: count, written: 0)
  }

  /// Pieces of text in the place of output, for example of a result that was restored.
  package convenience init(pieces: [String]) {
    var bytes = ByteBuffer()
    var ends: [Int] = []
    for piece in pieces {
      bytes.append(piece)
      ends.append(bytes.count)
    }
    let count = bytes.count
    self.init(bytes.take(), count: count, cutAt: count, written: 0, endsOfPieces: ends)
  }

  package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

  /// The last line that is not blank; `nil` if there is none in the last 4 KiB. A progress bar returns to the beginning
  /// of its line (CR), so what it has written last counts.
  var lastLine: String? {
    let tail = bytes.suffix(4096)
    guard let last = tail.lastIndex(where: { $0 > UInt8(ascii: " ") }) else { return nil }
    let before = tail[..<last].lastIndex { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
    return String(decoding: tail[(before.map { $0 + 1 } ?? tail.startIndex)...last], as: UTF8.self)
  }

  /// The number of bytes of all output. Of a result that was restored, only the bytes are known.
  package var size: Int { max(written, count) }

  /// The number of bytes that the command wrote and that are not kept.
  package var missing: Int { max(0, written - count) }

  /// The elements that a result has for this output: none where it is empty, one for the whole, or one for each piece
  /// that the writer has made (a piece may be empty). Where memory ran out there is an element even if no byte was
  /// kept, because the result has to report this.
  var pieces: [Output] {
    if ends.isEmpty { return count > 0 || isExhausted ? [self] : [] }
    if ends.count == 1, start != nil { return [self] }
    var pieces: [Output] = []
    var begin = 0
    for end in ends where end >= begin && end <= count {
      var piece = ByteBuffer()
      piece.append(UnsafeRawBufferPointer(rebasing: bytes[begin..<end]))
      let size = piece.count
      pieces.append(Output(piece.take(), count: size, cutAt: size, written: size))
      begin = end
    }
    return pieces
  }

  deinit { free(start) }
}
