internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWOutput

/// The standard input of a command on an engine. It is sent on the connection that streams the output, after the engine
/// has answered: an engine may drop what comes before. Sending never waits, so a command that does not read its input
/// keeps nothing else from happening.
final class EngineInput {
  private var pump: InputPump
  /// The call that streams the output; `nil` until input can be sent.
  private var call: HTTPCall?
  private var isAwaitingRoom = false
  private var isEndSent = false
  /// Whether bytes were sent, which the command may leave unread.
  private(set) var hasSent = false
  private var sendFailure: String?
  /// Why no more is sent; `nil` while it is.
  private var reason: String?

  init(_ input: CommandInput) { pump = InputPump(input) }

  // MARK: The host's side

  func write(_ bytes: UnsafeRawBufferPointer) -> InputWrite {
    if let reason { return .ended(reason) }
    let count = pump.take(bytes)
    send()
    return .taken(count)
  }

  func close() {
    pump.close()
    send()
  }

  /// Whether a write would not have to wait. This includes a write that is refused.
  var hasRoom: Bool { reason != nil || pump.hasRoom }

  /// Why the source could not be read to its end, or could not be sent; `nil` if it could, or is not at its end yet.
  var failure: String? { pump.failure ?? sendFailure }

  // MARK: The engine's side

  /// Begins to send over a call whose answer has begun.
  func open(over call: HTTPCall?) {
    guard self.call == nil else { return }
    self.call = call
    send()
  }

  /// Goes on when the connection has room again.
  func goOn() {
    isAwaitingRoom = false
    send()
  }

  /// Ends the input, because nobody reads it any more.
  func finish(_ reason: String) {
    if self.reason == nil { self.reason = reason }
    call = nil
  }

  /// Sends what there is room for. The rest is sent when the connection has told that it has room.
  private func send() {
    guard let call, reason == nil, !isAwaitingRoom, !isEndSent else { return }
    let bytes = pump.next()
    if !bytes.isEmpty {
      switch call.send(bytes) {
      case .taken(let count):
        pump.advance(count)
        hasSent = hasSent || count > 0
      case .refused: return finish("the command reads no more of its standard input")
      case .failed(let error):
        let reason = "the standard input could not be sent to the engine: \(errorText(error))"
        sendFailure = reason
        return finish(reason)
      }
    }
    if !pump.next().isEmpty {
      isAwaitingRoom = true
      call.awaitRoom()
    } else if pump.isOver, pump.failure == nil {
      // A source that cannot be read to its end has no end that the command may see.
      isEndSent = true
      call.endSending()
    }
  }
}
