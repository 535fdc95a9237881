import Testing

@testable import FWBase
@testable import FWModel
@testable import FWVolumes

/// A mark that makes one character with the one before it.
private let mark = "\u{301}"

@Suite struct TextTests {
  @Test func beginningsAndEnds() {
    #expect("a/\(mark)x".begins(with: "a/") && "a/\(mark)x".without(prefix: "a/") == "\(mark)x"[...])
    #expect("x\(mark)".ends(with: mark) && "x\(mark)".without(suffix: mark) == "x")
    #expect(!"\u{E9}".begins(with: "e\(mark)") && !"\u{E9}".isSame(as: "e\(mark)"))
    #expect("a".without(prefix: "ab") == nil && "a".without(suffix: "ba") == nil && "".ends(with: ""))
    #expect(
      Name("\u{E9}") != Name("e\(mark)") && Set([Name("\u{E9}"), Name("e\(mark)")]).count == 2)
  }

  @Test func pieces() {
    #expect("a:\(mark)b::c".pieces(at: ":").map(String.init) == ["a", "\(mark)b", "c"])
    #expect("a:\(mark)b::".pieces(at: ":", keepingEmpty: true).map(String.init) == ["a", "\(mark)b", "", ""])
    #expect("".pieces(at: ":").isEmpty && "".pieces(at: ":", keepingEmpty: true).count == 1)
    #expect("a b c".pieces(at: " ", most: 2).map(String.init) == ["a", "b c"])
    let first = "a=\(mark)b=c".cut(at: "=")
    #expect(first?.before == "a" && first.map { String($0.behind) } == "\(mark)b=c")
    let last = "a=\(mark)b=\(mark)".cut(atLast: "=")
    #expect(last.map { String($0.before) } == "a=\(mark)b" && last.map { String($0.behind) } == mark)
    #expect("a".cut(at: "=") == nil && "a".cut(atLast: "=") == nil)
    #expect("ABC\u{212A}\u{C9}".smallLetters.isSame(as: "abc\u{212A}\u{C9}"))
  }

  @Test func bytesInMessages() {
    #expect(MessageFormat.quoted(bytes: Array("a\"\n\(mark)".utf8)).isSame(as: "\"a\\\"\\n\(mark)\""))
    #expect(MessageFormat.quoted(bytes: [0x61, 0xFF, 0x62, 0xC3]) == "\"a\\xFFb\\xC3\"")
  }
}

@Suite struct VolumeKeyTests {
  private func key(_ text: String) throws -> VolumeKey { try VolumeKey(checking: text) }

  @Test(
    "a key has one normal form",
    arguments: [
      ("a//b/./c", "a/b/c"), ("./a/", "a/"), ("a/.", "a"), ("a/\(mark)", "a/\(mark)"), ("d/\(mark)x/", "d/\(mark)x/"),
    ])
  func oneForm(_ text: String, _ form: String) throws { #expect(try key(text).bytes == Array(form.utf8)) }

  @Test(
    "text that is no key is refused",
    arguments: [
      "", ".", "./.", "/a", "/\(mark)a", "..", "a/..", "../\(mark)a", "a/../\(mark)b", "a\0b",
      String(repeating: "x", count: 256),
    ])
  func noKey(_ text: String) { #expect(throws: ValidationError.self) { try key(text) } }

  @Test func parts() throws {
    let name = try key("a/\(mark)b/c/")
    let (path, two, a) = (try key("a/\(mark)b/c"), try key("a/\(mark)b"), try key("a"))
    let (ab, folder) = (try key("ab"), try key("a/"))
    #expect(name.namesFolder && name.path == path && name.path.folder == name)
    #expect(name.parent == two.folder && name.name == Array("c".utf8) && name.depth == 2)
    #expect(name.components.count == 3 && name.prefix(2) == two)
    #expect(a.parent == nil)
    #expect(two.isInside(a) && !ab.isInside(folder) && !folder.isInside(a))
    let (composed, decomposed) = (try key("\u{E9}"), try key("e\(mark)"))
    #expect(composed != decomposed && Set([composed, decomposed]).count == 2)
    #expect(VolumeKey(listed: Array("a//b".utf8)) == nil && VolumeKey(listed: [0xFF])?.shown == "\"\\xFF\"")
  }

  @Test func indexHasOneEntryForAFolder() throws {
    let (one, two) = (Location("\u{E9}"), Location("e\(mark)"))
    let (d, folder, x, y, z, dx) = (
      try key("d"), try key("d/"), try key("d/x"), try key("d/y"), try key("d/x/z"), try key("dx")
    )
    var index = FileIndex()
    index.add(d, in: one)
    #expect(index.matches(folder).map(\.key) == [folder])
    #expect(index.matches(x).first?.locations == [one])
    index.record(x, in: [two])
    #expect(index.matches(d).map(\.key) == [folder, x])
    #expect(index.entry(for: y) == d && index.entry(for: z) == x)
    index.record(folder, in: [two])
    #expect(index.matches(x).first?.locations == [two] && index.all.count == 1)
    #expect(index.matches(dx).isEmpty)
  }
}

@Suite struct URLKeyTests {
  @Test(
    "an escape in the key of a list is two hexadecimal digits",
    arguments: [
      ("a%2Fb+c", "a/b c"), ("%c3%A9", "\u{E9}"), ("", ""), ("%", nil), ("%2", nil), ("%+5", nil), ("%-0", nil),
    ])
  func escapes(_ text: String, _ key: String?) {
    #expect(S3Bucket.unescaped(Array(text.utf8)) == key.map { Array($0.utf8) })
  }
}
