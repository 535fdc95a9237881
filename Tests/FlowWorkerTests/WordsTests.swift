import Testing

@testable import FWDocker

/// A generator of bytes that look random and are the same in every run.
struct Dice {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  /// A number from 0 to `limit` - 1.
  mutating func roll(_ limit: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % max(limit, 1)
  }
}

@Suite struct WordsTests {
  private func split(_ command: String) throws -> [String] {
    try withBytes(command) { bytes throws(CommandWords.Fault) in try CommandWords.split(bytes) }
  }

  // Python 3.11 gives these words for shlex.split(command, comments=False, posix=True).
  private static let commands: [(String, [String])] = [
    ("", []), (" ", []), ("\n\t\r ", []), ("true", ["true"]), ("  a  b ", ["a", "b"]),
    ("a\tb\nc\rd", ["a", "b", "c", "d"]), ("''", [""]), ("\"\"", [""]), ("'' \"\" ''", ["", "", ""]),
    ("a''b", ["ab"]), ("a '' b", ["a", "", "b"]), ("'a b'", ["a b"]), ("\"a b\"", ["a b"]),
    ("a'b c'd\"e f\"g", ["ab cde fg"]), ("'a\\'", ["a\\"]), ("'a\\\\b'", ["a\\\\b"]), ("\"a\\\"b\"", ["a\"b"]),
    ("\"a\\\\b\"", ["a\\b"]), ("\"a\\$b\\`c\\nd\"", ["a\\$b\\`c\\nd"]), ("\"a\\\nb\"", ["a\\\nb"]),
    ("a\\ b", ["a b"]), ("a\\\\b", ["a\\b"]), ("a\\nb", ["anb"]), ("a\\\nb", ["a\nb"]), ("\\'a\\'", ["'a'"]),
    ("\\\"a b\\\"", ["\"a", "b\""]), ("'a\"b'", ["a\"b"]), ("\"a'b\"", ["a'b"]),
    ("a#b #c '#d'", ["a#b", "#c", "#d"]), ("# all of it", ["#", "all", "of", "it"]),
    ("$x `y` $(z) ${w}", ["$x", "`y`", "$(z)", "${w}"]), ("a;b|c&d>e<f", ["a;b|c&d>e<f"]),
    ("*.txt ~ a?b [c]", ["*.txt", "~", "a?b", "[c]"]),
    ("\u{E9} \u{65E5}\u{672C} \u{1F600}", ["\u{E9}", "\u{65E5}\u{672C}", "\u{1F600}"]),
    ("\"\u{E9} \u{65E5}\u{672C}\"\\\u{1F600}", ["\u{E9} \u{65E5}\u{672C}\u{1F600}"]),
    ("a\u{A0}b\u{2003}c", ["a\u{A0}b\u{2003}c"]), ("a\u{B}b\u{C}c", ["a\u{B}b\u{C}c"]),
    ("sh -c 'echo \"a  b\"; exit 3'", ["sh", "-c", "echo \"a  b\"; exit 3"]),
    ("awk '{print $1}' \"my file\"", ["awk", "{print $1}", "my file"]),
    ("python3 -c \"print('it\\'s')\"", ["python3", "-c", "print('it\\'s')"]), ("echo 'it'\\''s'", ["echo", "it's"]),
    ("printf '%s\\n' \"a\nb\"", ["printf", "%s\\n", "a\nb"]), ("e\u{301}'e\u{301}'", ["e\u{301}e\u{301}"]),
    ("a\\\u{E9}", ["a\u{E9}"]), ("\\\\\\ \\\\", ["\\ \\"]), ("'\n'", ["\n"]),
    ("x=\"1 2\" y='3 4'", ["x=1 2", "y=3 4"]),
  ]

  @Test("a command has the words that Python's shlex finds in it", arguments: commands)
  func words(_ command: String, _ words: [String]) throws {
    // Bytes are compared, because Swift regards a character and its decomposition as equal.
    #expect(try split(command).map { Array($0.utf8) } == words.map { Array($0.utf8) })
  }

  // Python refuses these commands as well.
  @Test(
    "a quotation mark that is not closed is named",
    arguments: [
      ("'", "'"), ("a '", "'"), ("'a\" b", "'"), ("'a\\", "'"), ("''' x", "'"),
      ("\"", "\""), ("a \"b", "\""), ("\"a\\", "\""), ("\"a' b", "\""), ("a 'b' \"c\\\"", "\""),
    ])
  func openQuotes(_ command: String, _ mark: String) {
    #expect { try split(command) } throws: {
      ($0 as? CommandWords.Fault)?.text == "the quotation mark \(mark) is not closed"
    }
  }

  @Test("a backslash at the end has nothing to quote", arguments: ["\\", "a\\", "\"\"\\"])
  func lastBackslash(_ command: String) {
    #expect { try split(command) } throws: {
      ($0 as? CommandWords.Fault)?.text == "it ends with a backslash, which must be followed by a character"
    }
  }

  @Test("words that are quoted come back as they were")
  func quoted() throws {
    var dice = Dice(1)
    let characters: [Character] = [" ", "\t", "\n", "'", "\"", "\\", "a", "$", "#", "\u{E9}", "\u{1F600}", "\r"]
    for _ in 0..<2000 {
      let words = (0..<dice.roll(4)).map { _ in String((0..<dice.roll(6)).map { _ in characters[dice.roll(12)] }) }
      let command = words.map { "'" + $0.replacing("'", with: "'\\''") + "'" }.joined(separator: " \n")
      #expect(try split(command).map { Array($0.utf8) } == words.map { Array($0.utf8) })
    }
  }
}
