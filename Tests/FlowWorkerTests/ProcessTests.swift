import Glibc
import Testing

@testable import FlowWorker

@Suite struct OutputSinkTests {
  /// What a sink keeps of bytes that come in pieces.
  private func kept(_ limit: Int?, _ pieces: [Int]) -> (bytes: [UInt8], written: Int) {
    var ends: [Int32] = [0, 0]
    pipe(&ends)
    _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
    var sink = OutputSink(fd: ends[0], limit: limit)
    var next: UInt8 = 0
    for piece in pieces {
      let bytes = (0..<piece).map { _ in
        next = next % 250 + 1
        return next
      }
      #expect(write(ends[1], bytes, bytes.count) == bytes.count)
      sink.read(atLeast: .max)
    }
    close(ends[1])
    sink.read(atLeast: .max)
    #expect(sink.fd == -1)
    let output = sink.finish()
    return (Array(output.bytes), output.written)
  }

  /// A failure must not print a hundred thousand numbers.
  private func isSame(_ a: [UInt8], _ b: [UInt8]) -> Bool { a == b }

  private func stream(_ count: Int) -> [UInt8] { (0..<count).map { UInt8($0 % 250 + 1) } }

  @Test("without a limit all is kept", arguments: [[], [1], [4096, 1], [60_000, 60_000, 60_000]])
  func unlimited(_ pieces: [Int]) {
    let total = pieces.reduce(0, +)
    let (bytes, written) = kept(nil, pieces)
    #expect(isSame(bytes, stream(total)) && written == total)
  }

  @Test(
    "with a limit the first and the last half are kept, in order",
    arguments: [
      (10, [100]), (11, [3, 3, 3, 3, 3]), (1, [5]), (0, [5, 60_000]), (1000, [999]), (1000, [1000]), (1000, [1001]),
      (8, [5, 2, 3, 1, 9, 4, 4]),
    ])
  func limited(_ limit: Int, _ pieces: [Int]) {
    let total = pieces.reduce(0, +)
    let all = stream(total)
    let (bytes, written) = kept(limit, pieces)
    #expect(written == total)
    if total <= limit {
      #expect(isSame(bytes, all))
    } else {
      #expect(isSame(bytes, Array(all.prefix(limit - limit / 2) + all.suffix(limit / 2))))
    }
  }
}

@Suite struct EnvironmentTests {
  private func listed(_ values: [(String, String)], inherits: Bool) throws -> [String] {
    var env = KeyValues()
    for (key, value) in values { env.set(key, value) }
    let environment = try Environment(env, inherits: inherits)
    var at = environment.pointers
    var list: [String] = []
    while let entry = at.pointee {
      list.append(String(cString: entry))
      at += 1
    }
    return list
  }

  @Test("the host's variables stand under the step's, or not at all")
  func inheritance() throws {
    #expect(try listed([("A", "1"), ("B", "")], inherits: false) == ["A=1", "B="])
    let inherited = try listed([("PATH", "/mine")], inherits: true)
    #expect(inherited.filter { $0.hasPrefix("PATH=") } == ["PATH=/mine"])
    #expect(inherited.count > 1)
    #expect(Set(try listed([], inherits: false)) == Set(try listed([], inherits: true)))
  }
}
