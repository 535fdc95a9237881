package import CHTTP
internal import CSystem
package import FWBase
internal import FWSystem
internal import Glibc

/// The address of a server, and what a connection to it needs.
package struct HTTPPeer: Hashable, Sendable {
  /// The path of a Unix socket.
  package var socket: String?
  /// The beginning of each URL, such as `http://127.0.0.1:2375`. For a Unix socket the host name is never looked up.
  package var base: String
  /// The directory with `ca.pem`, `cert.pem` and `key.pem`; `nil` for the system's certificates.
  package var certificates: String?

  package init(socket: String? = nil, base: String, certificates: String? = nil) {
    self.socket = socket
    self.base = base
    self.certificates = certificates
  }

  /// Whether connections to it use TLS.
  package var hasTLS: Bool { certificates != nil || base.begins(with: "https") }

  // Paths are bytes. Two paths that only look the same belong to two servers.
  private var identity: [Name?] { [socket.map { Name($0) }, Name(base), certificates.map { Name($0) }] }
  package static func == (one: HTTPPeer, other: HTTPPeer) -> Bool { one.identity == other.identity }
  package func hash(into hasher: inout Hasher) { hasher.combine(identity) }
}

/// The time limits of a call. Each call has to state them, so that no call waits forever by an oversight.
package enum HTTPLimit {
  /// The whole answer has to arrive within this number of seconds.
  case answer(Double)
  /// The answer has to begin within this number of seconds. The rest may take any time, and may pause.
  case stream(Double)
  /// The answer has to begin within the first number of seconds. After that, some data has to arrive within each period
  /// of `silence` seconds.
  case progress(Double, silence: Double)

  fileprivate var limits: fws_http_limits {
    switch self {
    case .answer(let seconds): return fws_http_limits(head: 0, silence: 0, whole: seconds)
    case .stream(let seconds): return fws_http_limits(head: seconds, silence: 0, whole: 0)
    case .progress(let seconds, let silence): return fws_http_limits(head: seconds, silence: silence, whole: 0)
    }
  }
}

