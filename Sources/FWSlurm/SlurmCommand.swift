internal import CSupervisorClient
internal import CSystem
internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWOutput
internal import FWProcess
internal import FWSystem
internal import Glibc

/// A command in an allocation of a cluster.
///
///   allocating ──▶ running ──▶ over
///       ╰───────────┴──▶ settling ──▶ asking ──▶ over
///
/// `settling` and `asking` follow if the link has not reported how the command ended, or if it has to be ensured that
/// nothing keeps running: srun is ended, and then the scheduler is asked until it has no running job of that name. The
/// latest end of each phase is in `limit(of:)`, and the effect of a timeout or a cancellation in `endBecause`.
final class SlurmCommand: RunningCommand {
  let launcher: SlurmLauncher
  /// The bytes of the command, and the NUL behind them.
  private let bytes: ByteBuffer
  private let isWords: Bool
  /// The standard input; `nil`: it is empty.
  private var input: AgentInput?
  /// The signals that the host has sent to the command.
  private var signals: Set<Int32> = []
  let index: Int
  private let isLast: Bool
  let timeout: Double?
  private let began = fws_monotonic()
  let epoll: Descriptor
  private let timer: Timer
  private var output: CommandOutput
  var machine: PhaseMachine<Phase, Alarm>
  var waiter: Allocations.Waiter?
  var agent: ClusterAgent?
  var end: CommandEnd
  var isStartReported = false
  /// What the monitor on the node has said when it had started the command.
  private(set) var start = fwsv_reply()
  /// Why the library has asked the command to end; `nil` if it has not.
  var reason: Outcome?
  /// The end of the command as the monitor on the node or the status file reports it.
  var reportedEnd: CommandEnd?
  /// The watch of an agent that has not reported in time.
  var lateWatch: StartWatch?
  var submissions = 0
  var queries = 0
  var watch: StartWatch
  var wait = QueueWait()
  /// The last answer of the scheduler.
  var lastAnswer: SchedulerQuery.Answer?
  /// Whether the end of the command has arrived over the link, after all of its output.
  var hasReply = false

  init(
    _ launcher: SlurmLauncher, _ command: Command, _ input: CommandInput?, index: Int, isLast: Bool, timeout: Double?,
    events: RunOptions.Events?
  ) throws(StepFailure) {
    self.launcher = launcher
    self.isLast = isLast
    self.index = index
    self.timeout = timeout
    var bytes = ByteBuffer()
    bytes.append(command.bytes)
    bytes.append(byte: 0)
    guard !bytes.isExhausted else { throw .noMemory }
    self.bytes = bytes
    isWords = command.isWords
    if let input { self.input = AgentInput(input) }
    epoll = try Descriptor.epoll()
    timer = try Timer(Timer.never)
    machine = PhaseMachine(
      .allocating, .unlimited("init enters a phase before it ends"), timer: timer,
      persistent: [.queue, .answer, .timeout, .look])
    watch = StartWatch(limit: launcher.options.startTimeout)
    guard fws_epoll_add(epoll.number, timer.fd) else {
      throw StepFailure("its timer cannot be waited for", errno, call: "epoll_ctl")
    }
    end = CommandEnd(outcome: .exited, started: fws_wall())
    output = CommandOutput(launcher.settings, events)
    if let idle = launcher.agent {
      launcher.agent = nil
      attach(idle)
    } else {
      try allocate()
    }
  }

  deinit {
    // The command was dropped, so nobody waits for it any more.
    if let waiter, let offered = launcher.allocations.leave(waiter) { launcher.allocations.keep(offered) }
    guard let agent else { return }
    if case .over = machine.phase { return }
    if !agent.isReady { agent.abandon() }
    agent.close()
    launcher.allocations.forget(agent.submission)
  }

  var waiting: Waiting { Waiting(channel: epoll.number) }

  private var command: Command {
    Command(UnsafeRawBufferPointer(rebasing: bytes.bytes.dropLast()), isWords: isWords)
  }

  // MARK: The phases

