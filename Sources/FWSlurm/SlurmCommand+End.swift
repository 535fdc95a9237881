internal import CSupervisorClient
internal import CSystem
internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWProcess
internal import FWSystem

/// The end of a command that the link does not report, or after which it has to be ensured that nothing keeps running.
extension SlurmCommand {
  /// Ends a command that was cancelled, or whose time has passed, before it got an allocation.
  func leaveQueue() {
    if reason == nil {
      reason = .timeout
      wait.hasTimedOut = true
    }
    if let waiter, let offered = launcher.allocations.leave(waiter) { launcher.allocations.keep(offered) }
    waiter = nil
    if reason == .engineFailed { lateWatch = watch }
    endWatch()
    guard agent != nil else {
      end.outcome = explainWait(nil, hasLeft: true) ?? .cancelled
      return finish(end, keepsAgent: false)
    }
    forceEnd()
  }

  private func explainWait(_ job: String?, hasLeft: Bool) -> Outcome? {
    wait.explain(&end, reason, limit: launcher.options.queueTimeout, job: job, hasLeft: hasLeft)
  }

  /// Waits for the end of srun, whose link is closed.
  func settle() {
    agent?.close()
    enter(.settling)
    watchTimeout()
  }

  func forceEnd() {
    if reason == nil { reason = .timeout }
    agent?.abandon()
    agent?.close()
    enter(.settling)
  }

  /// Sets an alarm for the timeout of the step, because no node enforces it any more.
  private func watchTimeout() {
    if let timeout, reason == nil, !machine.has(.answer), !machine.has(.timeout) { machine.set(.timeout, in: timeout) }
  }

  func srunEnded() {
    endWatch()
    if reportedEnd == nil { reportedEnd = recordedEnd() }
    // An idle agent ended in the moment in which it was taken. Agents that were requested for this command may end
    // before it as well, each time, where a node lacks something that they need.
    if let agent, agent.isReady, !isStartReported, reportedEnd == nil, reason == nil, agent.status == 0,
      submissions < SlurmCommand.maxSubmissions
    {
      return startOver()
    }
    ask()
  }

  /// The end of the command by the status file, which the command itself could write to. So what held of its sandbox is
  /// taken from the beginning, and from nothing else.
  private func recordedEnd() -> CommandEnd? {
    guard var reply = launcher.recordedEnd(index) else { return nil }
    reply.layers = start.layers
    reply.landlock = start.landlock
    return CommandEnd(reply, sandbox: isStartReported ? launcher.options.process.sandbox : nil)
  }

  private func startOver() {
    if let agent {
      fws_epoll_remove(epoll.number, agent.fd)
      if let waiter { launcher.allocations.lose(waiter) } else { launcher.allocations.forget(agent.submission) }
    }
    agent = nil
    queries = 0
    do throws(StepFailure) { try allocate() } catch { fail(error) }
    machine.wake()
  }

  func ask() {
    guard let agent else { return }
    watchTimeout()
    queries += 1
    do throws(StepFailure) {
      // A job that has ended normally is not cancelled by the first query.
      let query = try SchedulerQuery(agent.name, cancels: queries > 1 || reason != nil, isUrgent: reason != nil)
      listen(to: query.fd)
      enter(.asking(query))
    } catch { resolve(nil, failure: error.reason) }
  }

  func take(_ answer: SchedulerQuery.Answer) {
    lastAnswer = answer
    switch answer {
    case .silence(let why):
      // The scheduler is asked again if there is time for that.
      if reason == nil { return enter(.pausing) }
      resolve(nil, failure: why)
    case .failed(let why):
      if queries < SchedulerQuery.tries { return enter(.pausing) }
      resolve(nil, failure: why)
    case .job(let info):
      if let info, info.isAlive { return enter(.pausing) }
      // The nodes of the job are being cleaned up. The final state of the job is known only after that, which may take
      // some time.
      if let info, info.state == "COMPLETING", queries < SchedulerQuery.tries { return enter(.pausing) }
      resolve(info, failure: nil)
    }
  }

  /// Ends the queries, because their time has passed.
  func stopAsking() {
    switch machine.phase {
    case .asking(let query): fws_epoll_remove(epoll.number, query.fd)
    case .pausing: break
    default: return
    }
    switch lastAnswer {
    case .job(let info): resolve(info, failure: nil)
    case .failed(let why), .silence(let why): resolve(nil, failure: why)
    case nil: resolve(nil, failure: "squeue did not answer")
    }
  }

  /// Determines how the command ended from everything that is known now.
  private func resolve(_ info: SchedulerQuery.JobInfo?, failure: String?) {
    guard let agent else { return }
    if let info { agent.record(state: info.state, reason: info.reason, job: info.job) }
    let isLostAnswer = !agent.isReady && SchedulerMessages.reportLostAnswer(agent.facts.messages)
    if reason == nil, isLostAnswer, submissions < SlurmCommand.maxSubmissions {
      // The scheduler has no job of this submission, so the command can be submitted again.
      return startOver()
    }
    let isEnded = info?.isAlive != true && failure == nil
    if !agent.isReady { _ = wait.note(info?.waitReason) }
    reason = explainWait(agent.facts.job, hasLeft: isEnded)
    var resolved = reportedEnd ?? end
    resolved.started = end.started
    if reportedEnd == nil { resolved.duration = fws_wall() - end.started }
    resolved.isEnded = isEnded
    // The status may have come from the status file, which has no output.
    if agent.isReady, !hasReply, isStartReported || reportedEnd != nil { resolved.incomplete = [.stdout, .stderr] }
    OutcomeResolver(
      agent: agent.facts, wasReady: agent.isReady, info: info, failure: failure, reason: reason,
      isKnown: reportedEnd != nil, late: lateWatch, options: launcher.options,
      settings: launcher.settings
    ).resolve(in: &resolved)
    if resolved.outcome != .exited || reportedEnd != nil {
      resolved.explanation = resolved.explanation ?? end.explanation
    }
    finish(resolved, keepsAgent: false)
  }
}
