/// Puts text from outside into commands and documents, so that it stays the text that it is.
package enum Quoting {
  /// The text as one word of a POSIX shell. Nothing is special between single quotes but the closing one, so a single
  /// quote of the text stands outside of them, as `\'`. The quotes are there for every text: without them a word such
  /// as `if` or `a=b` could mean something to the shell.
  package static func shell(_ text: UnsafeRawBufferPointer) throws(FlowError) -> ByteBuffer {
    if let at = text.firstIndex(of: 0) {
      throw FlowError(
        .invalid, "the text contains a NUL byte at offset \(at), which no argument of a command can contain")
    }
    var quoted = ByteBuffer()
    quoted.append(byte: UInt8(ascii: "'"))
    for part in parts(of: text, at: UInt8(ascii: "'")) {
      if part.startIndex > 0 { quoted.append("'\\''" as StaticString) }
      quoted.append(UnsafeRawBufferPointer(rebasing: part))
    }
    quoted.append(byte: UInt8(ascii: "'"))
    if quoted.isExhausted { throw .noMemory }
    return quoted
  }

  private static func parts(of text: UnsafeRawBufferPointer, at quote: UInt8) -> [Slice<UnsafeRawBufferPointer>] {
    text.split(separator: quote, omittingEmptySubsequences: false)
  }

  /// The text as a string of JSON, with its quotation marks.
  package static func json(_ text: UnsafeRawBufferPointer) throws(FlowError) -> ByteBuffer {
    if let at = text.firstIndex(of: 0) {
      throw FlowError(.invalid, "the text contains a NUL byte at offset \(at), which no document can contain")
    }
    if let at = UTF8Text.firstInvalid(in: text) {
      throw FlowError(
        .syntax, "the text is not valid UTF-8", position: JSONLocator(text: text).position(ofByte: at))
    }
    var writer = JSONWriter()
    writer.text(text)
    let quoted = writer.buffer()
    if quoted.isExhausted { throw .noMemory }
    return quoted
  }
}