  func enter(_ phase: Phase) {
    switch phase {
    case .settling, .asking:
      // The job may go on for long, and nothing more of the input reaches it. A command that has not begun may be
      // submitted again.
      if isStartReported { input?.finish("the connection to the command's node was lost") }
    default: break
    }
    machine.enter(phase, limit(of: phase))
  }

  private func limit(of phase: Phase) -> PhaseLimit<Alarm> {
    let scheduler = PhaseLimit<Alarm>.alarm(
      .scheduler, in: reason == nil ? SlurmCommand.schedulerTimeout : SlurmCommand.endingTimeout)
    switch phase {
    case .allocating:
      guard let agent, !agent.isReady else {
        return .unlimited(
          "the queue of allocations fires the timer; `queue` runs if the worker has a limit for it")
      }
      return .alarm(.start, in: watch.limit)
    case .running:
      guard let timeout else { return .unlimited("the link reports the end of the command, and ends with srun") }
      // The monitor on the node enforces the timeout. This alarm is for a monitor that does not answer.
      return .alarm(.answer, in: timeout + launcher.options.process.grace + SlurmCommand.answerTimeout)
    case .settling: return .alarm(.srun, in: SlurmCommand.srunTimeout)
    case .pausing: return scheduler.and(.pause, in: min(0.1 * Double(1 << min(queries, 6)), 5))
    case .asking: return scheduler
    case .over: return .final
    }
  }

  // MARK: Getting an allocation

  func allocate() throws(StepFailure) {
    enter(.allocating)
    let waiter: Allocations.Waiter
    if let present = self.waiter {
      waiter = present
    } else {
      waiter = Allocations.Waiter(launcher.submission, wakeTimer: timer)
      self.waiter = waiter
      if let limit = launcher.options.queueTimeout { machine.set(.queue, in: limit) }
    }
    switch launcher.allocations.take(waiter) {
    case .agent(let agent): agent.isReady ? attach(agent) : observe(agent)
    case .wait: break
    case .request:
      do throws(StepFailure) {
        submissions += 1
        observe(try Supervisors.retrying { () throws(StepFailure) in try ClusterAgent(launcher.submission) })
      } catch {
        launcher.allocations.lose(waiter)
        throw error
      }
    }
  }

  private func observe(_ agent: ClusterAgent) {
    self.agent = agent
    listen(to: agent.fd)
    if !agent.isReady { enter(.allocating) }
  }

  /// Waits for a descriptor beside the command's others. Where the kernel watches no further one
  /// (fs.epoll.max_user_watches), they are looked at now and then.
  func listen(to fd: Int32) {
    if !fws_epoll_add(epoll.number, fd) { machine.set(.look, in: SlurmCommand.lookInterval) }
  }

  /// Starts the command on an agent that is ready.
  private func attach(_ newAgent: ClusterAgent) {
    if let waiter {
      // Another agent that was offered in this moment goes to the next waiting command.
      if let offered = launcher.allocations.leave(waiter), offered !== newAgent { launcher.allocations.keep(offered) }
      self.waiter = nil
    }
    if let own = agent, own !== newAgent {
      fws_epoll_remove(epoll.number, own.fd)
      launcher.allocations.keep(own)
      agent = nil
    }
    if agent == nil { observe(newAgent) }
    launcher.record(newAgent.facts, waited: index == 0 ? fws_monotonic() - began : launcher.waited)
    machine.clear(.queue)
    machine.clear(.timeout)
    // A command that is started again gets its full time again.
    machine.clear(.answer)
    endWatch()
    enter(.running)
    launcher.run(
      command, hasInput: input != nil, on: newAgent, index: index, isLast: isLast, timeout: timeout)
  }

  // MARK: Standard input and signals

  func write(_ bytes: UnsafeRawBufferPointer) -> InputWrite {
    let result = input?.write(bytes) ?? .ended("the command has no standard input of the host")
    sendInput()
    return result
  }

  func closeInput() {
    input?.close()
    sendInput()
  }

  var hasRoom: Bool { input?.hasRoom ?? false }

