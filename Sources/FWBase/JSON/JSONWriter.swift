internal import Glibc

/// Writes JSON piece by piece. A result can hold gigabytes of output, and a tree of values would be another copy of
/// them.
@usableFromInline package struct JSONWriter: ~Copyable {
  private var bytes = ByteBuffer()
  /// Whether a comma is due before the next member or element.
  private var needsComma = false

  package init() {}

  /// Gives the text with a NUL behind it, which the caller frees; `nil` if memory has run out.
  package consuming func finish() -> UnsafeMutablePointer<UInt8>? {
    var taken = ByteBuffer()
    swap(&taken, &bytes)
    return taken.take()
  }

  /// Gives the text in its buffer, without a NUL.
  package consuming func buffer() -> ByteBuffer {
    var taken = ByteBuffer()
    swap(&taken, &bytes)
    return taken
  }

  @usableFromInline package mutating func object(_ body: (inout JSONWriter) -> Void) {
    bytes.append(byte: UInt8(ascii: "{"))
    needsComma = false
    body(&self)
    bytes.append(byte: UInt8(ascii: "}"))
    needsComma = true
  }

  @usableFromInline package mutating func array<Element>(
    _ elements: [Element], _ body: (inout JSONWriter, Element) -> Void
  ) {
    bytes.append(byte: UInt8(ascii: "["))
    for (index, element) in elements.enumerated() {
      if index > 0 { bytes.append(byte: UInt8(ascii: ",")) }
      body(&self, element)
    }
    bytes.append(byte: UInt8(ascii: "]"))
    needsComma = true
  }

  @usableFromInline package mutating func member(_ key: StaticString, _ body: (inout JSONWriter) -> Void) {
    if needsComma { bytes.append(byte: UInt8(ascii: ",")) }
    bytes.append(byte: UInt8(ascii: "\""))
    bytes.append(key)
    bytes.append("\":" as StaticString)
    body(&self)
    needsComma = true
  }

  /// Writes a member whose key comes from outside.
  package mutating func member(key: String, _ body: (inout JSONWriter) -> Void) {
    if needsComma { bytes.append(byte: UInt8(ascii: ",")) }
    var key = key
    key.withUTF8 { text(UnsafeRawBufferPointer($0)) }
    bytes.append(byte: UInt8(ascii: ":"))
    body(&self)
    needsComma = true
  }

  package mutating func member(key: String, _ value: String?) {
    member(key: key) { writer in
      guard var value else { return writer.null() }
      value.withUTF8 { writer.text(UnsafeRawBufferPointer($0)) }
    }
  }

  package mutating func member(_ key: StaticString, _ value: String?) {
    member(key) { writer in
      guard var value else { return writer.null() }
      value.withUTF8 { writer.text(UnsafeRawBufferPointer($0)) }
    }
  }

  package mutating func member(_ key: StaticString, _ value: Int?) {
    member(key) { writer in
      guard let value else { return writer.null() }
      writer.bytes.append(String(value))
    }
  }

  package mutating func member(_ key: StaticString, _ value: Bool) {
    member(key) { $0.bytes.append(value ? "true" as StaticString : "false") }
  }

  package mutating func member(_ key: StaticString, _ value: Double?) {
    member(key) { writer in
      guard let value, value.isFinite else { return writer.null() }
      writer.bytes.append(ValueText.real(value))
    }
  }

  package mutating func number(_ value: Int) { bytes.append(String(value)) }

  /// Writes a value that was read before.
  package mutating func value(_ value: JSONRef) {
    guard let text = JSONText.compact(value) else { return null() }
    bytes.append(text.bytes)
  }

  package mutating func string(_ value: String) {
    var value = value
    value.withUTF8 { text(UnsafeRawBufferPointer($0)) }
  }

  /// Writes a text that is JSON already.
  package mutating func json(_ text: String) { bytes.append(text) }

  package mutating func null() { bytes.append("null" as StaticString) }

  /// Writes a string. Bytes that are not UTF-8 become U+FFFD, one for each longest piece of a character that could have
  /// been one, as the Unicode standard recommends and Python does.
  package mutating func text(_ text: UnsafeRawBufferPointer) { self.text(text, cutAt: text.count) }

  /// Writes a string of which a part is missing at `cut`. Bytes on the two sides of the gap never form a character.
  package mutating func text(_ text: UnsafeRawBufferPointer, cutAt cut: Int) {
    bytes.append(byte: UInt8(ascii: "\""))
    inside(UnsafeRawBufferPointer(rebasing: text[..<cut]))
    inside(UnsafeRawBufferPointer(rebasing: text[cut...]))
    bytes.append(byte: UInt8(ascii: "\""))
  }

  private mutating func inside(_ text: UnsafeRawBufferPointer) {
    var plain = 0
    var at = 0
    func flush(_ writer: inout JSONWriter, upTo end: Int) {
      if end > plain { writer.bytes.append(UnsafeRawBufferPointer(rebasing: text[plain..<end])) }
    }
    while at < text.count {
      let byte = text[at]
      if byte < 0x80 {
        if byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\") {
          at += 1
          continue
        }
        flush(&self, upTo: at)
        escape(byte)
        at += 1
        plain = at
        continue
      }
      let (length, isValid) = UTF8Text.character(text, at)
      if !isValid {
        flush(&self, upTo: at)
        bytes.append("\u{FFFD}" as StaticString)
        plain = at + length
      }
      at += length
    }
    flush(&self, upTo: at)
  }

  private mutating func escape(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: "\""): bytes.append("\\\"" as StaticString)
    case UInt8(ascii: "\\"): bytes.append("\\\\" as StaticString)
    case UInt8(ascii: "\n"): bytes.append("\\n" as StaticString)
    case UInt8(ascii: "\r"): bytes.append("\\r" as StaticString)
    case UInt8(ascii: "\t"): bytes.append("\\t" as StaticString)
    default:
      bytes.append("\\u00" as StaticString)
      let digits: StaticString = "0123456789abcdef"
      bytes.append(byte: digits.utf8Start[Int(byte >> 4)])
      bytes.append(byte: digits.utf8Start[Int(byte & 15)])
    }
  }
}
