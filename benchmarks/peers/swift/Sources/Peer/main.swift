// The peer swift-subprocess: its `run`, with both streams kept, in so many tasks. See peer.h.
import Glibc
import Subprocess

let arguments = CommandLine.arguments
guard arguments.count == 4, let steps = Int(arguments[2]), let width = Int(arguments[3]) else { exit(2) }
let command = arguments[1]

var files = rlimit()
getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)
files.rlim_cur = files.rlim_max
setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)

func runOne() async throws {
  let result = try await run(
    .path("/bin/sh"), arguments: ["-c", command], output: .bytes(limit: 1 << 31), error: .bytes(limit: 1 << 31))
  guard result.terminationStatus.isSuccess else { exit(1) }
}

let clock = ContinuousClock()
let begin = clock.now
try await withThrowingTaskGroup(of: Void.self) { group in
  for _ in 0..<min(width, steps) { group.addTask { try await runOne() } }
  var further = steps - min(width, steps)
  while try await group.next() != nil {
    if further > 0 {
      further -= 1
      group.addTask { try await runOne() }
    }
  }
}
print((clock.now - begin) / .seconds(1))