/// The connections to one server, and the calls over them. One thread at a time may use a link.
package final class HTTPLink {
  let peer: HTTPPeer
  private let raw: OpaquePointer
  private let connections: Int
  /// The texts that libcurl uses as long as the link exists.
  private let texts: [CText]
  private var calls: [ObjectIdentifier: HTTPCall] = [:]
  private var unstarted: [HTTPCall] = []

  /// - Parameter connections: the number of connections that are kept for later calls.
  package init(_ peer: HTTPPeer, keeping connections: Int = 4) throws(StepFailure) {
    let missing = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer -> String? in
      guard let why = buffer.baseAddress else { return "there is not enough memory to load libcurl" }
      return fws_http_load(why, buffer.count) ? nil : String(cString: why)
    }
    if let missing { throw StepFailure(engine: missing) }
    var texts: [CText] = []
    func text(_ text: String) throws(StepFailure) -> UnsafePointer<CChar> {
      guard let text = try? CText(text) else { throw .noMemory }
      texts.append(text)
      return text.start
    }
    // The directory has the certificate of a client only if the server asks for one. Without a "ca.pem", the system's
    // certificates are used.
    func file(_ name: String) throws(StepFailure) -> UnsafePointer<CChar>? {
      guard let directory = peer.certificates else { return nil }
      let path = try text("\(directory)/\(name)")
      return access(path, F_OK) == 0 ? path : nil
    }
    let (authority, certificate, key) = (try file("ca.pem"), try file("cert.pem"), try file("key.pem"))
    if let directory = peer.certificates, authority == nil, certificate == nil, key == nil {
      throw StepFailure(
        engine:
          "there is no \"ca.pem\", \"cert.pem\" or \"key.pem\" in \(MessageFormat.path(directory)), which TLS needs")
    }
    guard let raw = fws_http_open(try peer.socket.map(text), authority, certificate, key, connections) else {
      throw StepFailure("a connection to the engine could not be created", errno)
    }
    self.raw = raw
    self.peer = peer
    self.connections = connections
    self.texts = texts
  }

  deinit {
    // In a process that was forked from the host, the connections belong to the host.
    if !fws_is_forked() { fws_http_close(raw) }
  }

  /// A descriptor that becomes readable when there is something to do. Other descriptors may be watched with it. It is
  /// `fws_fd.lost` if the host has closed a descriptor of the link; the calls of such a link end, and it cannot be used
  /// again.
  package var fd: Int32 {
    let fd = fws_http_fd(raw)
    return fd < 0 ? fws_fd.lost : fd
  }

  package var isLost: Bool { fws_http_fd(raw) < 0 }

  /// A usable link to the same server: this link itself, or a new link if this one is lost and its calls have ended.
  package func renewed() throws(StepFailure) -> HTTPLink {
    isLost && isIdle ? try HTTPLink(peer, keeping: connections) : self
  }

  /// Does all work that needs no waiting. The handlers of calls run in here.
  package func advance() {
    fws_http_advance(raw)
    // These calls could not be started. Calls that their handlers start are not handled in this loop, but by the next
    // `advance`.
    for _ in 0..<unstarted.count {
      guard let call = unstarted.popLast() else { break }
      if let reason = call.reason {
        call.finish(code: -1, reason)
      } else if isLost {
        call.finish(code: FWS_HTTP_LOST, FWS_HTTP_LOST_TEXT)
      } else {
        call.finish(code: -1, "there is not enough memory for it")
      }
    }
    withExtendedLifetime(self) {}
  }

  /// Starts a call. `end` is called once, in a later `advance`.
  ///
  /// - Parameters:
  ///   - path: the path with its query.
  ///   - limit: the time limits. A call that exceeds them ends with a failure.
  ///   - type: the media type of the body.
  ///   - header: an additional header line.
  ///   - room: makes the call one whose connection the server takes over (`HTTPCall.send`). It is called when there is
  ///     room after `HTTPCall.awaitRoom`.
  @discardableResult
  package func call(
    _ method: StaticString, _ path: String, within limit: HTTPLimit, body: consuming ByteBuffer? = nil,
    type: StaticString = "application/json",
    header: String? = nil,
    head: ((Int32) -> Void)? = nil, data: ((Int32, UnsafeRawBufferPointer) -> Void)? = nil,
    room: (() -> Void)? = nil, end: @escaping (borrowing HTTPAnswer) -> Void
  ) -> HTTPCall {
    let call = HTTPCall(self, head, data, room: room, end)
    let content = body == nil ? nil : "Content-Type: \(type)"
    let body = body ?? ByteBuffer()
    // libcurl copies all texts that are passed to this call.
    let name = UnsafeRawPointer(method.utf8Start).assumingMemoryBound(to: CChar.self)
    keep(
      call,
      fws_http_call(
        raw, name, peer.base + path, content, header, body.start, body.count, limit.limits, HTTPCall.handlers,
        Unmanaged.passUnretained(call).toOpaque()))
    if room != nil, let raw = call.raw { fws_http_take_over(raw) }
    return call
  }

  /// Starts the transfer of a file. `end` is called once, in a later `advance`.
  @discardableResult
  package func transfer(_ request: fws_transfer, end: @escaping (borrowing HTTPAnswer) -> Void) -> HTTPCall {
    let call = HTTPCall(self, nil, nil, keepsHeaders: true, end)
    var request = request
    keep(call, fws_http_transfer(raw, &request, HTTPCall.handlers, Unmanaged.passUnretained(call).toOpaque()))
    return call
  }

  /// Reports the failure of a call that could not be made.
  @discardableResult
  package func fail(_ reason: String, _ end: @escaping (borrowing HTTPAnswer) -> Void) -> HTTPCall {
    let call = HTTPCall(self, nil, nil, end)
    call.reason = reason
    keep(call, nil)
    return call
  }

  /// Makes a connection of its own, and passes its descriptor to `end`. The descriptor is -1 if there is no connection;
  /// the answer then says why.
  package func connect(end: @escaping (Int32, borrowing HTTPAnswer) -> Void) {
    let raw = raw
    let call = HTTPCall(self, nil, nil) { answer in end(fws_http_take(raw), answer) }
    keep(call, fws_http_connect(raw, peer.base, HTTPCall.handlers, Unmanaged.passUnretained(call).toOpaque()))
  }

  private func keep(_ call: HTTPCall, _ started: OpaquePointer?) {
    call.raw = started
    calls[ObjectIdentifier(call)] = call
    guard started == nil else { return }
    unstarted.insert(call, at: 0)
    fws_http_wake(raw)
  }

  fileprivate func forget(_ call: HTTPCall) {
    calls[ObjectIdentifier(call)] = nil
    unstarted.removeAll { $0 === call }
  }

  /// Waits until all started requests have been sent, or the number of seconds has passed.
  package func send(within seconds: Double) {
    let end = fws_monotonic() + seconds
    while !isIdle, calls.values.contains(where: { !$0.isSent }) {
      let left = end - fws_monotonic()
      if left <= 0 { return }
      _ = Waiting(channel: fd).poll(left)
      advance()
    }
  }

  /// Ends all calls. Their handlers are not called.
  package func dropAll() { for call in calls.values { call.drop() } }

  package var isIdle: Bool { calls.isEmpty }
}

