internal import CSystem
internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel
internal import FWSystem

/// What follows every end: the loss of the engine, and the removal of the containers.
extension EngineCommand {
  /// Handles the loss of the engine: for a short time, the library tries to reach it again.
  func lose(_ reply: EngineReply) {
    account.fail(session.endpoint.failure(reply, doing: "answer"))
    machine.clear(.timeout)
    requests.dropStreams()
    session.dropCalls()
    search(until: fws_monotonic() + EngineCommand.lossTimeout)
  }

  func search(until: Double) {
    guard requests.container != nil else { return remove(isLost: true) }
    // The engine may be running, but this process has lost its descriptors.
    if session.link.isLost { return leave() }
    enter(.searching(until: until))
    requests.search()
  }

  func leave() {
    if let container = requests.container {
      account.end.failure =
        "\(account.end.failure ?? ""); its container \(container) will be removed when the engine is next used"
    }
    session.abandonContainers()
    enter(.over)
  }

  /// Ends the work on the command, and removes containers that are no longer needed.
  func remove(isLost: Bool = false) {
    if reason == .engineFailed, let failure = requests.input?.failure { account.end.failure = failure }
    machine.clear(.timeout)
    requests.dropStreams()
    if account.end.outcome == .exited, let code = account.end.exitCode, settings.isSuccess(code), !isLast {
      // Another command follows.
      if kind.isOwnContainer, let container = requests.container { session.remove(container) }
      return enter(.over)
    }
    // The containers of a command that has ended by itself are removed while the result is returned.
    if reason == nil, !isLost, session.canRequestCleanup {
      if session.hasContainers { session.requestCleanup() }
      return enter(.over)
    }
    removeAll()
  }

  func removeAll() {
    enter(.removing)
    requests.removeAll()
  }
}
