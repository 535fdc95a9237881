internal import CSystem

// Work on text by its bytes. What comes from outside (paths, protocols, messages of programs) is compared and taken apart by
// bytes: Swift's own functions work by canonical characters, for which "/" and a combining mark are one character, and which
// find two different names to be equal. `contains` is here because the standard library has it only with its regular
// expressions, which are a megabyte.

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

  /// Whether it has the same bytes.
  package func isSame(as other: some StringProtocol) -> Bool { utf8.elementsEqual(other.utf8) }

  package func begins(with prefix: some StringProtocol) -> Bool { utf8.starts(with: prefix.utf8) }

  package func ends(with suffix: some StringProtocol) -> Bool { utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8) }

  /// What is behind a beginning; `nil` if it does not begin so.
  package func without(prefix: some StringProtocol) -> SubSequence? {
    begins(with: prefix) ? self[utf8.index(startIndex, offsetBy: prefix.utf8.count)...] : nil
  }

  /// What is before an end; `nil` if it does not end so.
  package func without(suffix: some StringProtocol) -> SubSequence? {
    ends(with: suffix) ? self[..<utf8.index(endIndex, offsetBy: 0 - suffix.utf8.count)] : nil
  }

  /// The pieces between the bytes of an ASCII character.
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

  /// The text before and behind the first of an ASCII character.
  package func cut(at separator: Unicode.Scalar) -> (before: SubSequence, behind: SubSequence)? {
    guard separator.isASCII, let at = utf8.firstIndex(of: UInt8(ascii: separator)) else { return nil }
    return (self[..<at], self[utf8.index(after: at)...])
  }

  /// The text before and behind the last of an ASCII character.
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

  /// With the capitals of ASCII as small letters, and all else as it is.
  package var smallLetters: String {
    String(decoding: utf8.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }, as: UTF8.self)
  }
}

extension Array where Element == UInt8 {
  /// As C text: it has no NUL in it.
  package func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    let text = map { CChar(bitPattern: $0) } + [0]
    return text.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return "".withCString(body) }
      return body(start)
    }
  }
}

extension MessageFormat {
  /// A name of bytes, as `quoted` shows text, and bytes that are no UTF-8 as `\xFF`.
  package static func quoted(bytes: [UInt8], limit: Int = 60) -> String {
    if let text = String(validating: bytes, as: UTF8.self) { return quoted(text, limit: limit) }
    return bytes.withUnsafeBytes { raw in
      var shown = "\""
      var at = 0
      while at < raw.count {
        let start = at
        while at < raw.count, case (let length, let isValid) = UTF8Text.character(raw, at), isValid { at += length }
        shown += String(
          Substring(quoted(String(decoding: raw[start..<at], as: UTF8.self), limit: limit).utf8.dropFirst().dropLast()))
        while at < raw.count, !UTF8Text.character(raw, at).isValid {
          let digits = String(raw[at], radix: 16, uppercase: true)
          shown += (raw[at] < 16 ? "\\x0" : "\\x") + digits
          at += 1
        }
      }
      return shown + "\""
    }
  }
}
