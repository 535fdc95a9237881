internal import FWBase
internal import FWHTTP

/// Where an engine is, as `DOCKER_HOST` and the CLI's contexts say it.
struct EngineAddress: Equatable {
  /// The text that was given.
  let text: String
  /// `nil` for a TCP address.
  let socket: String?
  /// `HOST:PORT`.
  let authority: String
  /// The scheme `https` asks for TLS by itself.
  let needsTLS: Bool

  enum Fault: Error {
    case unknown(String)
    case ssh(String)

    var text: String {
      switch self {
      case .unknown(let address):
        let advice =
          address.begins(with: "/")
          ? MessageFormat.quoted("unix://\(address)", limit: 200) : "unix:///PATH or tcp://HOST:PORT"
        return "invalid engine address \(MessageFormat.quoted(address, limit: 200)): use \(advice)"
      case .ssh(let address):
        return "invalid engine address \(MessageFormat.quoted(address, limit: 200)): ssh is not supported; "
          + "forward the socket "
          + "(ssh -L /tmp/engine.sock:/var/run/docker.sock HOST) and use unix:///tmp/engine.sock"
      }
    }
  }

  init(_ text: String) throws(Fault) {
    self.text = text
    func rest(_ scheme: String) -> String? { text.without(prefix: scheme).map(String.init) }
    if let path = rest("unix://") {
      guard path.begins(with: "/"), path.utf8.count > 1 else { throw .unknown(text) }
      socket = path
      authority = "engine"
      needsTLS = false
      return
    }
    if rest("ssh://") != nil { throw .ssh(text) }
    let isSecure = text.begins(with: "https://")
    guard var place = rest("tcp://") ?? rest("http://") ?? rest("https://") else { throw .unknown(text) }
    while let shorter = place.without(suffix: "/") { place = String(shorter) }
    // An address without a port has the port that engines use by default.
    if !place.isEmpty, place.begins(with: "[") ? place.ends(with: "]") : !place.contains(":") {
      place += isSecure ? ":2376" : ":2375"
    }
    let isPlain = place.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
        UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
        return true
      default: return false
      }
    }
    guard isPlain, !place.isEmpty, !place.begins(with: ":") else { throw .unknown(text) }
    socket = nil
    authority = place
    needsTLS = isSecure
  }
}

/// An engine that a step was sent to, and how to speak with it.
struct EngineEndpoint: Sendable {
  var peer: HTTPPeer
  /// The address that was given, for messages and results.
  var address: String
  /// Where the address comes from, for messages.
  var source: String
  /// Seconds that the engine may take to answer.
  var timeout = DockerOptions.defaultTimeout

  /// - Parameter certificates: a directory; for a Unix socket they are not needed.
  init(_ address: EngineAddress, certificates: String?, source: String) {
    self.address = address.text
    self.source = source
    if let socket = address.socket {
      peer = HTTPPeer(socket: socket, base: "http://\(address.authority)")
    } else {
      let isSecure = address.needsTLS || certificates != nil
      peer = HTTPPeer(base: "\(isSecure ? "https" : "http")://\(address.authority)", certificates: certificates)
    }
  }

  /// The failure of a call that the engine did not answer with success.
  ///
  /// - Parameter doing: what the call was for, such as "create the container".
  func failure(_ answer: borrowing HTTPAnswer, doing: String) -> StepFailure {
    failure(EngineReply(answer), doing: doing)
  }

  func failure(_ answer: EngineReply, doing: String) -> StepFailure {
    let message = answer.message
    if answer.isLost {
      return answer.isAbsent
        ? StepFailure(engine: "no engine answers at \(address) (\(source)): \(message)")
        : StepFailure(engine: "the connection to the engine at \(address) was lost: \(message)")
    }
    if message.contains("no space left on device") || message.contains("disk quota exceeded") {
      return StepFailure(engine: "the disk of the engine at \(address) is full: \(message)")
    }
    let reason = "the engine at \(address) could not \(doing): \(message)"
    // The step is at fault only where the engine says that the request is wrong.
    let isRefusal = (300..<500).contains(answer.status) && answer.status != 408 && answer.status != 429
    // Where the image has no such user, engines answer with a status of their own troubles.
    let hasNoUser = message.contains("unable to find user") || message.contains("no matching entries in")
    return isRefusal || hasNoUser ? StepFailure(reason) : StepFailure(engine: reason)
  }

  /// The failure of the first call, before which nobody knew whether there is an engine and how it is to be spoken to.
  func firstFailure(_ answer: borrowing HTTPAnswer) -> StepFailure {
    guard answer.failure != nil else {
      let advice = answer.message.contains("HTTPS") ? " (certificates are given by \"cert_path\")" : ""
      return StepFailure(engine: "the engine at \(address) (\(source)) refused the request: \(answer.message)\(advice)")
    }
    let failure = failure(answer, doing: "answer a ping")
    guard !answer.isUnreachable, let directory = peer.certificates else { return failure }
    // With TLS 1.3 a client learns of its refusal only by a connection that breaks.
    return StepFailure(
      engine: "\(failure.reason); if it uses TLS, it may not accept the certificate in \(directory)")
  }
}
