import CSupervisor
import FuzzReaders
import Testing

/// Inputs that have broken a reader of the supervisor's program. They are here by their names, because a run of the
/// fuzzer may replace those of the corpus.
@Suite struct FuzzFindingsTests {
  @Test("an agent that runs a command refuses an empty request, and does not start the command again")
  func emptyRequest() throws {
    let input = [1] + FuzzFindingsTests.request + FuzzFindingsTests.head(UInt32(FWA_RUN), 0)
    try read("node", input)
  }

  @Test("a request with a longer table than its texts is not read behind them")
  func longTable() throws { try read("request", [39, 0, 120]) }

  @Test("an agent that is to stay for ever does not end at once")
  func endlessHold() throws {
    let longest = withUnsafeBytes(of: Int64.max) { Array($0) }
    try read("node", [0] + FuzzFindingsTests.head(UInt32(FWA_HOLD), UInt32(longest.count)) + longest)
  }

  private func read(_ name: String, _ input: [UInt8]) throws {
    let reader = try #require(Reader.named(name))
    try input.withUnsafeBytes { try reader.read($0) }
  }

  private static func head(_ kind: UInt32, _ size: UInt32) -> [UInt8] {
    withUnsafeBytes(of: fwa_head(kind: kind, size: size)) { Array($0) }
  }

  /// A whole request to run a command, with its head.
  private static let request: [UInt8] = {
    let table: [UInt64] = [40, 48, 0, 51, 0]
    let texts = table.withUnsafeBytes { Array($0) } + Array("/bin/sh\0sh\0A=b\0".utf8)
    let location = Array("/\0\0".utf8)
    var run = fwa_run()
    run.request.kind = UInt32(FWSV_RUN)
    run.request.slots = UInt32(table.count)
    run.request.size = UInt64(texts.count)
    run.location = UInt64(location.count)
    let payload = withUnsafeBytes(of: run) { Array($0) } + texts + location
    return head(UInt32(FWA_RUN), UInt32(payload.count)) + payload
  }()
}
