internal import Glibc

/// The text that a value of the context has in a command: that of Python's `str`, but arrays and objects are compact
/// JSON.
package enum ValueText {
  package static func string(_ value: JSONRef) -> String {
    var text = ByteBuffer()
    append(value, to: &text)
    return String(decoding: text.bytes, as: UTF8.self)
  }

  package static func append(_ value: JSONRef, to output: inout ByteBuffer) {
    switch value.kind {
    case .string:
      if let bytes = value.bytes { output.append(bytes) }
    case .integer: output.append(String(value.integer ?? 0))
    case .real: output.append(real(value.number ?? 0))
    case .boolean: output.append(value.boolean == true ? "True" as StaticString : "False")
    case .null: output.append("None" as StaticString)
    case .array, .object:
      if let text = JSONText.compact(value) { output.append(text.string) }
    }
  }

  /// Appends the value as one word of a POSIX shell, or the elements of an array as one word each, with spaces between.
  package static func appendForShell(_ value: JSONRef, to output: inout ByteBuffer) {
    guard value.kind == .array else { return appendWord(value, to: &output) }
    value.forEachElement { index, element in
      if index > 0 { output.append(byte: UInt8(ascii: " ")) }
      appendWord(element, to: &output)
    }
  }

  private static func appendWord(_ value: JSONRef, to output: inout ByteBuffer) {
    if let bytes = value.bytes { return Quoting.appendForShell(bytes, to: &output) }
    var text = ByteBuffer()
    append(value, to: &text)
    Quoting.appendForShell(text.bytes, to: &output)
  }

  /// Appends the value as text for other programs: a string as it is, and everything else as compact JSON.
  package static func appendPlain(_ value: JSONRef, to output: inout ByteBuffer) {
    if let bytes = value.bytes { return output.append(bytes) }
    // This is JSON with the fewest digits; jansson writes 0.1 as 0.10000000000000001.
    if let number = value.kind == .real ? value.number : nil { return output.append(real(number)) }
    if let text = JSONText.compact(value) { output.append(text.string) }
  }

  /// A number as Python's `repr` writes a float: the shortest digits that give the same number, with an exponent below
  /// 1e-4 and from 1e16 on.
  package static func real(_ number: Double) -> String {
    if number.isNaN { return "nan" }
    if number.isInfinite { return number < 0 ? "-inf" : "inf" }
    // Swift gives the same digits, but has another rule for the exponent.
    var digits: [UInt8] = []
    var pointAfter: Int?
    var exponent = 0
    let text = Array(number.magnitude.description.utf8)
    for (index, byte) in text.enumerated() {
      if byte == UInt8(ascii: ".") {
        pointAfter = digits.count
      } else if byte == UInt8(ascii: "e") {
        exponent = Int(String(decoding: text[(index + 1)...], as: UTF8.self)) ?? 0
        break
      } else {
        digits.append(byte)
      }
    }
    // The number is 0.DIGITS times ten to the power of `point`.
    var point = (pointAfter ?? digits.count) + exponent
    let leading = digits.prefix { $0 == UInt8(ascii: "0") }.count
    digits.removeFirst(leading)
    point -= leading
    while digits.last == UInt8(ascii: "0") { digits.removeLast() }
    let sign = number.sign == .minus ? "-" : ""
    if digits.isEmpty { return sign + "0.0" }

    func string(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
    if point < -3 || point > 16 {
      let fraction = digits.count > 1 ? "." + string(digits[1...]) : ""
      let power = point - 1
      let shown = String(power.magnitude)
      return sign + string(digits[..<1]) + fraction + "e" + (power < 0 ? "-" : "+") + (shown.utf8.count < 2 ? "0" : "")
        + shown
    }
    if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + string(digits[...]) }
    if point >= digits.count {
      return sign + string(digits[...]) + String(repeating: "0", count: point - digits.count) + ".0"
    }
    return sign + string(digits[..<point]) + "." + string(digits[point...])
  }
}

/// White space by the rule of Python's `str.strip`.
package enum Whitespace {
  package static func trimmed(_ text: some StringProtocol) -> String {
    var text = String(text)
    return text.withUTF8 { bytes in
      let raw = UnsafeRawBufferPointer(bytes)
      return String(decoding: raw[trimmed(raw, from: 0)], as: UTF8.self)
    }
  }

  /// The range of the bytes from `begin` on without the white space at both ends.
  package static func trimmed(_ bytes: UnsafeRawBufferPointer, from begin: Int) -> Range<Int> {
    var start = begin
    var end = bytes.count
    while start < end {
      let width = spaceWidth(bytes, start, end)
      if width == 0 { break }
      start += width
    }
    while end > start {
      // `first` goes back to the first byte of the last character.
      var first = end - 1
      while first > start, bytes[first] & 0xC0 == 0x80 { first -= 1 }
      guard spaceWidth(bytes, first, end) == end - first else { break }
      end = first
    }
    return start..<end
  }

  /// The number of bytes of the white space at `at`; 0 if another character is there.
  private static func spaceWidth(_ bytes: UnsafeRawBufferPointer, _ at: Int, _ end: Int) -> Int {
    let byte = bytes[at]
    if byte < 0x80 { return byte >= 0x09 && byte <= 0x0D || byte >= 0x1C && byte <= 0x20 ? 1 : 0 }
    if byte == 0xC2, at + 1 < end { return bytes[at + 1] == 0x85 || bytes[at + 1] == 0xA0 ? 2 : 0 }
    guard byte >= 0xE1, byte <= 0xE3, at + 2 < end else { return 0 }
    let code = UInt32(byte & 0x0F) << 12 | UInt32(bytes[at + 1] & 0x3F) << 6 | UInt32(bytes[at + 2] & 0x3F)
    switch code {
    case 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: return 3
    default: return 0
    }
  }
}