/// The result of a call.
package struct HTTPAnswer: ~Copyable {
  /// The HTTP status; 0 if there was no answer.
  package let status: Int32
  /// The version of the engine's API, if the answer names it.
  package let apiVersion: String?
  /// Whether the answer says that the engine is Podman.
  package let isPodman: Bool
  package let body: ByteBuffer
  /// Why the answer is missing or incomplete; `nil` if it is complete.
  package let failure: String?
  /// Whether no server could be talked to: there was no connection, or TLS failed.
  package let isAbsent: Bool
  /// Whether no connection could be made.
  package let isUnreachable: Bool
  /// The header lines of a transfer. They are empty for a call.
  let headers: [HTTPHeader]
  /// The number of bytes that a transfer has written to the file, or read from it.
  package let moved: Int64
  /// The errno that stopped the writing or reading of the file; 0 if nothing did.
  package let fileError: Int32

  /// The value of a header line.
  ///
  /// - Parameter name: the name in lower case.
  package func header(_ name: String) -> String? { headers.last { $0.name.isSame(as: name) }?.value }

  package var isSuccess: Bool { failure == nil && (200..<300).contains(status) }

  /// Reads the body as JSON; `nil` if it is not JSON.
  package func read<T>(_ body: (JSONRef) -> T?) -> T? { (try? JSONText.parse(self.body.bytes))?.read(body) }

  /// The engine's text about an error, in one line.
  package var message: String {
    if let failure { return MessageFormat.foreign(failure, limit: 1000) }
    let errorText = read { json in json["message"]?.string ?? json["cause"]?.string }
    let text = errorText ?? String(decoding: body.bytes.prefix(500), as: UTF8.self)
    let line = MessageFormat.foreign(text, limit: 1000)
    return line.isEmpty ? "HTTP status \(status)" : line
  }
}

