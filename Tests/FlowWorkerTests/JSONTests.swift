import Testing

@testable import FWBase

@Suite struct JSONTests {
  @Test(
    "a pointer is found in its text, at the value or at the key",
    arguments: [
      ("{\"a\": 1}", ["a"], false, 1, 7), ("{\"a\": 1}", ["a"], true, 1, 2),
      ("[1,\n [2, 3]]", ["1", "1"], false, 2, 6),
      ("{\"é\":{\"k\\u0065y\":\n  \"x\"}}", ["é", "key"], false, 2, 3),
      ("{\"é\":{\"k\\u0065y\":\n  \"x\"}}", ["é", "key"], true, 1, 7),
      ("{\"a\": \"]}\\\",[\", \"b\": [[{}],0]}", ["b", "1"], false, 1, 28), (" \n []", [], false, 2, 2),
    ] as [(String, [String], Bool, Int, Int)])
  func locates(_ text: String, _ path: [String], _ atKey: Bool, _ line: Int, _ column: Int) {
    let pointer = JSONPointer(steps: path.map { part in Int(part).map { .index($0) } ?? .key(part) })
    let found = withBytes(text) { JSONLocator(text: $0).position(of: pointer, atKey: atKey) }
    #expect(found == TextPosition(line: line, column: column))
  }

  @Test("a pointer to a value that does not exist is not found")
  func locatesNothing() {
    for text in ["[]", "{}", "1", "[1", "{\"b\":1}", ""] {
      #expect(
        withBytes(text) { JSONLocator(text: $0).position(of: JSONPointer(steps: [.key("a")]), atKey: false) } == nil)
      #expect(
        withBytes(text) { JSONLocator(text: $0).position(of: JSONPointer(steps: [.index(7)]), atKey: false) } == nil)
    }
  }

  @Test("a pointer escapes the characters that RFC 6901 names")
  func pointer() {
    #expect(JSONPointer(steps: []).text == "")
    #expect(JSONPointer(steps: [.key("a/b~c"), .index(3), .key("")]).text == "/a~1b~0c/3/")
  }

  @Test(
    "text that is not JSON is refused where it stops being JSON",
    arguments: [
      ("", 1, 1), ("{\"a\": tru}", 1, 7), ("[1,\n 2,\n é]", 3, 2), ("[1 2]", 1, 4), ("{\"é\": 1, \"é\": 2}", 1, 10),
      ("[] []", 1, 4), ("nul", 1, 1),
      ("\"\\u0000\"", 1, 1), ("[1e999]", 1, 2),
    ])
  func syntax(_ text: String, _ line: Int, _ column: Int) {
    let error = failure { _ = try withBytes(text) { try JSONText.parse($0) } }
    #expect(error?.code == .syntax)
    #expect(error?.position == TextPosition(line: line, column: column))
    #expect(error?.message.contains("\n") == false)
  }

  @Test("strings of any bytes are written so that any reader takes them")
  func strings() {
    func written(_ bytes: [UInt8]) -> String {
      var writer = JSONWriter()
      bytes.withUnsafeBytes { writer.text($0) }
      guard let text = writer.finish() else { return "no memory" }
      defer { text.deallocate() }
      return String(cString: text)
    }
    #expect(written(Array("a\"\\\n\r\t\u{1}\u{1F}\u{7F}é😀".utf8)) == "\"a\\\"\\\\\\n\\r\\t\\u0001\\u001f\u{7F}é😀\"")
    #expect(written([0x61, 0, 0x62]) == "\"a\\u0000b\"")
    // Each longest beginning of a character becomes one U+FFFD, as in Swift and Python.
    for bytes: [UInt8] in [
      [0xFF], [0xC3], [0xE2, 0x82], [0xE2, 0x82, 0x41], [0xF0, 0x9F, 0x98], [0xC0, 0x80], [0xED, 0xA0, 0x80],
      [0xF4, 0x90, 0x80, 0x80],
      [0x80, 0x80], [0xF0, 0x80, 0x80], [0xE0, 0x80], [0xC3, 0xA9, 0xC3],
    ] {
      #expect(written(bytes) == "\"\(String(decoding: bytes, as: UTF8.self))\"")
    }
  }
}
