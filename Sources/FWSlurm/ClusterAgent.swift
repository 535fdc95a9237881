internal import CSupervisorClient
internal import CSystem
internal import FWBase
internal import FWModel
internal import FWProcess
internal import FWSystem
internal import Glibc

/// An agent in an allocation of a cluster, which runs one command after the other, and the srun that leads to it.
///
/// srun is a command of a monitor like any other. Its standard input and output are our link to the agent; on its standard
/// error are the words of the scheduler and nothing else.
final class ClusterAgent: @unchecked Sendable {
  // Unchecked: whoever has taken it is the only one who has it.
  let submission: Submission
  /// The job's.
  let name = Submission.uniqueName()
  private let program: LinkedProgram
  private let asked = fws_monotonic()

  private(set) var isReady = false
  /// srun has ended, with a status of wait(2).
  private(set) var status: Int32?
  private(set) var facts = ClusterFacts()
  /// What the scheduler has put into the environment.
  private(set) var environment: [String] = []
  private var words = SchedulerMessages()
  /// Of the last request, as it was sent.
  private var lastEnvironment: [UInt8] = []
  private var lastBegin = 0
  private var outgoing = ByteBuffer()
  private var sent = 0
  private var incoming = ByteBuffer()
  private var taken = 0
  private var hasLinkEnded = false
  /// The point has come that is before the first frame.
  private var hasReadyByte = false
  /// The last frame said that another is written behind it.
  private var isMoreToCome = false
  /// It was told to go on with what is to come.
  private var hasAsked = false

  private static let readSize = 128 * 1024
  private static let longestFrame = 1 << 20

  init(_ submission: Submission) throws(StepFailure) {
    var arguments = TextBlock()
    arguments.add(submission.program)
    for text in submission.arguments(name: name) { arguments.add(text) }
    program = try LinkedProgram(arguments, submission.environmentBlock(), grace: ClusterAgent.grace) { request in
      request.is_link = 1
      // When the host goes, the link ends, and the agent ends what it runs, with its grace. A signal to srun would be
      // KILL to all of it at once.
      request.host_gone_timeout = Int64((submission.grace + ClusterAgent.closingTimeout) * 1e9)
    }
    self.submission = submission
    fws_epoll_add(fd, program.stderr.number)
    sendProgram()
  }

  /// Seconds that an agent and its srun have to end, beside the grace.
  static let closingTimeout = 10.0
  /// Of srun: it needs a moment to take back a request.
  private static let grace = 5.0

  var fd: Int32 { program.epoll.number }

  /// Whether the host has left us the descriptors of the link.
  private var isOurs: Bool { program.isOurs }

  /// Seconds since it was asked for.
  var age: Double { fws_monotonic() - asked }

  // MARK: What goes to it

  private func sendProgram() {
    let size = fws_program_size()
    guard let room = outgoing.room(for: size) else { return }
    fws_program_copy(room)
    outgoing.commit(size)
    flush()
  }

  /// Gives it a command.
  ///
  /// - Parameters:
  ///   - location: the strings of FWA_RUN.
  ///   - hold: seconds; `nil`: another command follows.
  func run(
    _ request: fwsv_request, _ arguments: borrowing TextBlock, _ environment: borrowing TextBlock,
    location: borrowing ByteBuffer, index: Int, hold: Double?
  ) {
    var run = fwa_run()
    run.request = request
    let slots = arguments.slots(environment)
    let texts = arguments.request(environment: environment)
    run.request.slots = UInt32(clamping: slots)
    run.request.size = UInt64(texts.count)
    run.index = UInt64(index)
    run.location = UInt64(location.count)
    run.hold = hold.map { Int64($0 * 1e9) } ?? -1
    // The environment, with its part of the table, is where it was.
    let (begin, end) = arguments.placeOfEnvironment(environment)
    // Without memory there is no request: the step ends with its link.
    guard !texts.isExhausted, end <= texts.count else { return close() }
    let present = Array(texts.bytes[begin..<end])
    if present == lastEnvironment, begin == lastBegin {
      run.begin = UInt64(begin)
      run.same = UInt64(present.count)
    }
    lastEnvironment = present
    lastBegin = begin
    var frame = ByteBuffer()
    let same = Int(run.same)
    let size = MemoryLayout<fwa_run>.size + texts.count - same + location.count
    withUnsafeBytes(of: fwa_head(kind: UInt32(FWA_RUN), size: UInt32(clamping: size))) { frame.append($0) }
    withUnsafeBytes(of: run) { frame.append($0) }
    if same == 0 {
      frame.append(texts.bytes)
    } else {
      frame.append(UnsafeRawBufferPointer(rebasing: texts.bytes[..<begin]))
      frame.append(UnsafeRawBufferPointer(rebasing: texts.bytes[end...]))
    }
    frame.append(location.bytes)
    outgoing.append(frame.bytes)
    flush()
  }