  /// Sends what the agent has room for, and ends a command whose input cannot be read to its end.
  private func sendInput() {
    guard case .running = machine.phase, let agent else { return }
    input?.send(to: agent)
    if input?.failure != nil { endBecause(.engineFailed) }
  }

  var isRunning: Bool { isStartReported && !hasReply }

  func signal(_ number: Int32, _ target: SignalTarget) -> StepFailure? {
    guard case .running = machine.phase, let agent else {
      return StepFailure("the connection to the command's node was lost: it can only be cancelled")
    }
    signals.insert(number)
    agent.signal(number, target)
    return nil
  }

  // MARK: Driving the command

  func stop() { endBecause(.cancelled) }

  private func endBecause(_ outcome: Outcome) {
    switch machine.phase {
    case .allocating:
      reason = reason ?? outcome
      machine.wake()
    case .running:
      guard reason == nil else { return }
      reason = outcome
      // A command that has not started is ended as soon as it starts, because the agent handles one message after the
      // other.
      agent?.stop()
      machine.set(.answer, in: launcher.options.process.grace + SlurmCommand.answerTimeout)
    case .settling:
      // A timeout does not say how the command has ended. A cancellation is the reason why nobody waits for it.
      if outcome == .cancelled { reason = reason ?? outcome }
      agent?.abandon()
      machine.shorten(.srun, within: SlurmCommand.urgentTimeout)
    case .pausing, .asking:
      if outcome == .cancelled { reason = reason ?? outcome }
      machine.shorten(.scheduler, within: SlurmCommand.urgentTimeout)
    case .over: break
    }
  }

  private func fire(_ alarm: Alarm) {
    switch alarm {
    case .queue:
      if case .allocating = machine.phase { leaveQueue() } else { endBecause(.timeout) }
    case .start: checkStart()
    case .timeout: endBecause(.timeout)
    case .answer: if case .running = machine.phase { forceEnd() } else { endBecause(.timeout) }
    case .srun: if case .settling = machine.phase { ask() }
    case .pause: if case .pausing = machine.phase { ask() }
    case .scheduler: stopAsking()
    case .look: machine.set(.look, in: SlurmCommand.lookInterval)
    }
  }

  func advance(_ ready: Waiting.Ready, _ readiness: inout ReadinessFD, _ events: inout EventQueue) -> CommandEnd? {
    step(&events)
    guard case .over = machine.phase else { return nil }
    readiness.forget(epoll.number)
    return output.drain(into: &end, &readiness, &events) ? end : nil
  }

  private func step(_ events: inout EventQueue) {
    while let alarm = machine.takeDue() { fire(alarm) }
    for _ in 0..<SlurmCommand.framesPerPoll {
      guard events.isEmpty else { break }
      switch machine.phase {
      case .allocating:
        if reason != nil { return leaveQueue() }
        if let query = watch.query, let answer = query.advance() {
          fws_epoll_remove(epoll.number, query.fd)
          let decision = watch.take(answer)
          if let new = wait.note(watch.reason) { events.queued(job: agent?.facts.job, "waiting: \(new.shown)") }
          apply(decision)
          continue
        }
        if let waiter, let offered = launcher.allocations.offer(to: waiter) {
          attach(offered)
          continue
        }
        guard let agent else {
          do throws(StepFailure) { try allocate() } catch { return fail(error) }
          if case .running = machine.phase { continue }
          if self.agent != nil { continue }
          if isStillWaiting { return }
          continue
        }
        switch agent.receive() {
        case .nothing: if isStillWaiting { return }
        case .ready: attach(agent)
        case .queued(let line):
          events.queued(job: agent.facts.job, line)
          if SchedulerMessages.reportsAllocation(line) {
            machine.shorten(.start, within: watch.limit)
          } else if watch.noteQueued() {
            machine.shorten(.start, within: StartWatch.firstLook)
          }
        case .end: srunEnded()
        default: agent.close()
        }
      case .running:
        guard let agent else { return }
        switch agent.receive() {
        case .nothing: return
        case .ready, .queued: break
        case .output(let stream, let bytes): output.take(stream, bytes, &events)
        case .reply(let reply): take(reply, &events)
        case .inputTaken(let count):
          input?.note(taken: count)
          sendInput()
        case .inputClosed(let error):
          input?.finish(error: error)
          if input?.failure != nil { endBecause(.engineFailed) }
        case .end: srunEnded()
        }
      case .settling:
        guard let agent else { return }
        switch agent.receive() {
        case .nothing: return
        case .output(let stream, let bytes): output.take(stream, bytes, &events)
        case .end: srunEnded()
        case .ready, .queued, .reply, .inputTaken, .inputClosed: break
        }
      case .pausing: return
      case .asking(let query):
        guard let answer = query.advance() else { return }
        fws_epoll_remove(epoll.number, query.fd)
        take(answer)
      case .over: return
      }
    }
    // More frames may be in the buffer, for which no descriptor becomes readable.
    machine.wake()
  }

