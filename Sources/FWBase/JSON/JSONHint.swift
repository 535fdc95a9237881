/// What people who write their first documents by hand have done when a text is not JSON, as the end of a message.
///
/// The parser says which byte it did not expect. It cannot say why that byte is there, so this looks at the text.
struct JSONHint {
  private let text: UnsafeRawBufferPointer

  init(text: UnsafeRawBufferPointer) { self.text = text }

  /// - Parameters:
  ///   - offset: the beginning of the token that the parser did not expect.
  ///   - explanation: the words of the parser.
  func hint(at offset: Int, _ explanation: String) -> String {
    if explanation.begins(with: "unexpected newline") { return "; JSON has \\n for a line end in a string" }
    if explanation.begins(with: "invalid escape") { return "; JSON has \\\\ for a backslash in a string" }
    let start = JSONLocator(text: text).skipSpace(0)
    if offset <= start {
      if isFileName { return "; it looks like the name of a file: expected the content of the file" }
      if isYAML { return "; it looks like YAML: a document has the form of JSON" }
    }
    if let hint = hint(forByteAt: offset) { return "; " + hint }
    return ""
  }

  private func hint(forByteAt offset: Int) -> String? {
    guard let byte = byte(offset) else { return nil }
    switch byte {
    case UInt8(ascii: "'"): return "JSON has double quotes"
    case UInt8(ascii: "#"): return "JSON has no comments"
    case UInt8(ascii: "/"):
      let next = self.byte(offset + 1)
      return next == UInt8(ascii: "/") || next == UInt8(ascii: "*") ? "JSON has no comments" : nil
    case UInt8(ascii: "}"), UInt8(ascii: "]"):
      return before(offset) == UInt8(ascii: ",") ? "JSON has no comma behind the last element" : nil
    case UInt8(ascii: "\""):
      return isEndOfValue(before(offset)) ? "there is no comma before it" : nil
    default:
      // A word directly behind a number is a part of it, as in 0x10.
      if let last = self.byte(offset - 1), isDigit(last) { return nil }
      return hint(forWord: word(at: offset), isKey: isKey(at: offset))
    }
  }

  private func hint(forWord word: String, isKey: Bool) -> String? {
    if word.isEmpty { return nil }
    if isKey { return "JSON has keys in double quotes" }
    switch word {
    case "True", "False", "TRUE", "FALSE": return "JSON has true and false in small letters"
    case "None", "nil", "NULL", "Null", "undefined": return "JSON has null"
    case "NaN", "nan", "Infinity", "inf", "Inf": return "JSON has no such number"
    default: return isNumber(word) ? nil : "JSON has strings in double quotes"
    }
  }

  // MARK: The text

  private func byte(_ offset: Int) -> UInt8? { offset >= 0 && offset < text.count ? text[offset] : nil }

  /// The last byte before an offset that is no space.
  private func before(_ offset: Int) -> UInt8? {
    var at = min(offset, text.count)
    while at > 0 {
      at -= 1
      if text[at] > 0x20 { return text[at] }
    }
    return nil
  }

  private func isEndOfValue(_ byte: UInt8?) -> Bool {
    guard let byte else { return false }
    return byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") || isLetter(byte)
      || isDigit(byte)
  }

  /// Whether a word is where an object has a key: behind `{`, or behind a comma and before a colon.
  private func isKey(at offset: Int) -> Bool {
    if before(offset) == UInt8(ascii: "{") { return true }
    guard before(offset) == UInt8(ascii: ",") else { return false }
    return byte(JSONLocator(text: text).skipSpace(offset + word(at: offset).utf8.count)) == UInt8(ascii: ":")
  }

  private func word(at offset: Int) -> String {
    var end = offset
    while let byte = byte(end), end - offset < 20, isLetter(byte) || isDigit(byte) { end += 1 }
    return end > offset ? String(decoding: text[offset..<end], as: UTF8.self) : ""
  }

  private func isLetter(_ byte: UInt8) -> Bool {
    (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")) || byte == UInt8(ascii: "_")
  }

  private func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

  private func isNumber(_ word: String) -> Bool { word.utf8.first.map(isDigit) ?? false }

  /// Whether the whole text is one word that has the form of a path.
  private var isFileName: Bool {
    guard text.count <= 4096, !text.contains(where: { $0 <= 0x20 }) else { return false }
    let word = String(decoding: text, as: UTF8.self)
    return ["/", "./", "../", "~/"].contains { word.begins(with: $0) }
      || [".json", ".yaml", ".yml", ".ipynb"].contains { word.ends(with: $0) }
  }

  /// Whether the first line is `key:`, `key: value`, `- element` or the mark `---`.
  private var isYAML: Bool {
    let start = JSONLocator(text: text).skipSpace(0)
    if byte(start) == UInt8(ascii: "-"), let next = byte(start + 1) {
      return next == 0x20 || next == UInt8(ascii: "-")
    }
    let end = start + word(at: start).utf8.count
    guard end > start, byte(end) == UInt8(ascii: ":") else { return false }
    return byte(end + 1).map { $0 <= 0x20 } ?? true
  }
}
