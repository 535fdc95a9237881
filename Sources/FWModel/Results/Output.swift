internal import FWBase
internal import Glibc

/// The two output streams of a step.
package enum Stream: Int32, Sendable {
  case stdout = 1
  case stderr = 2

  package var name: StaticString { self == .stdout ? "stdout" : "stderr" }
}

/// What a command wrote to one stream, followed by a NUL.
package final class Output: @unchecked Sendable {
  // Unchecked: the memory never changes.
  let start: UnsafeMutablePointer<UInt8>?
  let count: Int
  /// Where bytes are missing, if some are.
  let cut: Int
  /// Bytes that the command wrote; those that are not kept are `written - count`.
  let written: Int
  /// The file that has all of it, where there is one, and why it has not.
  let file: String?
  let fileError: String?
  /// Memory ran out before all was there that was to be kept.
  let isExhausted: Bool
  /// Where its pieces end, the last with the bytes; none: it is one.
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

  /// A text that stands where output would.
  package convenience init(_ text: String) {
    var bytes = ByteBuffer()
    bytes.append(text)
    let count = bytes.count
    self.init(bytes.take(), count: count, cutAt: count, written: 0)
  }

  /// Pieces of text that stand where output would.
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

  /// Bytes that the command wrote and that are not here.
  var missing: Int { max(0, written - count) }

  /// What a result has of it: nothing, the whole, or the pieces that its writer has made, which may be empty. Where memory ran
  /// out there is something to say, even if nothing is here.
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
