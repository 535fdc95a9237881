internal import FWModel
internal import Glibc

/// The one container of a step whose commands run in it one after the other.
final class StepContainer {
  var name: String?
  /// Whether the engine has reported that memory ran out in the container. It does not say for which command.
  var wasOutOfMemory = false

  static let shell = "/bin/sh"
  /// The signals that process 1 forwards: all that a program can trap, except that of the end of a child.
  static let signals: [Int32] = (1...31).filter { ![SIGKILL, SIGSTOP, SIGCHLD].contains($0) }

  /// The program of process 1. It waits, which reaps orphans, and forwards signals to all other processes of the
  /// container. It uses only programs that are in nearly every image. (A `trap` interrupts `wait`, but not a `sleep` in
  /// the foreground. A signal may end the `sleep` as well.)
  static let program =
    "trap 'kill -TERM -1' TERM; "
    + "for s in \(signals.filter { $0 != SIGTERM }.map { String($0) }.joined(separator: " ")); do "
    + "trap \"kill -$s -1\" $s; done; "
    + "while :; do kill -0 $p 2>/dev/null || { sleep 86400 & p=$!; }; wait $p; done"

  /// Why a signal cannot be sent to the running command in the container; `nil` if it can.
  static func refusal(of number: Int32, to target: SignalTarget) -> String? {
    if target == .main {
      return "an engine cannot signal the main process of a command in the container of its step: send it to "
        + "FW_SIGNAL_TREE, which reaches all processes in the container, or set \"container\": \"command\" in the "
        + "worker's options"
    }
    if signals.contains(number) { return nil }
    return "signal \(number) cannot be sent to all processes in the container of a step: those from 1 to 31 can be, "
      + "except KILL, STOP and CHLD; a cancel of the step ends all of them with KILL"
  }
}
