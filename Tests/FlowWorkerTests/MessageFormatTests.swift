import Testing

@testable import FWBase

@Suite struct MessageFormatTests {
  @Test("the closest known name is found for a typing error, and none for another word")
  func closest() {
    let known = ["name", "type", "env", "variables", "volume", "options"]
    #expect(MessageFormat.closest(to: "variabels", among: known) == "variables")
    #expect(MessageFormat.closest(to: "Name", among: known) == "name")
    #expect(MessageFormat.closest(to: "volumes", among: known) == "volume")
    #expect(MessageFormat.closest(to: "image", among: known) == nil)
    #expect(MessageFormat.closest(to: "", among: known) == nil)
    #expect(MessageFormat.hint(for: "nam", among: known) == "; did you mean \"name\"?")
    #expect(MessageFormat.hint(for: "colour", among: known) == "")
  }

  @Test("a known name is also found by its beginning, and by a word that begins with it")
  func beginnings() {
    #expect(MessageFormat.closest(to: "mem", among: ["memory", "memories"]) == "memory")
    #expect(MessageFormat.closest(to: "environment", among: ["variables", "env"]) == "env")
    #expect(MessageFormat.closest(to: "me", among: ["memory"]) == nil)
    // A name that is more similar wins.
    #expect(MessageFormat.closest(to: "volum", among: ["vol", "volume"]) == "volume")
  }

  @Test("a wrong name is not compared with too many names or with long ones")
  func bounded() {
    var asked = 0
    let endless = (0..<Int.max).lazy.map { number in
      asked += 1
      return "wrong\(number % 10)"
    }
    #expect(MessageFormat.closest(to: "wrong", among: endless)?.hasPrefix("wrong") == true)
    #expect(asked < 2000)
    #expect(
      MessageFormat.closest(to: String(repeating: "y", count: 1000), among: [String(repeating: "z", count: 1000)])
        == nil)
  }

  @Test("a quoted name stays on one line and is cut")
  func quoted() {
    #expect(MessageFormat.quoted("a\nb\t\"c\"\u{1}") == "\"a\\nb\\t\\\"c\\\"\\u0001\"")
    #expect(MessageFormat.quoted("abcdef", limit: 3) == "\"abc\u{2026}\"")
    // An escaped character counts with the length in which it is shown.
    #expect(MessageFormat.quoted("\u{1b}\u{1b}", limit: 10) == "\"\\u001b\u{2026}\"")
  }

  @Test("characters that control a terminal, change the direction of text or cannot be seen are escaped")
  func controls() {
    let controls: [Unicode.Scalar] = [
      "\u{0}", "\u{1B}", "\u{7F}", "\u{85}", "\u{9B}", "\u{AD}", "\u{61C}", "\u{200B}", "\u{200E}", "\u{200F}",
      "\u{2028}",
      "\u{2029}", "\u{202A}", "\u{202E}", "\u{2060}", "\u{2066}", "\u{2069}", "\u{FEFF}", "\u{E0041}",
    ]
    for control in controls {
      #expect(!MessageFormat.isPlain(control))
      #expect(!MessageFormat.quoted("a\(control)b").unicodeScalars.contains(control))
      #expect(MessageFormat.foreign("a\(control)b") == "a b")
      #expect(MessageFormat.message("a\(control)b") == "a b")
    }
    let plain = "a~\u{E9}e\u{301}\u{4E2D}\u{1F600}"
    #expect(MessageFormat.quoted(plain) == "\"\(plain)\"")
    #expect(MessageFormat.foreign(plain) == plain)
  }

  @Test("text of another program becomes one line, and a long one loses its middle")
  func foreign() {
    #expect(MessageFormat.foreign(" a\r\n\n  b \u{1b}[31mc\t") == "a b [31mc")
    let long = String(repeating: "a", count: 1000) + "\n" + String(repeating: "b", count: 1000)
    let shown = MessageFormat.foreign(long)
    #expect(shown == String(repeating: "a", count: 100) + "\u{2026}" + String(repeating: "b", count: 100))
    #expect(MessageFormat.foreign(long + " the\nend").hasSuffix("bb the end"))
    #expect(MessageFormat.path(long).unicodeScalars.count == 203)
    #expect(MessageFormat.path("/a/b") == "\"/a/b\"")
    #expect(MessageFormat.foreign("   ") == "")
  }

  @Test("choices are listed as in a sentence, and at most ten names are listed")
  func choice() {
    #expect(MessageFormat.choice([]) == "none")
    #expect(MessageFormat.choice(["a"]) == "\"a\"")
    #expect(MessageFormat.choice(["a", "b", "c"]) == "\"a\", \"b\" or \"c\"")
    #expect(MessageFormat.choice(["a", "b"], joining: "and") == "\"a\" and \"b\"")
    #expect(MessageFormat.names(["a", "b\n"]) == "\"a\" and \"b\\n\"")
    let many = MessageFormat.names((1...1000).map { "\($0)" + String(repeating: "x", count: 500) })
    #expect(many.hasSuffix("\u{2026}\" and 990 others"))
    #expect(many.utf8.count < 1000)
  }
}
