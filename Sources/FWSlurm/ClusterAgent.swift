internal import CSupervisorClient
internal import CSystem
internal import FWBase
internal import FWModel
internal import FWProcess
internal import FWSystem
internal import Glibc

/// An agent in an allocation of a cluster, and the srun process that connects it to the library. The agent runs one
/// command after the other.
///
/// srun is a command of a monitor like any other. Its standard input and output are the link to the agent. Its standard
/// error has only messages of the scheduler.
final class ClusterAgent: @unchecked Sendable {
  // The conformance is unchecked because an agent has one user at a time: the step that has taken it.
  let submission: Submission
  /// The name of the job.
  let name = Submission.uniqueName()
  private let program: LinkedProgram
  private let requested = fws_monotonic()

  private(set) var isReady = false
  /// The status of srun in the format of wait(2); `nil` while srun runs.
  private(set) var status: Int32?
  private(set) var facts = ClusterFacts()
  /// The entries that the scheduler has added to the environment.
  private(set) var environment: [String] = []
  private var schedulerMessages = SchedulerMessages()
  /// The environment of the last request, in the form in which it was sent, and its offset in the request.
  private var lastEnvironment: [UInt8] = []
  private var lastBegin = 0
  private var outgoing = ByteBuffer()
  private var frames = AgentFrames()
  private var hasLinkEnded = false
  /// Whether the last frame was acknowledged, so that the agent continues.
  private var hasAcknowledged = false

  private static let readSize = 128 * 1024

  init(_ submission: Submission) throws(StepFailure) {
    var arguments = TextBlock()
    arguments.add(submission.program)
    for text in submission.arguments(name: name) { arguments.add(text) }
    program = try LinkedProgram(arguments, submission.environmentBlock(), grace: ClusterAgent.grace) { request in
      request.is_link = 1
      // When the host ends, the link ends, and the agent ends its command with the grace. A signal to srun would kill
      // everything at once.
      request.host_gone_timeout = Int64((submission.grace + ClusterAgent.closingTimeout) * 1e9)
    }
    self.submission = submission
    guard fws_epoll_add(fd, program.stderr.number) else {
      throw StepFailure("the messages of srun cannot be waited for", errno, call: "epoll_ctl")
    }
    sendProgram()
  }

  /// The number of seconds that an agent and its srun have to end, in addition to the grace.
  static let closingTimeout = 10.0
  /// The grace of srun in seconds. srun needs a moment to withdraw a request.
  private static let grace = 5.0

  var fd: Int32 { program.epoll.number }

  /// Whether the host has left the descriptors of the link open.
  private var isOurs: Bool { program.isOurs }

  /// The number of seconds since the allocation was requested.
  var age: Double { fws_monotonic() - requested }

  // MARK: Sending

  private func sendProgram() {
    let size = fws_program_size()
    guard let room = outgoing.room(for: size) else { return }
    fws_program_copy(room)
    outgoing.commit(size)
    flush()
  }

