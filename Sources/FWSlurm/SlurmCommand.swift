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
/// Each phase has a deadline, and a timeout or a cancel of the step reaches each of them (`endBecause`):
///
///   | phase             | waits for                     | until                                                    |
///   |-------------------|-------------------------------|----------------------------------------------------------|
///   | arriving          | an allocation                 | `queue`                                                  |
///   |                   | the agent in it               | `start` (`StartWatch`)                                   |
///   | running           | the word of the node          | `answer`: some seconds after the timeout or the cancel   |
///   | settling          | the end of srun               | `srun`                                                   |
///   | pausing, asking   | the scheduler, which knows it | `scheduler` for all of it, and a time for each question  |
final class SlurmCommand: RunningCommand {
  private let launcher: SlurmLauncher
  private let text: ByteBuffer
  private let index: Int
  private let isLast: Bool
  private let timeout: Double?
  private let began = fws_monotonic()
  private let epoll: Descriptor
  private let timer: Pause
  private var output: CommandOutput
  private var phase = Phase.arriving
  private var waiter: Allocations.Waiter?
  private var agent: ClusterAgent?
  private var end: CommandEnd
  private var isTold = false
  /// Of us, to end it.
  private var reason: Outcome?
  /// What a monitor, or the status file, says of its end.
  private var known: CommandEnd?
  /// Of an agent from which nothing came in its time.
  private var late: StartWatch?
  private var submissions = 0
  private var clocks: Deadlines<Clock>
  private var askings = 0
  private var watch: StartWatch
  /// What the scheduler has said last.
  private var lastAnswer: SchedulerQuery.Answer?
  /// Its end has come by the link, behind all of its output.
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
    timer = try Pause(Pause.never)
    clocks = Deadlines(timer)
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
    // Nobody waits for it any more.
    if let waiter, let offered = launcher.allocations.leave(waiter) { launcher.allocations.keep(offered) }
    guard let agent else { return }
    if case .over = phase { return }
    if !agent.isReady { agent.abandon() }
    agent.close()
    launcher.allocations.forget(agent.submission)
  }

  var waiting: Waiting { Waiting(channel: epoll.number) }

  // MARK: To an allocation

  private func arrive() throws(StepFailure) {
    phase = .arriving
    let waiter: Allocations.Waiter
    if let present = self.waiter {
      waiter = present
    } else {
      waiter = Allocations.Waiter(launcher.submission, wakeTimer: timer)
      self.waiter = waiter
      if let limit = launcher.options.queueTimeout { clocks.set(.queue, in: limit) }
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
    if !agent.isReady { clocks.set(.start, in: watch.limit) }
  }

  /// It is there: the command begins.
  private func attach(_ found: ClusterAgent) {
    if let waiter {
      // What was offered in this moment goes to the next one.
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
    phase = .running
    clocks.clear(.queue)
    clocks.clear(.timeout)
    endWatch()
    // The node's monitor keeps the time. Should that not answer, we do.
    if let timeout { clocks.set(.answer, in: timeout + launcher.options.process.grace + SlurmCommand.answerTimeout) }
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
    switch phase {
    case .arriving:
      reason = reason ?? outcome
      clocks.set(.now, in: 0)
    case .running:
      guard reason == nil else { return }
      reason = outcome
      // One that has not begun yet is ended as soon as it has: the agent takes one thing after the other.
      agent?.stop()
      clocks.set(.answer, in: launcher.options.process.grace + SlurmCommand.answerTimeout)
    case .settling:
      // What has happened to it is another matter than that nobody waits for it any longer.
      if outcome == .cancelled { reason = reason ?? outcome }
      agent?.abandon()
      clocks.bring(.srun, within: SlurmCommand.hurry)
    case .pausing, .asking:
      if outcome == .cancelled { reason = reason ?? outcome }
      clocks.bring(.scheduler, within: SlurmCommand.hurry)
    case .over: break
    }
  }

  private func passed(_ clock: Clock) {
    switch clock {
    case .queue:
      if case .arriving = phase { leaveLine() } else { endBecause(.timeout) }
    case .start: look()
    case .timeout: endBecause(.timeout)
    case .answer: if case .running = phase { force() } else { endBecause(.timeout) }
    case .srun: if case .settling = phase { ask() }
    case .pause: if case .pausing = phase { ask() }
    case .scheduler: stopAsking()
    case .now: break
    }
  }

  func advance(_ ready: Waiting.Ready, _ readiness: inout ReadinessFD, _ events: inout EventQueue) -> CommandEnd? {
    step(&events)
    guard case .over = phase else { return nil }
    readiness.forget(epoll.number)
    return output.drain(into: &end, &readiness, &events) ? end : nil
  }

  private func step(_ events: inout EventQueue) {
    while let clock = clocks.takeDue() { passed(clock) }
    for _ in 0..<SlurmCommand.framesPerPoll {
      guard events.isEmpty else { break }
      switch phase {
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
          if case .running = phase { continue }
          if self.agent != nil { continue }
          if isStillWaiting { return }
          continue
        }
        switch agent.listen() {
        case .nothing: if isStillWaiting { return }
        case .ready: attach(agent)
        case .queued(let line):
          events.queued(job: agent.facts.job, line)
          if SchedulerMessages.tellOfAllocation(line) { clocks.bring(.start, within: watch.limit) }
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
      case .over: return clocks.set(.now, in: 0)
      }
    }
    // There may be more that no descriptor tells of.
    clocks.set(.now, in: 0)
  }

  private func look() {
    guard case .arriving = phase, let agent, !agent.isReady, watch.query == nil else { return }
    if let decision = watch.look(for: agent.name) { return heed(decision) }
    if let query = watch.query { fws_epoll_add(epoll.number, query.fd) }
  }

  private func heed(_ decision: StartWatch.Decision) {
    switch decision {
    case .wait(let seconds): clocks.set(.start, in: seconds)
    case .late:
      reason = .engineFailed
      leaveLine()
    }
  }

  private func endWatch() {
    if let query = watch.query { fws_epoll_remove(epoll.number, query.fd) }
    clocks.clear(.start)
    watch = StartWatch(limit: watch.limit)
  }

  /// Waits until the step is woken. That may have happened since it was looked at.
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
        // It was not us: the scheduler knows more, when the job has ended.
        known = told
        settle()
      } else {
        finish(told, keepsAgent: told.isEnded)
      }
    }
  }

  private func finish(_ end: CommandEnd, keepsAgent: Bool) {
    self.end = end
    phase = .over
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
    clocks.clearAll()
    clocks.set(.now, in: 0)
  }

  private func fail(_ failure: StepFailure) {
    finish(CommandEnd(failure: failure, started: end.started), keepsAgent: false)
  }

  // MARK: Where the link does not tell the end

  /// Cancelled, or too late, before there was an allocation.
  private func leaveLine() {
    if reason == nil {
      reason = .timeout
      let limit = MessageFormat.seconds(launcher.options.queueTimeout ?? 0)
      end.explanation = "was given up: no allocation came within the worker's \"queue_timeout\" of \(limit)"
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
    phase = .settling
    clocks.set(.srun, in: SlurmCommand.srunTimeout)
    keepTime()
  }

  private func force() {
    if reason == nil { reason = .timeout }
    agent?.abandon()
    agent?.close()
    phase = .settling
    clocks.set(.srun, in: SlurmCommand.srunTimeout)
  }

  /// There is no node any more that keeps the step's time.
  private func keepTime() {
    if let timeout, reason == nil, !clocks.has(.answer), !clocks.has(.timeout) { clocks.set(.timeout, in: timeout) }
  }

  /// srun has ended.
  private func settled() {
    endWatch()
    if known == nil { known = launcher.noted(index).map { CommandEnd($0) } }
    // One that was idle has ended in the moment in which it was taken.
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
    clocks.clear(.scheduler)
    askings = 0
    do throws(StepFailure) { try arrive() } catch { fail(error) }
    clocks.set(.now, in: 0)
  }

  private func ask() {
    guard let agent else { return }
    clocks.clear(.srun)
    if !clocks.has(.scheduler) {
      clocks.set(.scheduler, in: reason == nil ? SlurmCommand.schedulerTimeout : SlurmCommand.endingTimeout)
    }
    keepTime()
    askings += 1
    do throws(StepFailure) {
      // One that has ended in order needs no more than a look.
      let query = try SchedulerQuery(agent.name, cancels: askings > 1 || reason != nil, isHurried: reason != nil)
      fws_epoll_add(epoll.number, query.fd)
      phase = .asking(query)
    } catch { resolve(nil, failure: error.reason) }
  }

  private func take(_ answer: SchedulerQuery.Answer) {
    lastAnswer = answer
    switch answer {
    case .silence(let why):
      // It is asked again where there is time for that.
      if reason == nil { return again() }
      resolve(nil, failure: why)
    case .failed(let why):
      if askings < SchedulerQuery.tries { return again() }
      resolve(nil, failure: why)
    case .job(let found):
      if let found, found.isAlive { return again() }
      // Its nodes are being cleared up: its state comes with the end of that, but that may take its time.
      if let found, found.state == "COMPLETING", askings < SchedulerQuery.tries { return again() }
      resolve(found, failure: nil)
    }
  }

  private func again() {
    phase = .pausing
    clocks.set(.pause, in: min(0.1 * Double(1 << min(askings, 6)), 5))
  }

  /// There is no time left to learn more.
  private func stopAsking() {
    switch phase {
    case .asking(let query): fws_epoll_remove(epoll.number, query.fd)
    case .pausing: break
    default: return
    }
    switch lastAnswer {
    case .job(let found): resolve(found, failure: nil)
    case .failed(let why), .silence(let why): resolve(nil, failure: why)
    case nil: resolve(nil, failure: "squeue has not answered")
    }
  }

  /// How it ended, by all that is known now.
  private func resolve(_ found: SchedulerQuery.Found?, failure: String?) {
    guard let agent else { return }
    if let found {
      agent.learn(state: found.state, reason: found.reason, job: found.job)
    }
    let isLostAnswer = !agent.isReady && SchedulerMessages.tellOfLostAnswer(agent.facts.messages)
    if reason == nil, isLostAnswer, submissions < SlurmCommand.maxSubmissions {
      // The job that may have been made is gone, as we know now.
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
    // The status may have come by the file; what was written before it has not.
    if agent.isReady, !hasReply, isTold || known != nil { resolved.incomplete = [.stdout, .stderr] }
    OutcomeResolver(
      agent: agent.facts, wasReady: agent.isReady, found: found, failure: failure, reason: reason,
      isKnown: known != nil, late: late, options: launcher.options
    ).resolve(in: &resolved)
    if resolved.outcome != .exited || known != nil { resolved.explanation = resolved.explanation ?? end.explanation }
    finish(resolved, keepsAgent: false)
  }
}
