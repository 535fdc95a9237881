internal import CSupervisorClient
internal import CSystem
internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWOutput
internal import FWProcess
internal import FWSystem
internal import Glibc

/// A command in an allocation.
///
///   arriving ──▶ running ──▶ over
///       ╰─────────┴──▶ settling ──▶ asking ──▶ over
///
/// `settling` and `asking` come where the link has not told how it ended, or it has to be made sure that nothing
/// goes on: srun is ended, then the scheduler is asked until it knows of no such job that runs.
/// What ends each phase at the latest is in `limit(of:)`; what a timeout or a cancel does to it, in `endBecause`.
final class SlurmCommand: RunningCommand {
  private let launcher: SlurmLauncher
  private let text: ByteBuffer
  private let index: Int
  private let isLast: Bool
  private let timeout: Double?
  private let began = fws_monotonic()
  private let epoll: Descriptor
  private let timer: Timer
  private var output: CommandOutput
  private var machine: PhaseMachine<Phase, Alarm>
  private var waiter: Allocations.Waiter?
  private var agent: ClusterAgent?
  private var end: CommandEnd
  private var isTold = false
  /// Why the library has asked the command to end.
  private var reason: Outcome?
  /// What a monitor or the status file says of the end of the command.
  private var known: CommandEnd?
  /// The watch for an agent from which nothing came in its time.
  private var late: StartWatch?
  private var submissions = 0
  private var askings = 0
  private var watch: StartWatch
  /// The last answer of the scheduler.
  private var lastAnswer: SchedulerQuery.Answer?
  /// The end has come over the link, behind all of the output.
  private var hasReply = false

  init(
    _ launcher: SlurmLauncher, _ command: UnsafeRawBufferPointer, index: Int, isLast: Bool, timeout: Double?,
    events: RunOptions.Events?
  ) throws(StepFailure) {
    self.launcher = launcher
    self.isLast = isLast
    self.index = index
    self.timeout = timeout
    var text = ByteBuffer()
    text.append(command)
    self.text = text
    epoll = try Descriptor.epoll()
    timer = try Timer(Timer.never)
    machine = PhaseMachine(
      .arriving, .unlimited("init enters a phase before it ends"), timer: timer, persistent: [.queue, .answer, .timeout])
    watch = StartWatch(limit: launcher.options.startTimeout)
    guard fws_epoll_add(epoll.number, timer.fd) else {
      throw StepFailure("its timer cannot be waited for", errno, call: "epoll_ctl")
    }
    end = CommandEnd(outcome: .exited, started: fws_wall())
    output = CommandOutput(launcher.settings, events)
    if let kept = launcher.agent {
      launcher.agent = nil
      attach(kept)
    } else {
      try arrive()
    }
  }

  deinit {
    // Nobody waits for the command any more.
    if let waiter, let offered = launcher.allocations.leave(waiter) { launcher.allocations.keep(offered) }
    guard let agent else { return }
    if case .over = machine.phase { return }
    if !agent.isReady { agent.abandon() }
    agent.close()
    launcher.allocations.forget(agent.submission)
  }

  var waiting: Waiting { Waiting(channel: epoll.number) }

  // MARK: The phases

  private func enter(_ phase: Phase) { machine.enter(phase, limit(of: phase)) }

  /// What ends a phase at the latest.
  private func limit(of phase: Phase) -> PhaseLimit<Alarm> {
    let scheduler = PhaseLimit<Alarm>.alarm(
      .scheduler, in: reason == nil ? SlurmCommand.schedulerTimeout : SlurmCommand.endingTimeout)
    switch phase {
    case .arriving:
      guard let agent, !agent.isReady else {
        return .unlimited(
          "the wakeTimer of the queue of allocations rings; `queue` runs where the worker has a limit for it")
      }
      return .alarm(.start, in: watch.limit)
    case .running:
      guard let timeout else { return .unlimited("the link tells the end of the command, and ends with srun") }
      // The monitor on the node keeps the time. This alarm is for a monitor that does not answer.
      return .alarm(.answer, in: timeout + launcher.options.process.grace + SlurmCommand.answerTimeout)
    case .settling: return .alarm(.srun, in: SlurmCommand.srunTimeout)
    case .pausing: return scheduler.and(.pause, in: min(0.1 * Double(1 << min(askings, 6)), 5))
    case .asking: return scheduler
    case .over: return .final
    }
  }

  // MARK: To an allocation

