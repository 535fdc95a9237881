internal import CSupervisorClient
internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWOutput

/// The standard input of a command in an allocation. It is read on this machine and streamed over the link, only as
/// fast as the command reads it: the agent says how much the command's pipe has taken (agent.h).
///
/// Nothing is sent before the node has reported that the command has begun. So a command that is submitted again,
/// because its agent has ended before, gets its input from the first byte on.
struct AgentInput: ~Copyable {
  private var pump: InputPump
  /// The bytes that were sent, and those of them that the command's pipe has taken.
  private var sent = 0
  private var taken = 0
  /// Whether the command has begun.
  private var isOpen = false
  private var isEndSent = false
  /// Why the command gets nothing more; `nil` while it does.
  private var reason: String?
  private var writeFailure: String?

  init(_ input: CommandInput) { pump = InputPump(input) }

  // MARK: The host's side

  mutating func write(_ bytes: UnsafeRawBufferPointer) -> InputWrite {
    if let reason { return .ended(reason) }
    return .taken(pump.take(bytes))
  }

  mutating func close() { pump.close() }

  /// Whether a write would not have to wait. This includes a write that is refused.
  var hasRoom: Bool { reason != nil || pump.hasRoom }

  /// Why the source could not be read to its end, or not be written; `nil` if it could, or is not at its end yet.
  var failure: String? { pump.failure ?? writeFailure }

  // MARK: The agent's side

  /// Notes that the command has begun.
  mutating func open() { isOpen = true }

  /// Notes how many bytes the command's pipe has taken so far.
  mutating func note(taken: Int) { self.taken = min(max(taken, self.taken), sent) }

  /// Ends the input, because nobody reads it any more.
  mutating func finish(_ reason: String) { if self.reason == nil { self.reason = reason } }

  /// Ends the input after the node's last write.
  ///
  /// - Parameter error: the errno of that write; 0 if the command has closed its standard input.
  mutating func finish(error: Int32) {
    if error == 0 { return finish("the command has closed its standard input") }
    let failure = "the standard input could not be written on the node: \(errorText(error))"
    writeFailure = failure
    finish(failure)
  }

  /// Sends as much as the agent has room for.
  mutating func send(to agent: ClusterAgent) {
    guard isOpen, reason == nil else { return }
    while case let room = Int(FWA_WINDOW) - (sent - taken), room > 0 {
      let bytes = pump.next()
      if bytes.isEmpty { break }
      let part = UnsafeRawBufferPointer(rebasing: bytes.prefix(room))
      agent.send(input: part)
      sent += part.count
      pump.advance(part.count)
    }
    // A source that cannot be read to its end has no end that the command may see.
    if pump.isOver, pump.failure == nil, !isEndSent {
      isEndSent = true
      agent.send(input: UnsafeRawBufferPointer(start: nil, count: 0))
    }
    agent.flush()
  }
}
