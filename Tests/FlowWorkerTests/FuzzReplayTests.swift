import FuzzReaders
import Testing

@testable import FWBase
@testable import FWSystem

/// The inputs that `make fuzz` has found worth keeping, through the same readers.
@Suite struct FuzzReplayTests {
  @Test("a reader takes every input of its corpus, and what must hold holds", arguments: Reader.all.map(\.name))
  func replay(_ name: String) throws {
    let reader = try #require(Reader.named(name))
    let inputs = try FuzzReplayTests.corpus(name)
    // A corpus that is missing would prove nothing.
    #expect(inputs.count >= 3)
    for input in [[]] + inputs + FuzzReplayTests.cases(name) {
      #expect(throws: Never.self, "\(input)") { try input.withUnsafeBytes { try reader.read($0) } }
    }
  }

  @Test("no corpus is left without a reader")
  func names() {
    let files = (Files.list(FuzzReplayTests.folder) ?? []).map { Array($0.utf8) }
    let names = Reader.all.map { Array("\($0.name).txt".utf8) }
    #expect(Set(files) == Set(names))
  }

  private static let tests = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/")

  private static let folder = tests + "/fuzz/corpus"

  /// The documents in Tests/cases that the reader reads, with which the fuzzer begins too.
  private static func cases(_ name: String) -> [[UInt8]] {
    ["valid", "invalid"].flatMap { kind in
      let folder = "\(tests)/cases/\(kind)/\(name)"
      return (Files.list(folder) ?? []).compactMap { name -> [UInt8]? in
        guard let text = Files.read("\(folder)/\(name)/input.json") else { return nil }
        return Array(text.bytes)
      }
    }
  }

  /// The inputs of a corpus, which are lines of Base64.
  private static func corpus(_ name: String) throws -> [[UInt8]] {
    guard let text = Files.read("\(folder)/\(name).txt") else { return [] }
    return try text.bytes.split(separator: UInt8(ascii: "\n")).map { try decoded(Array($0)) }
  }

  private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  private static func decoded(_ line: [UInt8]) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var (bits, count) = (0, 0)
    for byte in line where byte != UInt8(ascii: "=") {
      bits = (bits << 6 | (try #require(digits.firstIndex(of: byte)))) & 0xFFFF
      count += 6
      if count >= 8 {
        count -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> count))
      }
    }
    return bytes
  }
}