  private func arrive() throws(StepFailure) {
    enter(.arriving)
    let waiter: Allocations.Waiter
    if let present = self.waiter {
      waiter = present
    } else {
      waiter = Allocations.Waiter(launcher.submission, wakeTimer: timer)
      self.waiter = waiter
      if let limit = launcher.options.queueTimeout { machine.set(.queue, in: limit) }
    }
    switch launcher.allocations.take(waiter) {
    case .agent(let found): found.isReady ? attach(found) : observe(found)
    case .wait: break
    case .ask:
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
    fws_epoll_add(epoll.number, agent.fd)
    if !agent.isReady { enter(.arriving) }
  }

  /// The agent is there: the command begins.
  private func attach(_ found: ClusterAgent) {
    if let waiter {
      // An agent that was offered in this moment goes to the next command that waits.
      if let offered = launcher.allocations.leave(waiter), offered !== found { launcher.allocations.keep(offered) }
      self.waiter = nil
    }
    if let own = agent, own !== found {
      fws_epoll_remove(epoll.number, own.fd)
      launcher.allocations.keep(own)
      agent = nil
    }
    if agent == nil { observe(found) }
    launcher.learn(found.facts, waited: index == 0 ? fws_monotonic() - began : launcher.waited)
    machine.clear(.queue)
    machine.clear(.timeout)
    // A command that is started over has its time anew.
    machine.clear(.answer)
    endWatch()
    enter(.running)
    run(on: found)
  }

  private func run(on agent: ClusterAgent) {
    var location = ByteBuffer()
    location.append(
      UnsafeRawBufferPointer(start: launcher.shell.rundir.start, count: strlen(launcher.shell.rundir.start) + 1))
    location.append(launcher.statusFile)
    location.append(byte: 0)
    agent.run(
      launcher.shell.request(timeout: timeout, tellsStart: true), launcher.shell.arguments(text.bytes),
      launcher.environment(on: agent), location: location, index: index,
      hold: isLast ? launcher.options.hold + SlurmCommand.deliveryTimeout : nil)
  }

  // MARK: What happens

  func stop() { endBecause(.cancelled) }

  private func endBecause(_ outcome: Outcome) {
    switch machine.phase {
    case .arriving:
      reason = reason ?? outcome
      machine.wake()
    case .running:
      guard reason == nil else { return }
      reason = outcome
      // A command that has not begun is ended as soon as it has: the agent takes one thing after the other.
      agent?.stop()
      machine.set(.answer, in: launcher.options.process.grace + SlurmCommand.answerTimeout)
    case .settling:
      // A timeout says nothing of how the command has ended; a cancel is the reason why nobody waits for it.
      if outcome == .cancelled { reason = reason ?? outcome }
      agent?.abandon()
      machine.shorten(.srun, within: SlurmCommand.hurry)
    case .pausing, .asking:
      if outcome == .cancelled { reason = reason ?? outcome }
      machine.shorten(.scheduler, within: SlurmCommand.hurry)
    case .over: break
    }
  }

  private func passed(_ alarm: Alarm) {
    switch alarm {
    case .queue:
      if case .arriving = machine.phase { leaveLine() } else { endBecause(.timeout) }
    case .start: look()
    case .timeout: endBecause(.timeout)
    case .answer: if case .running = machine.phase { force() } else { endBecause(.timeout) }
    case .srun: if case .settling = machine.phase { ask() }
    case .pause: if case .pausing = machine.phase { ask() }
    case .scheduler: stopAsking()
    }
  }

  func advance(_ ready: Waiting.Ready, _ readiness: inout ReadinessFD, _ events: inout EventQueue) -> CommandEnd? {
    step(&events)
    guard case .over = machine.phase else { return nil }
    readiness.forget(epoll.number)
    return output.drain(into: &end, &readiness, &events) ? end : nil
  }

  private func step(_ events: inout EventQueue) {
    while let alarm = machine.takeDue() { passed(alarm) }
    for _ in 0..<SlurmCommand.framesPerPoll {
      guard events.isEmpty else { break }
      switch machine.phase {
      case .arriving:
        if reason != nil { return leaveLine() }
        if let query = watch.query, let answer = query.advance() {
          fws_epoll_remove(epoll.number, query.fd)
          heed(watch.take(answer))
          continue
        }
        if let waiter, let offered = launcher.allocations.offer(to: waiter) {
          attach(offered)
          continue
        }
        guard let agent else {
          do throws(StepFailure) { try arrive() } catch { return fail(error) }
          if case .running = machine.phase { continue }
          if self.agent != nil { continue }
          if isStillWaiting { return }
          continue
        }
        switch agent.listen() {
        case .nothing: if isStillWaiting { return }
        case .ready: attach(agent)
        case .queued(let line):
          events.queued(job: agent.facts.job, line)
          if SchedulerMessages.tellOfAllocation(line) { machine.shorten(.start, within: watch.limit) }
        case .end: settled()
        default: agent.close()
        }
      case .running:
        guard let agent else { return }
        switch agent.listen() {
        case .nothing: return
        case .ready, .queued: break
        case .output(let stream, let bytes): output.take(stream, bytes, &events)
        case .reply(let reply): take(reply, &events)
        case .end: settled()
        }
      case .settling:
        guard let agent else { return }
        switch agent.listen() {
        case .nothing: return
        case .output(let stream, let bytes): output.take(stream, bytes, &events)
        case .end: settled()
        case .ready, .queued, .reply: break
        }
      case .pausing: return
      case .asking(let query):
        guard let answer = query.advance() else { return }
        fws_epoll_remove(epoll.number, query.fd)
        take(answer)
      case .over: return
      }
    }
    // There may be more frames, of which no descriptor tells.
    machine.wake()
  }

  private func look() {
    guard case .arriving = machine.phase, let agent, !agent.isReady, watch.query == nil else { return }
    if let decision = watch.look(for: agent.name) { return heed(decision) }
    if let query = watch.query { fws_epoll_add(epoll.number, query.fd) }
  }

  private func heed(_ decision: StartWatch.Decision) {
    switch decision {
    case .wait(let seconds): machine.set(.start, in: seconds)
    case .late:
      reason = .engineFailed
      leaveLine()
    }
  }

  private func endWatch() {
    if let query = watch.query { fws_epoll_remove(epoll.number, query.fd) }
    machine.clear(.start)
    watch = StartWatch(limit: watch.limit)
  }

  /// Whether the wakeTimer has to be waited for. It may have been rung since the queue was looked at.
  private var isStillWaiting: Bool { waiter.map { !launcher.allocations.isWoken($0) } ?? true }

  /// What the monitor on the node says.
  private func take(_ reply: fwsv_reply, _ events: inout EventQueue) {
    switch Int(reply.kind) {
    case FWSV_STARTED:
      isTold = true
      end.started = Double(reply.started) / 1e9
      end.pid = reply.pid
      events.commandStarted(pid: reply.pid, at: end.started)
    case FWSV_FAILED:
      let node = agent?.facts.node.map { " (on the node \($0))" } ?? ""
      let failure = launcher.shell.failure(reply, size: text.count)
      finish(CommandEnd(failure: StepFailure(failure.reason + node), started: end.started), keepsAgent: true)
    default:
      hasReply = true
      let told = CommandEnd(reply)
      let isByScheduler = told.outcome == .cancelled && reason == nil
      // A shell exits with 128 and the number where its child was signalled.
      let signal = told.signal ?? told.exitCode.map { $0 - 128 }
      let isBySomebody = (signal == SIGKILL || signal == SIGTERM) && told.endedBy == nil
      if isByScheduler || isBySomebody || told.outcome == .statusUnknown {
        // The library has not ended the command. The scheduler knows more when the job has ended.
        known = told
        settle()
      } else {
        finish(told, keepsAgent: told.isEnded)
      }
    }
  }

  private func finish(_ end: CommandEnd, keepsAgent: Bool) {
    self.end = end
    enter(.over)
    if let agent {
      fws_epoll_remove(epoll.number, agent.fd)
      launcher.learn(agent.facts, waited: launcher.waited)
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

  private func fail(_ failure: StepFailure) {
    finish(CommandEnd(failure: failure, started: end.started), keepsAgent: false)
  }

  // MARK: Where the link does not tell the end

  /// The command was cancelled, or its time has passed, before there was an allocation.
  private func leaveLine() {
    if reason == nil {
      reason = .timeout
      let limit = MessageFormat.seconds(launcher.options.queueTimeout ?? 0)
      end.explanation =
        "was abandoned because no allocation was granted within the worker's "
        + "\"queue_timeout\" of \(limit)"
    }
    if let waiter, let offered = launcher.allocations.leave(waiter) { launcher.allocations.keep(offered) }
    waiter = nil
    if reason == .engineFailed { late = watch }
    endWatch()
    guard agent != nil else {
      end.outcome = reason ?? .cancelled
      return finish(end, keepsAgent: false)
    }
    force()
  }

  /// Waits for srun, which has nothing more to do.
  private func settle() {
    agent?.close()
    enter(.settling)
    keepTime()
  }

  private func force() {
    if reason == nil { reason = .timeout }
    agent?.abandon()
    agent?.close()
    enter(.settling)
  }

  /// No node keeps the time of the step any more, so an alarm does.
  private func keepTime() {
    if let timeout, reason == nil, !machine.has(.answer), !machine.has(.timeout) { machine.set(.timeout, in: timeout) }
  }

  /// srun has ended.
  private func settled() {
    endWatch()
    if known == nil { known = launcher.noted(index).map { CommandEnd($0) } }
    // An idle agent has ended in the moment in which it was taken.
    if let agent, agent.isReady, !isTold, known == nil, reason == nil, agent.status == 0 { return startOver() }
    ask()
  }

  private func startOver() {
    if let agent {
      fws_epoll_remove(epoll.number, agent.fd)
      if waiter != nil {
        waiter.map { launcher.allocations.lose($0) }
      } else {
        launcher.allocations.forget(agent.submission)
      }
    }
    agent = nil
    askings = 0
    do throws(StepFailure) { try arrive() } catch { fail(error) }
    machine.wake()
  }

  private func ask() {
    guard let agent else { return }
    keepTime()
    askings += 1
    do throws(StepFailure) {
      // A job that has ended in order needs no more than a look.
      let query = try SchedulerQuery(agent.name, cancels: askings > 1 || reason != nil, isHurried: reason != nil)
      fws_epoll_add(epoll.number, query.fd)
      enter(.asking(query))
    } catch { resolve(nil, failure: error.reason) }
  }

  private func take(_ answer: SchedulerQuery.Answer) {
    lastAnswer = answer
    switch answer {
    case .silence(let why):
      // The scheduler is asked again where there is time for that.
      if reason == nil { return again() }
      resolve(nil, failure: why)
    case .failed(let why):
      if askings < SchedulerQuery.tries { return again() }
      resolve(nil, failure: why)
    case .job(let found):
      if let found, found.isAlive { return again() }
      // The nodes of the job are being cleared up. The state of the job comes with the end of that, which may take its
      // time.
      if let found, found.state == "COMPLETING", askings < SchedulerQuery.tries { return again() }
      resolve(found, failure: nil)
    }
  }

  private func again() {
    enter(.pausing)
  }

  /// There is no time left to learn more.
  private func stopAsking() {
    switch machine.phase {
    case .asking(let query): fws_epoll_remove(epoll.number, query.fd)
    case .pausing: break
    default: return
    }
    switch lastAnswer {
    case .job(let found): resolve(found, failure: nil)
    case .failed(let why), .silence(let why): resolve(nil, failure: why)
    case nil: resolve(nil, failure: "squeue did not answer")
    }
  }

  /// Tells how the command ended, by all that is known now.
  private func resolve(_ found: SchedulerQuery.Found?, failure: String?) {
    guard let agent else { return }
    if let found {
      agent.learn(state: found.state, reason: found.reason, job: found.job)
    }
    let isLostAnswer = !agent.isReady && SchedulerMessages.tellOfLostAnswer(agent.facts.messages)
    if reason == nil, isLostAnswer, submissions < SlurmCommand.maxSubmissions {
      // It is known now that no job of this submission is left.
      return startOver()
    }
    let isEnded = found?.isAlive != true && failure == nil
    if let explanation = end.explanation, let job = agent.facts.job {
      end.explanation = "\(explanation); job \(job) \(isEnded ? "has left the queue" : "may still be in the queue")"
    }
    var resolved = known ?? end
    resolved.started = end.started
    if known == nil { resolved.duration = fws_wall() - end.started }
    resolved.isEnded = isEnded
    // The status may have come by the file, which has none of the output.
    if agent.isReady, !hasReply, isTold || known != nil { resolved.incomplete = [.stdout, .stderr] }
    OutcomeResolver(
      agent: agent.facts, wasReady: agent.isReady, found: found, failure: failure, reason: reason,
      isKnown: known != nil, late: late, options: launcher.options
    ).resolve(in: &resolved)
    if resolved.outcome != .exited || known != nil { resolved.explanation = resolved.explanation ?? end.explanation }
    finish(resolved, keepsAgent: false)
  }
}