  private func checkStart() {
    guard case .allocating = machine.phase, let agent, !agent.isReady, watch.query == nil else { return }
    if let decision = watch.check(for: agent.name, in: launcher.allocations) { return apply(decision) }
    if let query = watch.query { listen(to: query.fd) }
  }

  private func apply(_ decision: StartWatch.Decision) {
    switch decision {
    case .wait(let seconds): machine.set(.start, in: seconds)
    case .late:
      reason = .engineFailed
      leaveQueue()
    case .never:
      reason = .spawnFailed
      leaveQueue()
    }
  }

  func endWatch() {
    if let query = watch.query { fws_epoll_remove(epoll.number, query.fd) }
    machine.clear(.start)
    watch = StartWatch(limit: watch.limit)
  }

  /// Whether the wake timer has to be waited for. It may have fired since the queue was examined.
  private var isStillWaiting: Bool { waiter.map { !launcher.allocations.isWoken($0) } ?? true }

  /// Handles a message of the monitor on the node.
  private func take(_ reply: fwsv_reply, _ events: inout EventQueue) {
    switch Int(reply.kind) {
    case FWSV_STARTED:
      isStartReported = true
      start = reply
      end.take(reply, of: launcher.options.process.sandbox)
      end.started = Double(reply.started) / 1e9
      end.pid = reply.pid
      events.commandStarted(pid: reply.pid, at: end.started)
      input?.open()
      sendInput()
    case FWSV_FAILED:
      let node = agent?.facts.node.map { " (on the node \($0))" } ?? ""
      let failure = launcher.shell.failure(reply, CommandSize(command))
      finish(
        CommandEnd(failure: failure.with(reason: failure.reason + node), started: end.started), keepsAgent: true)
    default:
      hasReply = true
      let reported = CommandEnd(reply, sandbox: launcher.options.process.sandbox)
      let isByScheduler = reported.outcome == .cancelled && reason == nil
      // A shell exits with 128 plus the number of the signal if a signal ended its child.
      let signal = reported.signal ?? reported.exitCode.map { $0 - 128 }
      let isBySomebody =
        (signal == SIGKILL || signal == SIGTERM) && reported.endedBy == nil && !signals.contains(signal ?? 0)
      if isByScheduler || isBySomebody || reported.outcome == .statusUnknown {
        // The library has not ended the command. The scheduler can say more when the job has ended.
        reportedEnd = reported
        settle()
      } else {
        finish(reported, keepsAgent: reported.isEnded)
      }
    }
  }

  func finish(_ end: CommandEnd, keepsAgent: Bool) {
    self.end = end
    if let failure = input?.failure, reason == .engineFailed { self.end.fail(StepFailure(failure)) }
    input?.finish("the command has ended")
    enter(.over)
    if let agent {
      fws_epoll_remove(epoll.number, agent.fd)
      launcher.record(agent.facts, waited: launcher.waited)
      if keepsAgent {
        launcher.agent = agent
      } else {
        agent.close()
        launcher.allocations.forget(agent.submission)
      }
      self.agent = nil
    }
    for alarm in [Alarm.queue, .answer, .timeout] { machine.clear(alarm) }
    machine.wake()
  }

  func fail(_ failure: StepFailure) {
    finish(CommandEnd(failure: failure, started: end.started), keepsAgent: false)
  }
}
