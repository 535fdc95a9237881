/// The forms in which messages show text from outside: names, values, paths, and what other programs say. All such text
/// enters a message through these functions, so a message is one short line of plain text whatever a document or a peer
/// has sent.
package enum MessageFormat {
  /// The most characters that a message shows of one text.
  static let longest = 200
  /// The most names that a message shows of a list.
  static let most = 10

  /// A name in quotes. Characters that are not plain text are escaped as in JSON.
  package static func quoted(_ text: String, limit: Int = 60) -> String {
    let (shown, isWhole) = pieces(text.unicodeScalars, limit, isName: true)
    return "\"" + shown.joined() + (isWhole ? "\"" : "\u{2026}\"")
  }

  /// A name that is bytes, shown as `quoted` shows text. Bytes that are no UTF-8 are shown as `\xFF`.
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

  /// A path in quotes. A long path is cut in its first part, because its end tells it from others.
  package static func path(_ path: String) -> String {
    "\"" + cut(path, longest / 4, longest - longest / 4, isName: true) + "\""
  }

  /// What another program says (an engine, a scheduler, a server, an exception) as one line. Characters that are not
  /// plain text become spaces, and several spaces become one. A long text is cut in its middle, because the reason is
  /// often at its end.
  package static func foreign(_ text: String, limit: Int = longest) -> String {
    cut(text, limit / 2, limit - limit / 2, isName: false)
  }

  /// A whole message, whose parts were shortened before. This is the last check of its length and its characters.
  static func message(_ text: String) -> String {
    var text = text
    let isPlain = text.withUTF8 { bytes in
      bytes.count <= longestMessage && bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
    }
    return isPlain ? text : foreign(text, limit: longestMessage)
  }

  private static let longestMessage = 4096

  /// A choice such as `"a", "b" or "c"`, of words of the library's own, which are few.
  package static func choice(_ words: [String], joining word: String = "or") -> String {
    joined(words.map { "\"\($0)\"" }, word)
  }

  /// A list such as `"a", "b" and 7 others`, of names from outside, of which there may be any number.
  package static func names(_ names: [String]) -> String { listed(names) { quoted($0) } }

  /// The same list for elements of any type.
  package static func listed<Element>(_ elements: [Element], _ show: (Element) -> String) -> String {
    var shown = elements.prefix(most).map(show)
    if elements.count > most { shown.append("\(elements.count - most) others") }
    return joined(shown, "and")
  }

  private static func joined(_ shown: [String], _ word: String) -> String {
    guard let last = shown.last, shown.count > 1 else { return shown.first ?? "none" }
    return shown.dropLast().joined(separator: ", ") + " \(word) " + last
  }

  /// The end of a message, `; did you mean "x"?`, if a known name is similar to a wrong one; otherwise the empty text.
  package static func hint<Names: Sequence>(for wrong: String, among known: Names) -> String
  where Names.Element == String {
    closest(to: wrong, among: known).map { "; did you mean \(quoted($0))?" } ?? ""
  }

  /// A time, as "5 s" or "0.5 s".
  package static func seconds(_ number: Double) -> String {
    let text = ValueText.real(number)
    return (text.without(suffix: ".0") ?? text[...]) + " s"
  }
}

// MARK: Plain text

extension MessageFormat {
  /// Whether a character may be in a message as it is. Control characters (C0 and C1), line ends, marks of direction,
  /// and characters that cannot be seen may not.
  package static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x20...0x7E: return true
    case 0..<0xA0, 0xAD: return false
    // These are marks of direction, and line ends.
    case 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x206F: return false
    // These characters have no width.
    case 0x180E, 0x200B...0x200D, 0x2060...0x2065, 0xFEFF, 0xFFF9...0xFFFB, 0x1D173...0x1D17A, 0xE0000...0xE0FFF:
      return false
    default: return true
    }
  }

  private static func escaped(_ scalar: Unicode.Scalar) -> String {
    switch scalar {
    case "\n": return "\\n"
    case "\r": return "\\r"
    case "\t": return "\\t"
    case "\"": return "\\\""
    case "\\": return "\\\\"
    default:
      if isPlain(scalar) { return String(scalar) }
      let digits = String(scalar.value, radix: 16)
      return "\\u" + String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
    }
  }

  /// A text, or the first and the last characters of a long one.
  private static func cut(_ text: String, _ first: Int, _ last: Int, isName: Bool) -> String {
    let (all, isWhole) = pieces(text.unicodeScalars, first + last, isName: isName)
    if isWhole { return all.joined() }
    let begin = pieces(text.unicodeScalars, first, isName: isName).shown
    // The end is taken backwards, so that a text of megabytes costs no more than a short one.
    let end = pieces(text.unicodeScalars.reversed(), last, isName: isName).shown
    return begin.joined() + "\u{2026}" + end.reversed().joined()
  }

  /// The first characters in the form in which they are shown, and whether these are all.
  ///
  /// - Parameter isName: whether characters that are not plain are escaped, as in a name. In other text they become
  ///    spaces,
  ///   several spaces become one, and spaces at the ends are dropped.
  private static func pieces<Text: Sequence>(_ text: Text, _ limit: Int, isName: Bool) -> (
    shown: [String], isWhole: Bool
  )
  where Text.Element == Unicode.Scalar {
    var shown: [String] = []
    var count = 0
    var isGap = false
    for scalar in text {
      if !isName, scalar == " " || !isPlain(scalar) {
        isGap = count > 0
        continue
      }
      let piece = isName ? escaped(scalar) : String(scalar)
      count += piece.unicodeScalars.count + (isGap ? 1 : 0)
      if count > limit { return (shown, false) }
      if isGap { shown.append(" ") }
      isGap = false
      shown.append(piece)
    }
    return (shown, true)
  }
}
