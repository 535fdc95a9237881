internal import FWModel
internal import Glibc

/// The signals of the host that a container takes. An engine can send a signal only to process 1 of a container.
enum ContainerSignals {
  /// The signals that Docker's init process keeps to itself: those of faults, of a terminal, and of children. (tini.c,
  /// `configure_signals`.) Podman's keeps one more.
  private static let keptByInit: Set<Int32> = [
    SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGCHLD, SIGSTOP, SIGTTIN, SIGTTOU, SIGSYS,
  ]

  /// Why a signal cannot be sent to the container of one command; `nil` if it can.
  ///
  /// - Parameter hasInit: whether process 1 is the init process of the engine.
  static func refusal(of number: Int32, to target: SignalTarget, hasInit: Bool, isPodman: Bool) -> String? {
    // The end of process 1 is the end of all.
    if number == SIGKILL { return nil }
    if target == .tree {
      return "an engine signals only the main process of a container: send it to FW_SIGNAL_MAIN, or set \"container\": "
        + "\"step\" in the worker's options, with which FW_SIGNAL_TREE works"
    }
    guard hasInit, keptByInit.contains(number) || isPodman && number == SIGTSTP else { return nil }
    return "the init process of the container does not pass signal \(number) on to the command: set \"init\": false in "
      + "the worker's options, with which the command itself gets it"
  }
}
