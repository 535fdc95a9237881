import Testing

@testable import FWBase
@testable import FWDocker

@Suite struct MarkedStreamTests {
  private func parts(_ text: [UInt8], size: Int) -> (output: [UInt8], lines: [String]) {
    var stream = MarkedStream(marker: "word")
    var output: [UInt8] = []
    var lines: [String] = []
    for start in Swift.stride(from: 0, to: text.count, by: size) {
      text[start..<min(start + size, text.count)].withUnsafeBytes { piece in
        stream.take(piece) {
          output += $0
        } line: {
          lines.append(String(decoding: $0, as: UTF8.self))
        }
      }
    }
    stream.finish { output += $0 }
    return (output, lines)
  }

  @Test("marked lines are taken out, wherever pieces begin and end")
  func lines() {
    let mark = "\u{1e}word"
    let text = Array("a\(mark){1}\nb\u{1e}wor\u{1e}wordy\n\(mark)\n\u{1e}\u{1e}\(mark)2\nend\u{1e}wo".utf8)
    for size in 1...text.count {
      let (output, lines) = parts(text, size: size)
      #expect(output == Array("ab\u{1e}wor\u{1e}\u{1e}end\u{1e}wo".utf8))
      #expect(lines == ["{1}", "y", "", "2"])
    }
  }

  @Test("other bytes are left as they are")
  func bytes() {
    let all = (0..<3).flatMap { _ in (0...255).map { UInt8($0) } }
    for size in [1, 7, 1000] { #expect(parts(all, size: size).output == all) }
  }
}

@Suite struct NotebookImageTests {
  @Test("the name is that of the recipe")
  func names() {
    let one = NotebookImage(base: "python:3.12", requirements: ["a", "b"])
    #expect(one.name == NotebookImage(base: "python:3.12", requirements: ["a", "b"]).name)
    #expect(one.name.hasPrefix("flowworker-notebook:") && one.name.count == 20 + 32)
    let others = [
      ("python:3.11", ["a", "b"]), ("python:3.12", ["b", "a"]), ("python:3.12", ["a"]), ("python:3.12", ["ab"]),
    ]
    for (base, requirements) in others {
      #expect(NotebookImage(base: base, requirements: requirements).name != one.name)
    }
  }

  @Test("an archive has its files, at multiples of 512 bytes")
  func archive() {
    var archive = TarArchive()
    archive.add("d/", mode: 0o755, "")
    archive.add("d/f", mode: 0o644, String(repeating: "x", count: 513))
    let bytes = archive.finish()
    let all = Array(bytes.bytes)
    #expect(all.count == 512 * (1 + 1 + 2 + 2))
    #expect(String(decoding: all[512..<515], as: UTF8.self) == "d/f")
    #expect(String(decoding: all[(512 + 124)..<(512 + 135)], as: UTF8.self) == "00000001001")
    #expect(all[156] == UInt8(ascii: "5") && all[512 + 156] == UInt8(ascii: "0"))
    // The checksum counts the bytes of the head, with spaces in place of the checksum itself.
    for start in [0, 512] {
      var head = Array(all[start..<(start + 512)])
      let said = Int(String(decoding: head[148..<154], as: UTF8.self), radix: 8)
      for index in 148..<156 { head[index] = 0x20 }
      #expect(said == head.reduce(0) { $0 + Int($1) })
    }
  }
}
