internal import CSystem
internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel
internal import FWSystem
internal import Glibc

/// The end of a step that was ended between two of its commands: it is over when its containers are gone.
final class SessionClosing: RunningCommand {
  private let session: ContainerSession
  private let started = fws_wall()
  private var isOver = false

  /// - Parameter timeout: seconds after which the engine is given up.
  init(_ session: ContainerSession, timeout: Double) {
    self.session = session
    session.timer.set(timeout)
    session.removeAll { [weak self] in self?.isOver = true }
    // Nothing else may come.
    if isOver { session.timer.stop() }
  }

  var waiting: Waiting { Waiting(channel: session.link.fd) }

  func advance(_ ready: Waiting.Ready, _ readiness: inout ReadinessFD, _ events: inout EventQueue) -> CommandEnd? {
    session.advance()
    if !isOver, session.timer.isOver {
      session.giveUp()
      isOver = true
    }
    guard isOver else { return nil }
    readiness.forget(session.link.fd)
    var end = CommandEnd(outcome: .exited, started: started)
    end.isEnded = session.isClean
    return end
  }

  // It ends as soon as it can.
  func stop() {}
}