  /// Sends a command to the agent.
  ///
  /// - Parameters:
  ///   - sandbox: what bounds the command; `nil`: nothing does.
  ///   - location: the run directory and the status file, as strings of FWA_RUN.
  ///   - hold: the number of seconds after which the agent ends without a further command; `nil` if another command
  ///     follows.
  func run(
    _ request: fwsv_request, _ arguments: borrowing TextBlock, _ environment: borrowing TextBlock,
    _ sandbox: SandboxRequest?, location: borrowing ByteBuffer, index: Int, hold: Double?
  ) {
    var run = fwa_run()
    run.request = request
    let slots = arguments.slots(environment)
    var texts = arguments.request(environment: environment, room: sandbox?.count ?? 0)
    sandbox?.append(to: &texts, &run.request)
    run.request.slots = UInt32(clamping: slots)
    run.request.size = UInt64(texts.count)
    run.index = UInt64(index)
    run.location = UInt64(location.count)
    run.hold = hold.map { Int64($0 * 1e9) } ?? -1
    // An environment that is the same, and at the same offset, as in the last request is not sent again.
    let (begin, end) = arguments.rangeOfEnvironment(environment)
    // If there is not enough memory for the request, the link is closed, and the step ends with it.
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

  /// Asks the agent to end the running command.
  func stop() { send(UInt32(FWA_STOP), []) }

  /// Lets the agent end if it gets no command within a number of seconds.
  func hold(_ seconds: Double) {
    let time = Int64(seconds * 1e9)
    withUnsafeBytes(of: time) { send(UInt32(FWA_HOLD), Array($0)) }
  }

  /// Sends a signal to processes of the running command.
  func signal(_ number: Int32, _ target: SignalTarget) {
    let kind = target == .main ? FWSV_SIGNAL_MAIN : FWSV_SIGNAL_TREE
    let signal = fwa_signal(kind: UInt32(kind), number: UInt32(clamping: number))
    withUnsafeBytes(of: signal) { send(UInt32(FWA_SIGNAL), Array($0)) }
  }

  /// Adds bytes of the standard input to what `flush` sends. No bytes stand for the end of the input. The caller counts
  /// how many the agent has room for.
  func send(input bytes: UnsafeRawBufferPointer) { add(UInt32(FWA_IN), bytes) }

  private func send(_ kind: UInt32, _ payload: [UInt8]) {
    payload.withUnsafeBytes { add(kind, $0) }
    flush()
  }

  private func add(_ kind: UInt32, _ payload: UnsafeRawBufferPointer) {
    let head = fwa_head(kind: kind, size: UInt32(clamping: payload.count))
    withUnsafeBytes(of: head) { outgoing.append($0) }
    outgoing.append(payload)
  }

  /// Sends as much as the link accepts now.
  func flush() {
    if !isOurs { hasLinkEnded = true }
    var sent = 0
    var isRefused = false
    while sent < outgoing.count, !hasLinkEnded, let start = outgoing.start {
      let count = fws_link_send(program.control.number, start + sent, outgoing.count - sent)
      if count < 0 { isRefused = ![EAGAIN, EPIPE, ECONNRESET].contains(errno) }
      if count <= 0 { break }
      sent += count
    }
    // A frame of which a part is missing would be read as another one. An agent that has gone is seen when it is read
    // from, because what it has sent comes first.
    if outgoing.isExhausted || isRefused { return close() }
    outgoing.removeFirst(hasLinkEnded ? outgoing.count : sent)
    if !hasLinkEnded { fws_epoll_write(fd, program.control.number, outgoing.count > 0) }
  }

  /// Closes the link. The agent gets no further command and ends, and srun ends with it.
  func close() {
    hasLinkEnded = true
    guard isOurs else { return }
    shutdown(program.control.number, Int32(SHUT_RDWR))
    fws_epoll_remove(fd, program.control.number)
  }

  /// Ends srun and everything that it runs. A request in the scheduler's queue is withdrawn.
  func abandon() { program.stop() }

  /// Lets the monitor end srun after a number of seconds; `nil` for no limit.
  func limit(_ seconds: Double?) { program.limit(seconds, grace: ClusterAgent.grace) }

  // MARK: Receiving

  enum Message {
    case nothing
    case ready
    case output(Stream, UnsafeRawBufferPointer)
    case reply(fwsv_reply)
    /// The number of bytes of the standard input that the command's pipe has taken.
    case inputTaken(Int)
    /// The command has closed its standard input.
    /// With the errno of a write that failed; 0 if the command has closed its standard input.
    case inputClosed(Int32)
    /// A message of the scheduler about the queue.
    case queued(String)
    /// The link and srun have ended.
    case end
  }

  /// Receives the next message. The bytes of output are valid until the next call.
  func receive() -> Message {
    flush()
    if let line = nextSchedulerMessage() { return .queued(line) }
    while !hasLinkEnded {
      switch takeFrame() {
      case .some(.nothing): continue
      case .some(let message): return message
      case nil: break
      }
      let count = frames.receive(ClusterAgent.readSize) {
        fws_receive(program.control.number, $0, ClusterAgent.readSize)
      }
      guard let count else { break }
      if count == 0 {
        acknowledge()
        break
      }
      if count < 0 {
        close()
        break
      }
    }
    guard status == nil else { return .end }
    guard let reply = program.monitorReply() else { return .nothing }
    // The last messages of srun are still in the pipe.
    status = reply.map { $0.kind == FWSV_ENDED ? $0.status : -1 } ?? -1
    if let reply, reply.kind == FWSV_FAILED { schedulerMessages.add(StepFailure(start: reply, of: "srun").reason) }
    fws_epoll_remove(fd, program.channel.number)
    close()
    while let line = nextSchedulerMessage() { _ = line }
    schedulerMessages.finish()
    facts.messages = schedulerMessages.lines
    return .end
  }

  /// Whether an idle agent can still be used.
  var isSound: Bool {
    if status != nil || hasLinkEnded || !isOurs { return false }
    guard Waiting(channel: fd).poll(0).channel else { return true }
    while true {
      switch receive() {
      case .nothing: return status == nil && !hasLinkEnded
      case .ready, .queued: continue
      default: return false
      }
    }
  }

  /// Acknowledges the last frame if more data is to come, because the agent may wait for that (agent.h).
  private func acknowledge() {
    guard !hasAcknowledged, frames.isMoreToCome else { return }
    hasAcknowledged = true
    send(UInt32(FWA_ACK), [])
  }

  private func nextSchedulerMessage() -> String? {
    while program.stderr.isOurs {
      if let line = schedulerMessages.takeQueued() {
        facts.job = schedulerMessages.job ?? facts.job
        facts.messages = schedulerMessages.lines
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
      schedulerMessages.take(room.bytes)
      facts.job = schedulerMessages.job ?? facts.job
      facts.messages = schedulerMessages.lines
    }
    return nil
  }

  /// Takes the next frame; `nil` if no frame is complete.
  private func takeFrame() -> Message? {
    guard let frame = frames.next() else { return nil }
    hasAcknowledged = false
    switch frame {
    case .hello(let payload): return takeHello(payload)
    case .output(let stream, let bytes): return .output(stream, bytes)
    case .reply(let reply): return .reply(reply)
    case .inputTaken(let count): return .inputTaken(count)
    case .inputClosed(let error): return .inputClosed(error)
    case .acknowledgement: return .nothing
    case .refused:
      close()
      return .nothing
    }
  }

  private func takeHello(_ payload: UnsafeRawBufferPointer) -> Message {
    environment = submission.added(among: AgentFrames.entries(payload))
    for entry in environment {
      if let job = entry.without(prefix: "SLURM_JOB_ID=") { facts.job = String(job) }
      if let node = entry.without(prefix: "SLURMD_NODENAME=") { facts.node = String(node) }
      if let partition = entry.without(prefix: "SLURM_JOB_PARTITION=") { facts.partition = String(partition) }
    }
    facts.waited = age
    isReady = true
    return .ready
  }

  /// Records what the scheduler reports about the end of the job.
  func record(state: String, reason: String, job: String) {
    facts.job = job
    facts.state = state
    facts.reason = reason
  }
}

/// The facts about the job that ran a step's commands.
struct ClusterFacts: EngineFacts {
  var job: String?
  var node: String?
  var partition: String?
  /// The state and the reason that squeue reports, if it was asked.
  var state: String?
  var reason: String?
  /// The number of seconds until the allocation was granted.
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
