import Glibc
import Testing

@testable import FWBase
@testable import FWModel
@testable import FWOutput
@testable import FWProcess

@Suite struct KeptOutputTests {
  /// The bytes that are kept of pieces, which come by reading a pipe or from an event.
  private func kept(_ limit: Int?, _ pieces: [Int], isRead: Bool) -> (bytes: [UInt8], written: Int) {
    var ends: [Int32] = [0, 0]
    pipe(&ends)
    var output = KeptOutput(limit: limit, spill: nil)
    var next: UInt8 = 0
    for piece in pieces {
      let bytes = (0..<piece).map { _ in
        next = next % 250 + 1
        return next
      }
      if isRead {
        #expect(write(ends[1], bytes, bytes.count) == bytes.count)
        var left = bytes.count
        while left > 0 { left -= output.read(ends[0], 4096) }
      } else {
        bytes.withUnsafeBytes { output.add($0) }
      }
    }
    close(ends[0])
    close(ends[1])
    let taken = output.take()
    return (Array(taken.bytes), taken.written)
  }

  /// Compares in a function, because a failed comparison in an expectation would print a hundred thousand numbers.
  private func isSame(_ a: [UInt8], _ b: [UInt8]) -> Bool { a == b }

  private func stream(_ count: Int) -> [UInt8] { (0..<count).map { UInt8($0 % 250 + 1) } }

  @Test(
    "without a limit everything is kept", arguments: [[], [1], [4096, 1], [60_000, 60_000, 60_000]], [true, false])
  func unlimited(_ pieces: [Int], isRead: Bool) {
    let total = pieces.reduce(0, +)
    let (bytes, written) = kept(nil, pieces, isRead: isRead)
    #expect(isSame(bytes, stream(total)) && written == total)
  }

  @Test(
    "with a limit the first and the last half are kept, in order",
    arguments: [
      (10, [100]), (11, [3, 3, 3, 3, 3]), (1, [5]), (0, [5, 60_000]), (1000, [999]), (1000, [1000]), (1000, [1001]),
      (8, [5, 2, 3, 1, 9, 4, 4]),
    ], [true, false])
  func limited(_ order: (limit: Int, pieces: [Int]), isRead: Bool) {
    let (limit, pieces) = order
    let total = pieces.reduce(0, +)
    let all = stream(total)
    let (bytes, written) = kept(limit, pieces, isRead: isRead)
    #expect(written == total)
    if total <= limit {
      #expect(isSame(bytes, all))
    } else {
      #expect(isSame(bytes, Array(all.prefix(limit - limit / 2) + all.suffix(limit / 2))))
    }
  }
}

@Suite struct EventFeedTests {
  /// The data of the events of a stream. A line that is continued ends with "…".
  private func eventData(_ mode: RunOptions.Events, _ pieces: [[UInt8]]) -> [[UInt8]] {
    guard var feed = EventFeed(mode, .stdout) else { return [] }
    var queue = EventQueue()
    queue.isListening = true
    for piece in pieces {
      var chunk = ByteBuffer()
      piece.withUnsafeBytes { chunk.append($0) }
      feed.add(chunk, &queue)
    }
    feed.finish(&queue)
    var data: [[UInt8]] = []
    while let event = queue.take() { data.append(Array(event.data ?? UnsafeRawBufferPointer(start: nil, count: 0))) }
    return data
  }

  @Test("text and lines do not depend on where the reads end")
  func pieces() {
    let text = Array("one\r\n\n\rtwo \u{1F600}\r".utf8) + [0xFF, 0xF0, 0x9F] + Array("x\n\r\n".utf8) + [0xE2, 0x82]
    let lines = ["one", "", "\rtwo \u{1F600}\r\u{FFFD}\u{FFFD}x", "", "\u{FFFD}"].map { Array($0.utf8) }
    for first in 0...text.count {
      for second in first...text.count {
        let pieces = [Array(text[..<first]), Array(text[first..<second]), Array(text[second...])].filter { !$0.isEmpty }
        #expect(eventData(.lines, pieces) == lines)
        #expect(eventData(.text, pieces).flatMap { $0 } == Array(String(decoding: text, as: UTF8.self).utf8))
        #expect(eventData(.chunks, pieces) == pieces)
      }
    }
  }
}

@Suite struct RetryPolicyTests {
  private func policy(_ json: String) throws -> RetryPolicy {
    var json = json
    return try json.withUTF8 { text throws(FlowError) in
      try JSONText.read(UnsafeRawBufferPointer(text)) { (value) throws(ValidationError) in
        try RetryPolicy(reading: value)
      }
    }
  }

  @Test("delays grow by the factor up to the longest")
  func delays() throws {
    let quick = try policy(#"{"max": 9, "delay": 0.5, "factor": 3, "max_delay": 10}"#)
    #expect((1...5).map { quick.delay(after: $0) } == [0.5, 1.5, 4.5, 10, 10])
    #expect(try policy(#"{"max": 1, "delay": 5, "max_delay": 2}"#).delay(after: 1) == 2)
    #expect(try policy(#"{"max": 1, "delay": 0}"#).delay(after: 1000) == 0)
    #expect(try policy(#"{"max": 1000, "factor": 100}"#).delay(after: 1000) == 60)
  }

  @Test("only the outcomes that the policy names are tried again, and a cancelled step never is")
  func causes() throws {
    let every = try policy(#"{"max": 1}"#)
    #expect(every.covers(.exited, exitCode: 1) && every.covers(.timeout, exitCode: 1))
    #expect(!every.covers(.cancelled, exitCode: 1))
    let some = try policy(#"{"max": 1, "on": ["exited"], "codes": [75]}"#)
    #expect(some.covers(.exited, exitCode: 75) && !some.covers(.exited, exitCode: 1))
    #expect(!some.covers(.signaled, exitCode: 75))
  }
}

@Suite struct ProgramSearchTests {
  private func candidates(_ name: String, in path: String) -> [String] {
    var (name, path) = (name, path)
    return name.withUTF8 { name in
      path.withUTF8 { path in
        let found = ProgramSearch.candidates(UnsafeRawBufferPointer(name), in: UnsafeRawBufferPointer(path))
        return (0..<found.count).map { String(decoding: found.text($0), as: UTF8.self) }
      }
    }
  }

  private func program(_ name: String, in path: String) -> String? {
    if case .program(let program) = ProgramSearch.find(name, in: .explicit(path)) { return program }
    return nil
  }

  @Test func candidatesAreInTheOrderOfPath() {
    #expect(candidates("p", in: "/a:/b/:c") == ["/a/p", "/b//p", "c/p"])
    #expect(candidates("p", in: ":/a::") == ["p", "/a/p", "p", "p"])
  }

  @Test func programsAreFilesBelowTheRoot() {
    #expect(program("sh", in: "/nowhere:/bin") == "/bin/sh")
    #expect(program("sh", in: "bin:.::../bin") == nil)
    #expect(program("bin", in: "/usr") == nil, "a directory is no program")
    #expect(program("passwd", in: "/etc") == nil, "nor is a file that may not be executed")
  }
}
