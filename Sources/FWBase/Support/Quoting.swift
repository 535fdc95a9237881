internal import Glibc

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
    appendForShell(text, to: &quoted)
    if quoted.isExhausted { throw .noMemory }
    return quoted
  }

  /// Appends the text as one word of a POSIX shell.
  package static func appendForShell(_ text: UnsafeRawBufferPointer, to output: inout ByteBuffer) {
    output.append(byte: UInt8(ascii: "'"))
    var left = text
    while let start = left.baseAddress, let quote = memchr(start, Int32(UInt8(ascii: "'")), left.count) {
      let before = UnsafeRawBufferPointer(rebasing: left[..<(UnsafeRawPointer(quote) - start)])
      output.append(before)
      output.append("'\\''" as StaticString)
      left = UnsafeRawBufferPointer(rebasing: left[(before.count + 1)...])
    }
    output.append(left)
    output.append(byte: UInt8(ascii: "'"))
  }

  /// Appends a word as a person would write it for a shell: with quotes only where they are needed.
  package static func appendReadably(_ word: UnsafeRawBufferPointer, to output: inout ByteBuffer) {
    if !word.isEmpty, word.allSatisfy(isPlain) { return output.append(word) }
    appendForShell(word, to: &output)
  }

  /// Whether a byte never means anything to a shell.
  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "/"), UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "+"), UInt8(ascii: "@"),
      UInt8(ascii: "%"), UInt8(ascii: "="):
      return true
    default: return byte >= 0x80
    }
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