  /// Ends the command that runs.
  func stop() { send(UInt32(FWA_STOP), []) }

  /// It ends when nothing comes for so long.
  func hold(_ seconds: Double) {
    let time = Int64(seconds * 1e9)
    withUnsafeBytes(of: time) { send(UInt32(FWA_HOLD), Array($0)) }
  }

  private func send(_ kind: UInt32, _ payload: [UInt8]) {
    let head = fwa_head(kind: kind, size: UInt32(clamping: payload.count))
    withUnsafeBytes(of: head) { outgoing.append($0) }
    payload.withUnsafeBytes { outgoing.append($0) }
    flush()
  }

  /// Sends what the link takes now.
  private func flush() {
    if !isOurs { hasLinkEnded = true }
    while sent < outgoing.count, !hasLinkEnded, let start = outgoing.start {
      let count = fws_link_send(program.control.number, start + sent, outgoing.count - sent)
      if count <= 0 { break }
      sent += count
    }
    let isSent = sent == outgoing.count || hasLinkEnded
    if isSent {
      outgoing.truncate(0)
      sent = 0
    }
    if !hasLinkEnded { fws_epoll_write(fd, program.control.number, !isSent) }
  }

  /// No further command: the agent ends, and srun with it.
  func close() {
    hasLinkEnded = true
    guard isOurs else { return }
    shutdown(program.control.number, Int32(SHUT_RDWR))
    fws_epoll_remove(fd, program.control.number)
  }

  /// srun is ended, with whatever it leads to. One that waits in the queue leaves it.
  func abandon() { program.stop() }

  /// The monitor ends srun after so long; `nil`: it may take any time.
  func limit(_ seconds: Double?) { program.limit(seconds, grace: ClusterAgent.grace) }

  // MARK: What comes from it

  enum Word {
    case nothing
    case ready
    case output(Stream, UnsafeRawBufferPointer)
    case reply(fwsv_reply)
    /// The scheduler has said something about the queue.
    case queued(String)
    /// The link has ended, and srun, too.
    case end
  }

  /// What it says next, if it has said something. Output is there until the next call.
  func listen() -> Word {
    flush()
    if let line = hearScheduler() { return .queued(line) }
    while !hasLinkEnded {
      switch takeFrame() {
      case .some(.nothing): continue
      case .some(let word): return word
      case nil: break
      }
      guard let room = incoming.room(for: ClusterAgent.readSize) else { break }
      let count = fws_receive(program.control.number, room, ClusterAgent.readSize)
      if count == 0 {
        goOn()
        break
      }
      if count < 0 {
        close()
        break
      }
      incoming.commit(count)
    }
    guard status == nil else { return .end }
    guard let reply = program.monitorReply() else { return .nothing }
    // What srun said at its end is in the pipe.
    status = reply.map { $0.kind == FWSV_ENDED ? $0.status : -1 } ?? -1
    if let reply, reply.kind == FWSV_FAILED { words.add(StepFailure(start: reply, of: "srun").reason) }
    fws_epoll_remove(fd, program.channel.number)
    close()
    while let line = hearScheduler() { _ = line }
    words.finish()
    facts.messages = words.lines
    return .end
  }

  /// Whether an idle one can still be used.
  var isSound: Bool {
    if status != nil || hasLinkEnded || !isOurs { return false }
    guard Waiting(channel: fd).poll(0).channel else { return true }
    while true {
      switch listen() {
      case .nothing: return status == nil && !hasLinkEnded
      case .ready, .queued: continue
      default: return false
      }
    }
  }

  /// More is to come, which may wait for our word (agent.h).
  private func goOn() {
    guard !hasAsked, hasReadyByte, isMoreToCome || incoming.count > taken else { return }
    hasAsked = true
    send(UInt32(FWA_ACK), [])
  }

