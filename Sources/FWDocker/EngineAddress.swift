internal import FWBase
internal import FWHTTP

/// The address of an engine, in the form of `DOCKER_HOST` and of the CLI's contexts.
struct EngineAddress: Equatable {
  /// The text of the address.
  let text: String
  /// The path of the Unix socket; `nil` for a TCP address.
  let socket: String?
  /// The host and the port: `HOST:PORT`.
  let authority: String
  /// Whether the address itself requires TLS, by the scheme `https`.
  let needsTLS: Bool

  enum Fault: Error {
    case unknown(String)
    case ssh(String)

    var text: String {
      switch self {
      case .unknown(let address):
        let advice =
          address.begins(with: "/")
          ? MessageFormat.quoted("unix://\(address)", limit: 200)
          : "unix:///PATH or tcp://HOST:PORT"
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
    guard let address = rest("tcp://") ?? rest("http://") ?? rest("https://") else { throw .unknown(text) }
    guard let authority = EngineAddress.authority(address, defaultPort: isSecure ? 2376 : 2375) else {
      throw .unknown(text)
    }
    socket = nil
    self.authority = authority
    needsTLS = isSecure
  }

  /// Reads DOCKER_HOST, which may have spaces around it, and lack parts: the docker CLI takes `HOST` as `tcp://HOST`,
  /// and `unix://` and `tcp://` as the address where an engine listens by default.
  init(variable: String) throws(Fault) {
    func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
    let bytes = variable.utf8.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
    var text = String(decoding: Array(bytes), as: UTF8.self)
    if text.isSame(as: "unix://") { text = "unix:///var/run/docker.sock" }
    let hasScheme = text.contains("://") || text.begins(with: "/") || text.begins(with: "unix:")
    var address = text
    if let host = hasScheme ? text.without(prefix: "tcp://") : text[...] {
      address = "tcp://" + (host.isEmpty || host.begins(with: ":") ? "localhost" : "") + host
    }
    try self.init(address)
  }

  /// The host and the port of an address; `nil` if the text is no address.
  private static func authority(_ text: String, defaultPort: Int) -> String? {
    var rest = text[...]
    while let shorter = rest.without(suffix: "/") { rest = shorter }
    var host = rest
    var port = "\(defaultPort)"
    // The colons of an IPv6 address are within brackets.
    if let (before, behind) = rest.cut(atLast: ":"), !behind.contains("]") {
      host = before
      if !behind.isEmpty { port = String(behind) }
    }
    guard let number = Int(port), (1...65_535).contains(number), port.utf8.count <= 5 else { return nil }
    let isAddress = host.begins(with: "[") && host.ends(with: "]")
    let isPlain = host.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
        return true
      case UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"): return isAddress
      default: return false
      }
    }
    return isPlain && !host.isEmpty ? "\(host):\(number)" : nil
  }
}

/// The engine of a step, and the parameters of the connection to it.
struct EngineEndpoint: Sendable {
  var peer: HTTPPeer
  /// The address in the form of its source, for messages and results.
  var address: String
  /// The source of the address, for messages.
  var source: String
  /// The number of seconds that the engine may take to answer.
  var timeout = DockerOptions.defaultTimeout
  /// What the user should know about the configuration of the docker CLI.
  var notes: [String] = []

  /// - Parameter certificates: the directory of the certificates, which a Unix socket does not need.
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
    // The step is at fault only if the engine says that the request is wrong.
    let isRefusal = (300..<500).contains(answer.status) && answer.status != 408 && answer.status != 429
    // If the image does not have the user, engines answer with the status of an internal error.
    let hasNoUser = message.contains("unable to find user") || message.contains("no matching entries in")
    return isRefusal || hasNoUser ? StepFailure(reason) : StepFailure(engine: reason)
  }

  /// The failure of the first call. Before this call it is not known whether there is an engine, and whether it uses
  /// TLS.
  func firstFailure(_ answer: borrowing HTTPAnswer) -> StepFailure {
    guard answer.failure != nil else {
      let advice = answer.message.contains("HTTPS") ? " (certificates are given by \"cert_path\")" : ""
      return StepFailure(engine: "the engine at \(address) (\(source)) refused the request: \(answer.message)\(advice)")
    }
    let failure = failure(answer, doing: "answer a ping")
    guard !answer.isUnreachable, let directory = peer.certificates else { return failure }
    // With TLS 1.3 a client notices that its certificate was refused only by a broken connection.
    return StepFailure(
      engine: "\(failure.reason); if it uses TLS, it may not accept the certificate in \(directory)")
  }
}
