internal import CSystem
internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel
internal import FWOutput
internal import FWSystem

/// How a command ends that has been started.
extension EngineCommand {
  func exited(_ reply: EngineReply, _ exit: ContainerExit?, _ events: inout EventQueue) {
    if reply.isLost { return lose(reply) }
    // The engine has refused to report the exit, and the container was not asked to start.
    if !account.isStartReported, !reply.isSuccess {
      return fail(session.endpoint.failure(reply, doing: "wait for the container"))
    }
    do throws(StepFailure) { exited(try ContainerExit.status(exit, at: session.endpoint), &events) } catch {
      fail(error)
    }
  }

  func exited(_ status: Int32, _ events: inout EventQueue) {
    if account.isDrained { inspect(status, attempt: 1, &events) } else { enter(.draining(status: status)) }
  }

  func outputEnded(_ reply: EngineReply) {
    if requests.exec == nil, reply.status >= 300 { return refusedAttach(reply) }
    if isOverUnreadInput(reply) { return leaveStream() }
    if reply.isLost { return lose(reply) }
    if requests.exec == nil {
      // The stream of a container that has not been started cannot be complete.
      if requests.hasOutputEndedEarly { account.breakOff() }
      account.isDrained = true
      if case .draining = machine.phase { leaveOutput() }
      return
    }
    if reply.status == 409 { return examine() }
    if reply.status >= 300 {
      return fail(errorTexts.refusedExec(reply.message) ?? session.endpoint.failure(reply, doing: "run the command"))
    }
    account.isDrained = true
    switch machine.phase {
    case .askingStatus, .inspecting, .pausing: return
    case .draining: break
    default: account.end.duration = fws_monotonic() - execBegan
    }
    leaveOutput()
  }

  /// Whether a stream may have ended because some of the standard input was left unread. An engine that closes a
  /// connection with unread bytes resets it. Podman usually sends a message first.
  func isOverUnreadInput(_ reply: EngineReply) -> Bool {
    if account.isInputRefused { return true }
    // Where the input has a connection of its own, nothing of it can be left on that of the output.
    guard reply.isLost, reply.status == 200, !requests.hasOwnInput, requests.input?.hasSent == true,
      !session.link.isLost
    else { return false }
    // Docker resets the connection after the end of the output, and a Unix socket loses nothing of what came before.
    account.reset =
      session.endpoint.peer.socket == nil ? .overNetwork : session.engine.isPodman ? .lossy : .harmless
    // Docker does that when the command has ended. Podman does it also when the command has only closed its input.
    broken = (reply, session.engine.isPodman ? .infinity : fws_monotonic() + EngineCommand.missInterval)
    return true
  }

  /// Gives up a stream that cannot be read any more. It could go on for ever, and the command fails in any case.
  func leaveUnreadableOutput() {
    requests.dropOutput()
    leaveStream()
  }

  /// Asks the engine whether the command has ended, because a stream that has ended over unread input, or was given up,
  /// does not say so. If the engine itself was lost, it does not answer.
  func leaveStream() {
    account.isDrained = true
    switch machine.phase {
    case .running(let stage, _):
      machine.clear(.pulse)
      enter(.running(stage, .streamless(ask: 0)))
    case .opening:
      account.end.duration = fws_monotonic() - execBegan
      leaveOutput()
    case .draining: leaveOutput()
    default: break
    }
  }

  /// Continues after the end of the output, or when no more output is expected.
  func leaveOutput() {
    if requests.exec != nil {
      enter(.askingStatus)
      requests.askExec { .execEnded($0, $1) }
    } else if case .draining(let status?) = machine.phase {
      enter(.inspecting(status: status, attempt: 1))
      requests.askEnd()
    }
  }

  /// Takes the status of an exec that has ended.
  func takeStatus(_ reply: EngineReply, _ state: ExecState?, _ events: inout EventQueue) {
    if reply.isLost { return lose(reply) }
    if reply.status == 404 || reply.status == 409 { return examine() }
    guard reply.isSuccess else { return fail(session.endpoint.failure(reply, doing: "report how the command ended")) }
    if state?.isRunning == true {
      // Podman reports a status of 0 meanwhile. An output that has ended in this way for no known reason is not whole.
      if broken == nil, !account.isInputRefused { account.breakOff() }
      return run(&events)
    }
    let code = state?.exitCode
    if !account.isStartReported,
      let failure = errorTexts.unstartedExec(account.early.bytes, code: code, pid: state?.pid ?? 0)
    {
      return fail(failure)
    }
    account.reportStart(in: requests.container, &events)
    guard let code, (0...255).contains(code) else { return fail(errorTexts.missingStatus) }
    inspect(Int32(truncatingIfNeeded: code), attempt: 1, &events)
  }

  /// Asks for facts that only the engine has, before the container is removed. The answer does not change the status.
  func inspect(_ status: Int32, attempt: Int, _ events: inout EventQueue) {
    // The state of a step's container only says whether memory ran out for any of its commands.
    if case .stepContainer(let box, _) = kind, box.wasOutOfMemory || !account.mayLackMemory(status, attempt: attempt) {
      return settle(status, &events)
    }
    enter(.inspecting(status: status, attempt: attempt))
    requests.askEnd()
  }

  func record(_ state: ContainerState?) {
    guard let state else { return }
    if case .stepContainer(let box, _) = kind { box.wasOutOfMemory = box.wasOutOfMemory || state.isOutOfMemory }
    account.record(state, isOwnContainer: kind.isOwnContainer)
  }

  /// Ends the command with the known facts, because the rest of the output does not arrive, or nobody waits for it any
  /// longer.
  func abandonRest(_ events: inout EventQueue) {
    switch machine.phase {
    case .draining(let status?):
      account.markIncomplete()
      let fault = "the engine at \(session.endpoint.address) keeps sending output after the end of the command"
      conclude(status, fault: fault, &events)
    case .inspecting(let status, _), .pausing(let status, _): settle(status, &events)
    default:
      if requests.isStreaming { account.markIncomplete() }
      guard let reason else { return fail(errorTexts.missingStatus) }
      account.end.outcome = reason
      remove()
    }
  }

  /// Ends a command after all facts about its end are known.
  func settle(_ status: Int32, _ events: inout EventQueue) {
    if kind.isOwnContainer, let failure = account.initFailure(errorTexts, status) { return fail(failure) }
    account.guessMemory(status)
    conclude(status, fault: nil, &events)
  }

  func conclude(_ status: Int32, fault: String?, _ events: inout EventQueue) {
    account.conclude(status, fault: fault, reason: reason, at: session.endpoint.address, &events)
    remove()
  }

  /// Ends a command that could not be started, or whose engine cannot continue.
  func fail(_ failure: StepFailure) {
    account.fail(failure)
    remove()
  }
}
