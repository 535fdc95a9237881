/// What bytes mean as UTF-8: the one place that knows.
package enum UTF8Text {
  /// The bytes of the character that begins at `at`, or of what there is of it (table 3-7 of the
  /// Unicode standard).
  static func character(_ text: UnsafeRawBufferPointer, _ at: Int) -> (length: Int, isValid: Bool) {
    let (length, isValid, _) = look(text, at)
    return (length, isValid)
  }

  /// The same, and whether only the end of the text keeps it from being a character.
  static func look(_ text: UnsafeRawBufferPointer, _ at: Int) -> (length: Int, isValid: Bool, isCut: Bool) {
    let first = text[at]
    if first < 0x80 { return (1, true, false) }
    let count: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch first {
    case 0xC2...0xDF: count = 2
    case 0xE0: (count, second) = (3, 0xA0...0xBF)
    case 0xED: (count, second) = (3, 0x80...0x9F)
    case 0xE1...0xEF: count = 3
    case 0xF0: (count, second) = (4, 0x90...0xBF)
    case 0xF1...0xF3: count = 4
    case 0xF4: (count, second) = (4, 0x80...0x8F)
    default: return (1, false, false)
    }
    for index in 1..<count {
      let allowed = index == 1 ? second : 0x80...0xBF
      guard at + index < text.count else { return (index, false, true) }
      guard allowed.contains(text[at + index]) else { return (index, false, false) }
    }
    return (count, true, false)
  }

  /// Appends text, with U+FFFD for what is none. Gives how many bytes at the end may be the beginning
  /// of a character: they are left out.
  package static func repair(_ text: UnsafeRawBufferPointer, into out: inout ByteBuffer) -> Int {
    var plain = 0
    var at = 0
    while at < text.count {
      if text[at] < 0x80 {
        at += 1
        continue
      }
      let (length, isValid, isCut) = look(text, at)
      if isCut { break }
      if !isValid {
        out.append(UnsafeRawBufferPointer(rebasing: text[plain..<at]))
        out.append("\u{FFFD}" as StaticString)
        plain = at + length
      }
      at += length
    }
    out.append(UnsafeRawBufferPointer(rebasing: text[plain..<at]))
    return text.count - at
  }
}
