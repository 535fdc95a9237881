import Testing

@testable import FWBase
@testable import FWModel

@Suite struct MaskTests {
  /// A generator of which each test has its own.
  private struct Dice: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state ^ (state >> 29)
    }
  }

  private func secrets(_ values: [String]) throws -> Secrets {
    var env = KeyValues()
    for (index, value) in values.enumerated() { env.set("s\(index)", value) }
    return try Secrets(Set(values.indices.map { Name("s\($0)") }), envs: [env], [])
  }

  /// Masks the text, which is given in pieces that end at random.
  private func masked(_ text: String, by secrets: Secrets, _ dice: inout Dice) -> String {
    var mask = Mask(secrets)
    var result: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let piece = rest.prefix(Int.random(in: 1...9, using: &dice))
      rest = rest.dropFirst(piece.count)
      Array(piece).withUnsafeBytes { mask.take($0) { result += $0 } }
    }
    mask.finish { result += $0 }
    return String(decoding: result, as: UTF8.self)
  }

  /// Masks the text by looking at each position, which is slow and simple.
  private func expected(_ text: String, _ values: [String]) -> String {
    let bytes = Array(text.utf8)
    var found: [Range<Int>] = []
    for start in bytes.indices {
      let ends = values.filter { bytes[start...].starts(with: $0.utf8) }.map { start + $0.utf8.count }
      guard let end = ends.max() else { continue }
      if let last = found.last, last.upperBound > start {
        found[found.count - 1] = last.lowerBound..<max(last.upperBound, end)
      } else {
        found.append(start..<end)
      }
    }
    var result: [UInt8] = []
    var at = 0
    for range in found {
      result += bytes[at..<range.lowerBound] + Array("***".utf8)
      at = range.upperBound
    }
    return String(decoding: result + bytes[at...], as: UTF8.self)
  }

  @Test("no part of overlapping secrets is shown, wherever the pieces of the stream end")
  func overlaps() throws {
    var dice = Dice(state: 14)
    for round in 0..<3000 {
      let letters = Array("ab\(round % 3 == 0 ? "c" : "")")
      func word(_ sizes: ClosedRange<Int>) -> String {
        String((0..<Int.random(in: sizes, using: &dice)).map { _ in letters.randomElement(using: &dice) ?? "a" })
      }
      let values = (0..<Int.random(in: 1...4, using: &dice)).map { _ in word(4...9) }
      let text = word(0...60)
      let shown = masked(text, by: try secrets(values), &dice)
      #expect(shown == expected(text, values), "\(values) in \(text)")
    }
    #expect(try secrets(["abcdefgh", "defghijk"]).masked("_abcdefghijk_") == "_***_")
    #expect(try secrets(["abcd", "efgh"]).masked("abcdefgh") == "******")
  }

  @Test("a secret at the end of the given bytes is masked at once")
  func prompt() throws {
    var mask = Mask(try secrets(["secret"]))
    var result: [UInt8] = []
    Array("a secret".utf8).withUnsafeBytes { mask.take($0) { result += $0 } }
    #expect(result == Array("a ***".utf8))
  }

  @Test("the work grows with the output, and not with the secrets")
  func linear() throws {
    let worst = try secrets([String(repeating: "a", count: 20000) + "b"] + (0..<2000).map { "aaaa\($0)" })
    func steps(_ count: Int) -> Int {
      let work = Name.Work()
      _ = Name.$work.withValue(work) { worst.masked(String(repeating: "a", count: count)) }
      return work.count
    }
    for count in [50_000, 100_000] { #expect(count < steps(count) && steps(count) <= 3 * count) }
  }

  @Test("elements of arrays and objects are secrets, also in the form in which JSON writes them")
  func elements() throws {
    let text = #"{"list": ["hunter2", 12345, ["in\"side"]], "small": [1, "ab"], "real": 1e22}"#
    let values = try Array(text.utf8).withUnsafeBytes { try Context($0) }
    let secrets = try Secrets(["list", "small", "real"], envs: [], [values.snapshot])
    #expect(secrets.masked("hunter2 12345 in\"side ab 1") == "*** *** *** ab 1")
    #expect(secrets.masked(#"{"x": "in\"side"}"#) == #"{"x": "***"}"#)
    #expect(secrets.masked(#"["hunter2",12345,["in\"side"]]"#) == "***")
    #expect(secrets.masked("1e+22 1e22") == "*** ***")
    let quoted = try self.secrets(["it's a \"key\"\n\\"])
    #expect(quoted.masked(#"KeyError: 'it\'s a "key"\n\\'"#) == "KeyError: '***'")
  }

  @Test("a secret that was cut in a message is hidden")
  func cut() throws {
    let secrets = try secrets(["0123456789"])
    #expect(secrets.masked(message: "\"01234567\u{2026}\" is no number") == "\"***\u{2026}\" is no number")
    #expect(secrets.masked(message: "\"012\u{2026}\" 0123456789") == "\"012\u{2026}\" ***")
  }
}
