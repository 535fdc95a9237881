internal import CSystem
internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWSystem
internal import Glibc

/// The pipe through which the host's bytes go to a command of this machine. A command may open its standard input again
/// by its path, which a socket does not allow.
struct HostInput: ~Copyable {
  /// The writing end; `nil` once the input has ended. It becomes writable when there is room.
  private(set) var end: Descriptor?
  /// Why no bytes are taken any more.
  private var reason: String
  private var taken = 0
  private var isGrown = false

  private static let heavy = 64 * 1024
  private static let large = 1 << 20
  /// The most bytes of one write. The command cannot read from the pipe while a write lasts.
  private static let mostWritten = 128 * 1024

  /// Makes an input that takes nothing, for a command whose input is not the host's.
  init() { reason = "the command has no standard input of the host" }

  /// - Parameter reader: is set to the end that the command gets.
  init(_ reader: inout Descriptor?) throws(StepFailure) {
    var theirs: Int32 = -1
    var ours: Int32 = -1
    var call: UnsafePointer<CChar>?
    let error = fws_input_pipe(&theirs, &ours, &call)
    guard error == 0 else {
      throw StepFailure("a pipe for its input could not be created", error, call: call.map { String(cString: $0) })
    }
    reason = ""
    // It is closed as soon as it is sent, so the host cannot close it before.
    reader = Descriptor(theirs, isKept: false)
    end = Descriptor(ours, isClosedInForks: true)
  }

  mutating func write(_ bytes: UnsafeRawBufferPointer) -> InputWrite {
    guard let end else { return .ended(reason) }
    guard end.isOurs else {
      finish("this process has closed the descriptor of the command's standard input")
      return .ended(reason)
    }
    guard let start = bytes.baseAddress else { return .taken(0) }
    // Nobody else can use the exec meanwhile, and a fast reader would make this last as long as there are bytes.
    let limit = min(bytes.count, HostInput.large)
    var written = 0
    while written < limit {
      let most = min(limit - written, HostInput.mostWritten)
      let count = fws_pipe_write(end.number, start + written, most)
      if count < 0, written == 0 {
        let error = errno
        finish(
          error == EPIPE
            ? "the command has closed its standard input"
            : "the command's standard input cannot be written to: \(errorText(error))")
        return .ended(reason)
      }
      written += max(0, count)
      if count < most { break }
    }
    taken += written
    if !isGrown, taken >= HostInput.heavy {
      isGrown = true
      fws_pipe_grow(end.number, Int32(HostInput.large))
    }
    return .taken(written)
  }

  /// Ends the input after the bytes that were taken.
  mutating func finish(_ reason: String) {
    guard end != nil else { return }
    self.reason = reason
    end = nil
  }
}
