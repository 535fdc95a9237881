/// How text from outside is shown in messages: names, values, paths, and what other programs say. All of it goes through
/// here, so that a message is one short line of plain text, whatever was in a document or came from a peer.
package enum MessageFormat {
  /// How many characters a message shows of one text.
  static let longest = 200
  /// How many of a list of names.
  static let most = 10

  /// A name in quotes. What is no plain text in it is escaped as JSON does.
  package static func quoted(_ text: String, limit: Int = 60) -> String {
    let (shown, isWhole) = pieces(text.unicodeScalars, limit, isName: true)
    return "\"" + shown.joined() + (isWhole ? "\"" : "\u{2026}\"")
  }

  /// A path as `quoted` shows it. Of a long one there is more of its end, which tells it from others.
  package static func path(_ path: String) -> String { "\"" + cut(path, longest / 4, longest - longest / 4, isName: true) + "\"" }

  /// What another program says, as one line: an engine, a scheduler, a server, an exception. What is no plain text
  /// becomes a space, and many spaces one. A long text lacks its middle: the reason is often at its end.
  package static func foreign(_ text: String, limit: Int = longest) -> String {
    cut(text, limit / 2, limit - limit / 2, isName: false)
  }

  /// A whole message, whose parts have been shortened: the last look at it.
  static func message(_ text: String) -> String {
    var text = text
    let isPlain = text.withUTF8 { bytes in
      bytes.count <= longestMessage && bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
    }
    return isPlain ? text : foreign(text, limit: longestMessage)
  }

  private static let longestMessage = 4096

  /// `"a", "b" or "c"`: words of our own documents, which are few.
  package static func choice(_ words: [String], joining word: String = "or") -> String {
    joined(words.map { "\"\($0)\"" }, word)
  }

  /// `"a", "b" and 7 others`: names from outside, of which there may be any number.
  package static func names(_ names: [String]) -> String { listed(names) { quoted($0) } }

  /// The same of anything that can be shown.
  package static func listed<Element>(_ elements: [Element], _ show: (Element) -> String) -> String {
    var shown = elements.prefix(most).map(show)
    if elements.count > most { shown.append("\(elements.count - most) others") }
    return joined(shown, "and")
  }

  private static func joined(_ shown: [String], _ word: String) -> String {
    guard let last = shown.last, shown.count > 1 else { return shown.first ?? "none" }
    return shown.dropLast().joined(separator: ", ") + " \(word) " + last
  }

  /// `; did you mean "x"?`, if one of the known names is like a wrong one; else nothing.
  package static func hint<Names: Sequence>(for wrong: String, among known: Names) -> String where Names.Element == String {
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
  /// Whether a character may stand in a message as it is: it is no control character (also none of C1), ends no line,
  /// does not turn the direction of what follows, and can be seen.
  static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x20...0x7E: return true
    case 0..<0xA0, 0xAD: return false
    // Marks of direction, and line ends.
    case 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x206F: return false
    // What has no width.
    case 0x180E, 0x200B...0x200D, 0x2060...0x2065, 0xFEFF, 0xFFF9...0xFFFB, 0x1D173...0x1D17A, 0xE0000...0xE0FFF: return false
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

  /// A text, or its first and last characters.
  private static func cut(_ text: String, _ first: Int, _ last: Int, isName: Bool) -> String {
    let (all, isWhole) = pieces(text.unicodeScalars, first + last, isName: isName)
    if isWhole { return all.joined() }
    let begin = pieces(text.unicodeScalars, first, isName: isName).shown
    // From behind, so that a text of megabytes costs no more than another one.
    let end = pieces(text.unicodeScalars.reversed(), last, isName: isName).shown
    return begin.joined() + "\u{2026}" + end.reversed().joined()
  }

  /// The first characters as they are shown, and whether these are all.
  ///
  /// - Parameter isName: whether each character counts, and is escaped where it has to be; in what others say it becomes a
  ///   space, of several spaces there is one, and at the ends none.
  private static func pieces<Text: Sequence>(_ text: Text, _ limit: Int, isName: Bool) -> (shown: [String], isWhole: Bool)
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
