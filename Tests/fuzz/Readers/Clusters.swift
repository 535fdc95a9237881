import CFuzzReaders
import CSupervisor

@testable import FWBase
@testable import FWModel
@testable import FWProcess
@testable import FWSlurm

// What Slurm's programs say, and what goes between the library and an agent on a node.

extension Reader {
  static let clusters: [Reader] = [
    Reader("slurm", { try slurm($0) }),
    Reader("agent", { try agent($0) }),
    Reader("statusfile", longest: 512, { try statusFile($0) }),
    Reader("node", { try node($0) }),
    Reader("request", longest: 512, { try request($0) }),
  ]

  private static func slurm(_ bytes: UnsafeRawBufferPointer) throws {
    func read(_ pieces: [UnsafeRawBufferPointer]) -> SchedulerMessages {
      var messages = SchedulerMessages()
      for piece in pieces { messages.take(piece) }
      messages.finish()
      return messages
    }
    var whole = read([bytes])
    var cut = read(pieces(of: bytes, bytes.count))
    try hold(whole.lines == cut.lines && whole.job == cut.job, "the messages of srun are others in pieces")
    while let line = whole.takeQueued() {
      try hold(cut.takeQueued() == line, "the lines about the queue are others in pieces")
      try holdMessage(line)
      _ = SchedulerMessages.reportsAllocation(line)
    }
    for line in whole.lines { try holdMessage(line, limit: 4097) }
    if let job = whole.job {
      try hold(job.utf8.allSatisfy { (0x30...0x39).contains($0) }, "the number of a job: \(job)")
    }
    _ = SchedulerMessages.reason(in: whole.lines)
    _ = SchedulerMessages.state(in: whole.lines)
    _ = SchedulerMessages.reportMemoryLimit(whole.lines)
    _ = SchedulerMessages.reportLostAnswer(whole.lines)
    _ = SchedulerMessages.reportNoController(whole.lines)
    for line in String(decoding: bytes, as: UTF8.self).pieces(at: "\n") {
      guard let job = SchedulerQuery.read(line) else { continue }
      _ = (job.isWaiting, job.isPending, job.isAlive)
      if let reason = job.waitReason {
        try holdMessage(reason.shown)
        try holdMessage(reason.advice)
        try hold(WaitReason(reason.text) == reason, "the reason of a job is another one when it is read again")
      }
    }
  }

  /// The frames of an agent.
  private static func agent(_ bytes: UnsafeRawBufferPointer) throws {
    var choices = Choices(bytes)
    let seed = choices.next(below: 256)
    let stream = choices.rest
    func read(_ pieces: [UnsafeRawBufferPointer]) -> (frames: [[UInt8]], isMoreToCome: Bool) {
      var frames = AgentFrames()
      var taken: [[UInt8]] = []
      for piece in pieces {
        let received = frames.receive(piece.count) { room in
          UnsafeMutableRawBufferPointer(start: room, count: piece.count).copyMemory(from: piece)
          return piece.count
        }
        if received == nil { return ([], false) }
        while let frame = frames.next() { taken.append(text(of: frame)) }
      }
      return (taken, frames.isMoreToCome)
    }
    let (whole, cut) = (read([stream]), read(pieces(of: stream, seed)))
    try hold(whole.frames == cut.frames, "the frames of an agent are others in pieces")
    try hold(whole.isMoreToCome == cut.isMoreToCome, "what is to come is something else in pieces")
    // A frame has a head of 8 bytes, and only an entry of a list of processes may stand for less than a byte.
    try hold(whole.frames.count <= stream.count / 8 + 1, "there are more frames than bytes for them")
  }

  /// All that a frame says.
  private static func text(of frame: AgentFrames.Frame) -> [UInt8] {
    switch frame {
    case .hello(let payload): return Array("hello \(AgentFrames.entries(payload))".utf8)
    case .output(let stream, let bytes): return Array("\(stream) ".utf8) + bytes
    case .reply(let reply):
      let end = CommandEnd(reply)
      return Array("\(end.outcome) \(end.exitCode ?? -1) \(end.duration) \(end.survivors.map(\.name))".utf8)
    case .inputTaken(let count): return Array("taken \(count)".utf8)
    case .inputClosed(let error): return Array("closed \(error)".utf8)
    case .acknowledgement: return Array("acknowledged".utf8)
    case .refused: return Array("refused".utf8)
    }
  }

  /// The status file in a run directory, where the step's own commands can write.
  private static func statusFile(_ bytes: UnsafeRawBufferPointer) throws {
    for index in 0..<3 {
      guard let reply = SlurmLauncher.end(index, in: bytes) else { continue }
      let end = CommandEnd(reply)
      try hold(end.duration.isFinite && (end.exitCode ?? 0) & ~0xFF == 0, "the end of a command in a status file")
      // A line that is not complete changes nothing.
      let lines = bytes.prefix(bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0)
      let again = SlurmLauncher.end(index, in: UnsafeRawBufferPointer(rebasing: lines))
      try hold(again?.status == reply.status, "an incomplete line counts in a status file")
    }
  }

  /// The frames of the host, as an agent reads them.
  private static func node(_ bytes: UnsafeRawBufferPointer) throws {
    var choices = Choices(bytes)
    let seed = choices.next(below: 256)
    let stream = choices.rest
    func read(_ pieces: [UnsafeRawBufferPointer]) throws -> UInt64 {
      var ends: [Int] = []
      for piece in pieces { ends.append((ends.last ?? 0) + piece.count) }
      var isSound = true
      let done = fuzzed_agent(stream.baseAddress, ends, ends.count, &isSound)
      try hold(isSound, "an agent has input that it did not get, or starts two commands at once")
      return done
    }
    if stream.isEmpty { return }
    let (whole, cut) = (try read([stream]), try read(pieces(of: stream, seed)))
    try hold(whole == cut, "an agent does something else with frames in pieces")
  }

  /// The texts of a request, as a monitor reads them.
  private static func request(_ bytes: UnsafeRawBufferPointer) throws {
    var choices = Choices(bytes)
    let (slots, kind) = (choices.next(below: 40), choices.next(below: 4))
    let sandbox = kind >= 2 ? 8 * choices.next(below: 100) : 0
    let texts = choices.rest
    try hold(
      fuzzed_request(texts.baseAddress, texts.count, UInt32(slots), kind & 1 == 1, UInt32(sandbox)),
      "the lists or the sandbox of a request are not inside of its texts")
  }
}