  private func hearScheduler() -> String? {
    while program.stderr.isOurs {
      if let line = words.takeQueued() {
        facts.job = words.job ?? facts.job
        facts.messages = words.lines
        return line
      }
      var room = ByteBuffer()
      guard let start = room.room(for: 4096) else { return nil }
      let count = read(program.stderr.number, start, 4096)
      guard count > 0 else {
        if count == 0 { fws_epoll_remove(fd, program.stderr.number) }
        return nil
      }
      room.commit(count)
      words.take(room.bytes)
      facts.job = words.job ?? facts.job
      facts.messages = words.lines
    }
    return nil
  }

  /// `nil`: no frame is complete.
  private func takeFrame() -> Word? {
    let headSize = MemoryLayout<fwa_head>.size
    if !hasReadyByte {
      guard let first = incoming.bytes.first else { return nil }
      hasReadyByte = true
      if Int(first) == FWA_READY_BYTE { taken = 1 }
    }
    let rest = UnsafeRawBufferPointer(rebasing: incoming.bytes[taken...])
    guard rest.count >= headSize else { return compact(rest) }
    let head = rest.loadUnaligned(as: fwa_head.self)
    let size = Int(head.size)
    guard size <= ClusterAgent.longestFrame else {
      close()
      return compact(rest)
    }
    guard rest.count >= headSize + size else { return compact(rest) }
    taken += headSize + size
    isMoreToCome = head.kind & FWA_MORE != 0
    hasAsked = false
    let payload = UnsafeRawBufferPointer(rebasing: rest[headSize..<(headSize + size)])
    switch Int(head.kind & ~FWA_MORE) {
    case FWA_HELLO: return greet(payload)
    case FWA_OUT: return .output(.stdout, payload)
    case FWA_ERR: return .output(.stderr, payload)
    case FWA_REPLY:
      var reply = fwsv_reply()
      withUnsafeMutableBytes(of: &reply) {
        $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: payload.prefix($0.count)))
      }
      return .reply(reply)
    default: return .nothing
    }
  }

  private func compact(_ rest: UnsafeRawBufferPointer) -> Word? {
    guard taken > 0 else { return nil }
    var moved = ByteBuffer()
    moved.append(rest)
    taken = 0
    swap(&moved, &incoming)
    return nil
  }

  private func greet(_ payload: UnsafeRawBufferPointer) -> Word {
    let size = MemoryLayout<fwa_hello>.size
    guard payload.count >= size, payload.loadUnaligned(as: fwa_hello.self).protocol == UInt32(FWA_PROTOCOL) else {
      close()
      return .nothing
    }
    let entries = payload.dropFirst(size).split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    environment = submission.added(among: entries)
    for entry in environment {
      if let job = entry.without(prefix: "SLURM_JOB_ID=") { facts.job = String(job) }
      if let node = entry.without(prefix: "SLURMD_NODENAME=") { facts.node = String(node) }
      if let partition = entry.without(prefix: "SLURM_JOB_PARTITION=") { facts.partition = String(partition) }
    }
    facts.waited = age
    isReady = true
    return .ready
  }

  /// What the scheduler knows of the end of the job.
  func learn(state: String, reason: String, job: String) {
    facts.job = job
    facts.state = state
    facts.reason = reason
  }
}

/// What is known of the job that ran a step's commands.
struct ClusterFacts: EngineFacts {
  var job: String?
  var node: String?
  var partition: String?
  /// As squeue has them, where it was asked.
  var state: String?
  var reason: String?
  /// Seconds until the allocation was there.
  var waited: Double?
  var messages: [String] = []

  var tried: [String] {
    [job.map { "job \($0)" }, node.map { "the node \($0)" }, state.map { "squeue: \($0)" }].compactMap { $0 }
  }

  func masked(by secrets: Secrets) -> any EngineFacts {
    var facts = self
    facts.messages = messages.map { secrets.masked($0) }
    return facts
  }

  func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("job", job)
      writer.member("node", node)
      writer.member("partition", partition)
      writer.member("state", state)
      writer.member("reason", reason)
      writer.member("waited", waited)
      writer.member("messages") { writer in writer.array(messages) { $0.string($1) } }
    }
  }
}
