internal import FWBase

/// One command of a step after substitution: the text of a shell, or the words of a program. It borrows its bytes.
package struct Command {
  /// The text, or the words with a NUL between them. A NUL follows the last byte.
  package let bytes: UnsafeRawBufferPointer
  /// Whether the bytes are words: a program and its arguments, for which no shell is started.
  package let isWords: Bool

  package init(_ bytes: UnsafeRawBufferPointer, isWords: Bool) {
    self.bytes = bytes
    self.isWords = isWords
  }

  /// The words, each of which a NUL follows.
  package var words: [UnsafeRawBufferPointer] {
    bytes.split(separator: 0, omittingEmptySubsequences: false).map { UnsafeRawBufferPointer(rebasing: $0) }
  }

  /// The command as messages and results show it. Words are quoted where a shell would need it.
  package var text: String {
    guard isWords else { return String(decoding: bytes, as: UTF8.self) }
    var text = ByteBuffer()
    for word in words {
      if text.count > 0 { text.append(byte: UInt8(ascii: " ")) }
      Quoting.appendReadably(word, to: &text)
    }
    return String(decoding: text.bytes, as: UTF8.self)
  }
}
