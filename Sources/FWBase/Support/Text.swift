internal import CSystem
internal import Glibc

// These functions work on the bytes of a text. Text from outside (paths, protocols, messages of programs) is compared
// and taken apart by them, because Swift's own functions work on canonical characters: for these, "/" and a combining
// mark are one character, and two spellings of a letter are equal. `contains` is here because the standard library has
// it only together with its regular expressions, which take a megabyte.

extension StringProtocol {
  /// Whether the bytes of another text are in this one.
  package func contains(_ part: String) -> Bool {
    var own = String(self)
    var part = part
    return own.withUTF8 { own in
      part.withUTF8 { part in
        guard let start = own.baseAddress, let wanted = part.baseAddress, !part.isEmpty else { return part.isEmpty }
        return fws_find(start, own.count, wanted, part.count) >= 0
      }
    }
  }

  /// Whether two texts have the same bytes.
  @usableFromInline package func isSame(as other: some StringProtocol) -> Bool {
    let isSame = utf8.withContiguousStorageIfAvailable { own in
      other.utf8.withContiguousStorageIfAvailable { other in
        guard own.count == other.count, let start = own.baseAddress, let wanted = other.baseAddress else {
          return own.isEmpty && other.isEmpty
        }
        return memcmp(start, wanted, own.count) == 0
      }
    }
    return (isSame ?? nil) ?? utf8.elementsEqual(other.utf8)
  }

  @usableFromInline package func begins(with prefix: some StringProtocol) -> Bool { utf8.starts(with: prefix.utf8) }

  @usableFromInline package func ends(with suffix: some StringProtocol) -> Bool {
    utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
  }

  /// The text behind a prefix; `nil` if it does not begin with the prefix.
  @usableFromInline package func without(prefix: some StringProtocol) -> SubSequence? {
    begins(with: prefix) ? self[utf8.index(startIndex, offsetBy: prefix.utf8.count)...] : nil
  }

  /// The text before a suffix; `nil` if it does not end with the suffix.
  @usableFromInline package func without(suffix: some StringProtocol) -> SubSequence? {
    ends(with: suffix) ? self[..<utf8.index(endIndex, offsetBy: 0 - suffix.utf8.count)] : nil
  }

  /// The pieces of the text between the occurrences of an ASCII character.
  package func pieces(at separator: Unicode.Scalar, keepingEmpty: Bool = false, most: Int = Int.max) -> [SubSequence] {
    guard separator.isASCII else { return [self[...]] }
    let byte = UInt8(ascii: separator)
    var found: [SubSequence] = []
    var rest = self[...]
    while found.count < most - 1, let at = rest.utf8.firstIndex(of: byte) {
      if keepingEmpty || at > rest.startIndex { found.append(rest[..<at]) }
      rest = rest[rest.utf8.index(after: at)...]
    }
    if keepingEmpty || !rest.utf8.isEmpty { found.append(rest) }
    return found
  }

  /// The text before and behind the first occurrence of an ASCII character.
  package func cut(at separator: Unicode.Scalar) -> (before: SubSequence, behind: SubSequence)? {
    guard separator.isASCII, let at = utf8.firstIndex(of: UInt8(ascii: separator)) else { return nil }
    return (self[..<at], self[utf8.index(after: at)...])
  }

  /// The text before and behind the last occurrence of an ASCII character.
  package func cut(atLast separator: Unicode.Scalar) -> (before: SubSequence, behind: SubSequence)? {
    guard separator.isASCII else { return nil }
    let byte = UInt8(ascii: separator)
    var at = utf8.endIndex
    while at > utf8.startIndex {
      let before = utf8.index(at, offsetBy: -1)
      if utf8[before] == byte { return (self[..<before], self[at...]) }
      at = before
    }
    return nil
  }

  /// The text with the capital letters of ASCII as small letters. Other characters stay as they are.
  package var smallLetters: String {
    String(decoding: utf8.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }, as: UTF8.self)
  }
}

extension Array where Element == UInt8 {
  /// Lends the bytes as C text. They must have no NUL among them.
  package func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    let text = map { CChar(bitPattern: $0) } + [0]
    return text.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return "".withCString(body) }
      return body(start)
    }
  }
}

/// The reading of bytes as UTF-8: the one place that knows which bytes are a character.
package enum UTF8Text {
  /// The number of bytes of the character that begins at `at`, or of the part of it that is there (table 3-7 of the
  /// Unicode standard).
  static func character(_ text: UnsafeRawBufferPointer, _ at: Int) -> (length: Int, isValid: Bool) {
    let (length, isValid, _) = look(text, at)
    return (length, isValid)
  }

  /// The same, and whether the bytes are the beginning of a character that the end of the text cuts off.
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

  /// The offset of the first byte that is not part of a whole character; `nil` if all are.
  static func firstInvalid(in text: UnsafeRawBufferPointer) -> Int? {
    var at = 0
    while at < text.count {
      let (length, isValid) = character(text, at)
      if !isValid { return at }
      at += length
    }
    return nil
  }

  /// Appends the text, with U+FFFD in place of bytes that are no UTF-8. Bytes at the end that may be the beginning of a
  /// character are left out.
  ///
  /// - Returns: the number of bytes that are left out.
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