/// One call and its handlers.
package final class HTTPCall {
  fileprivate var raw: OpaquePointer?
  private weak var link: HTTPLink?
  private var status: Int32 = 0
  private var head: HTTPHead
  /// Why the call was not started; `nil` if it was.
  fileprivate var reason: String?
  private var body = ByteBuffer()
  private let onHead: ((Int32) -> Void)?
  private let onData: ((Int32, UnsafeRawBufferPointer) -> Void)?
  private let onRoom: (() -> Void)?
  private let onEnd: (borrowing HTTPAnswer) -> Void

  /// The longest answer that is read as a whole, in bytes.
  private static let longestBody = 64 << 20
  /// The longest text about an error, in bytes.
  private static let longestErrorText = 64 << 10

  fileprivate init(
    _ link: HTTPLink, _ head: ((Int32) -> Void)?, _ data: ((Int32, UnsafeRawBufferPointer) -> Void)?,
    room: (() -> Void)? = nil, keepsHeaders: Bool = false, _ end: @escaping (borrowing HTTPAnswer) -> Void
  ) {
    self.link = link
    self.head = HTTPHead(keepsLines: keepsHeaders)
    onHead = head
    onData = data
    onRoom = room
    onEnd = end
  }

  fileprivate var isSent: Bool { raw.map { fws_http_is_sent($0) } ?? true }

  /// Lets the call end with a failure if its answer is not complete within this number of seconds.
  package func limit(_ seconds: Double) {
    if let raw { fws_http_limit(raw, seconds) }
  }

  // MARK: A connection that the server takes over

  /// Sends bytes behind the request, without waiting. They may be sent from the moment at which `head` is called. The
  /// connection must be one without TLS.
  ///
  package func send(_ bytes: UnsafeRawBufferPointer) -> Sent {
    guard let raw, let start = bytes.baseAddress else { return .refused }
    let count = fws_http_send(raw, start, bytes.count)
    if count >= 0 { return .taken(Int(count)) }
    return count == -Int64(EPIPE) ? .refused : .failed(Int32(clamping: -count))
  }

  package enum Sent {
    /// The number of bytes that were taken, which is 0 if there is no room now.
    case taken(Int)
    /// The other side takes no more.
    case refused
    /// The system could not send them. The case has the errno.
    case failed(Int32)
  }

  /// Lets `room` be called once, in a later `advance`, when there is room for more bytes.
  package func awaitRoom() { if let raw { fws_http_await_room(raw) } }

  /// Ends what is sent. The answer goes on.
  package func endSending() { if let raw { fws_http_end_sending(raw) } }

  /// Ends the call. Its handlers are not called.
  package func drop() {
    if let raw { fws_http_drop(raw) }
    raw = nil
    link?.forget(self)
  }

  fileprivate func takeHead(_ status: Int32) {
    self.status = status
    onHead?(status)
  }

  /// Takes a piece of the body. Returns false if no more data is wanted.
  fileprivate func takeData(_ status: Int32, _ bytes: UnsafeRawBufferPointer) -> Bool {
    self.status = status
    let isSuccess = (200..<300).contains(status)
    if let onData, isSuccess {
      onData(status, bytes)
      return true
    }
    let limit = isSuccess || status == 0 ? HTTPCall.longestBody : HTTPCall.longestErrorText
    body.append(UnsafeRawBufferPointer(rebasing: bytes.prefix(limit - body.count)))
    return body.count < limit
  }

  fileprivate func finish(code: Int32, _ text: String, moved: Int64 = 0, fileError: Int32 = 0) {
    raw = nil
    link?.forget(self)
    var taken = ByteBuffer()
    swap(&taken, &body)
    // An error message that is too long is cut off, and is still an error message.
    let code = code == FWS_HTTP_TOO_LONG && status >= 300 ? 0 : code
    // libcurl reports no error if the connection is closed within the head.
    let failure = code != 0 ? text : status == 0 ? "the connection was closed within the head of the answer" : nil
    onEnd(
      HTTPAnswer(
        status: status, apiVersion: head.apiVersion, isPodman: head.isPodman, body: taken, failure: failure,
        isAbsent: code < 0 || fws_http_is_absent(code),
        isUnreachable: code < 0 || fws_http_is_unreachable(code), headers: head.lines, moved: moved,
        fileError: fileError))
  }

  /// The functions that libcurl's side calls. Each gets the call, which its link keeps until the call has ended.
  nonisolated(unsafe) fileprivate static let handlers: UnsafePointer<fws_http_handlers> = {
    let memory = UnsafeMutablePointer<fws_http_handlers>.allocate(capacity: 1)
    memory.initialize(
      to: fws_http_handlers(
        line: { owner, text, size in
          call(owner).head.take(UnsafeRawBufferPointer(start: text, count: size))
        },
        head: { owner, status in call(owner).takeHead(status) },
        data: { owner, status, bytes, size in
          return call(owner).takeData(status, UnsafeRawBufferPointer(start: bytes, count: size))
        },
        end: { owner, code, text, moved, error in
          call(owner).finish(code: code, String(cString: text), moved: moved, fileError: error)
        },
        room: { owner in call(owner).onRoom?() }))
    return UnsafePointer(memory)
  }()

  private static func call(_ owner: UnsafeMutableRawPointer) -> HTTPCall {
    Unmanaged<HTTPCall>.fromOpaque(owner).takeUnretainedValue()
  }
}
