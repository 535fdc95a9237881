import Testing

@testable import FlowWorker

@Suite struct WordingTests {
  @Test("the closest known name is found through typing errors, and nothing for a stranger")
  func closest() {
    let known = ["name", "type", "env", "variables", "volume", "options"]
    #expect(Wording.closest(to: "variabels", among: known) == "variables")
    #expect(Wording.closest(to: "Name", among: known) == "name")
    #expect(Wording.closest(to: "volumes", among: known) == "volume")
    #expect(Wording.closest(to: "image", among: known) == nil)
    #expect(Wording.closest(to: "", among: known) == nil)
  }

  @Test("a quoted name stays on one line and is cut")
  func quoted() {
    #expect(Wording.quoted("a\nb\t\"c\"\u{1}") == "\"a\\nb\\t\\\"c\\\"?\"")
    #expect(Wording.quoted("abcdef", limit: 3) == "\"abc\u{2026}\"")
  }

  @Test("choices are listed as a sentence has them")
  func choice() {
    #expect(Wording.choice([]) == "none")
    #expect(Wording.choice(["a"]) == "\"a\"")
    #expect(Wording.choice(["a", "b", "c"]) == "\"a\", \"b\" or \"c\"")
    #expect(Wording.choice(["a", "b"], joining: "and") == "\"a\" and \"b\"")
  }
}
