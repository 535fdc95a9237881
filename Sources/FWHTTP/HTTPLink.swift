package import CHTTP
internal import CSystem
package import FWBase
internal import FWSystem
internal import Glibc

/// Where a server listens, and what is needed to speak with it.
package struct HTTPPeer: Hashable, Sendable {
  /// The path of a Unix socket.
  package var socket: String?
  /// Such as `http://127.0.0.1:2375`; for a Unix socket a name that nobody looks up.
  package var base: String
  /// A directory with `ca.pem`, `cert.pem` and `key.pem`.
  package var certificates: String?

  package init(socket: String? = nil, base: String, certificates: String? = nil) {
    self.socket = socket
    self.base = base
    self.certificates = certificates
  }

  // Paths are bytes: two of them that look the same are two servers.
  private var identity: [Name?] { [socket.map { Name($0) }, Name(base), certificates.map { Name($0) }] }
  package static func == (one: HTTPPeer, other: HTTPPeer) -> Bool { one.identity == other.identity }
  package func hash(into hasher: inout Hasher) { hasher.combine(identity) }
}

/// What a call may take. Each call says it, so that none waits for ever by an oversight.
package enum HTTPLimit {
  /// Seconds until it is answered, as a whole.
  case answer(Double)
  /// Seconds until the answer begins; what follows may take any time, and be silent.
  case stream(Double)
  /// Seconds until the answer begins; and in which something comes, as long as it goes on.
  case progress(Double, silence: Double)

  fileprivate var limits: fws_http_limits {
    switch self {
    case .answer(let seconds): return fws_http_limits(head: 0, silence: 0, whole: seconds)
    case .stream(let seconds): return fws_http_limits(head: seconds, silence: 0, whole: 0)
    case .progress(let seconds, let silence): return fws_http_limits(head: seconds, silence: silence, whole: 0)
    }
  }
}

/// Connections to one server, and the calls over them. One thread at a time may use it.
package final class HTTPLink {
  let peer: HTTPPeer
  private let raw: OpaquePointer
  /// libcurl uses them as long as the link is there.
  private let texts: [CText]
  private var calls: [ObjectIdentifier: HTTPCall] = [:]
  private var unstarted: [HTTPCall] = []

  package init(_ peer: HTTPPeer) throws(StepFailure) {
    if let missing = fws_http_load() { throw StepFailure(engine: String(cString: missing)) }
    var texts: [CText] = []
    var files: [UnsafePointer<CChar>] = []
    do throws(FlowError) {
      if let directory = peer.certificates {
        for name in ["ca.pem", "cert.pem", "key.pem"] { texts.append(try CText("\(directory)/\(name)")) }
        files = texts.map(\.start)
      }
      if let socket = peer.socket { texts.append(try CText(socket)) }
    } catch { throw .noMemory }
    let socket = peer.socket == nil ? nil : texts.last?.start
    let hasFiles = files.count == 3
    guard
      let raw = fws_http_open(
        socket, hasFiles ? files[0] : nil, hasFiles ? files[1] : nil, hasFiles ? files[2] : nil)
    else { throw StepFailure("a connection to the engine could not be created", errno) }
    self.raw = raw
    self.peer = peer
    self.texts = texts
  }

  deinit {
    // In a process that was forked from the host it is the host's.
    if !fws_is_forked() { fws_http_close(raw) }
  }

  /// Can be read when there is something to do; more descriptors may be watched with it. `fws_fd.lost`: the host has closed
  /// one of the link's, whose calls end, and which is of no use any more.
  package var fd: Int32 {
    let fd = fws_http_fd(raw)
    return fd < 0 ? fws_fd.lost : fd
  }

  package var isLost: Bool { fws_http_fd(raw) < 0 }

  /// A link to the same server that can be used: itself, unless it is lost and its calls have ended.
  package func renewed() throws(StepFailure) -> HTTPLink { isLost && isIdle ? try HTTPLink(peer) : self }

  /// Does what can be done without waiting. What is told of calls is told in here.
  package func advance() {
    fws_http_advance(raw)
    // Those that could not even be begun. What they begin in turn has its own turn.
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

  /// Begins a call; `end` is called once, later.
  ///
  /// - Parameters:
  ///   - path: with its query.
  ///   - limit: what it may take; then it ends with a failure.
  ///   - type: of the body.
  ///   - header: one more header line.
  @discardableResult
  package func call(
    _ method: StaticString, _ path: String, within limit: HTTPLimit, body: consuming ByteBuffer? = nil,
    type: StaticString = "application/json",
    header: String? = nil,
    head: ((Int32) -> Void)? = nil, data: ((Int32, UnsafeRawBufferPointer) -> Void)? = nil,
    end: @escaping (borrowing HTTPAnswer) -> Void
  ) -> HTTPCall {
    let call = HTTPCall(self, head, data, end)
    let content = body == nil ? nil : "Content-Type: \(type)"
    let body = body ?? ByteBuffer()
    // libcurl copies what it is given here.
    let name = UnsafeRawPointer(method.utf8Start).assumingMemoryBound(to: CChar.self)
    keep(
      call,
      fws_http_call(
        raw, name, peer.base + path, content, header, body.start, body.count, limit.limits, HTTPCall.handlers,
        Unmanaged.passUnretained(call).toOpaque()))
    return call
  }

  /// Begins the transfer of a file; `end` is called once, later.
  package func transfer(_ what: fws_transfer, end: @escaping (borrowing HTTPAnswer) -> Void) {
    let call = HTTPCall(self, nil, nil, keepsHeaders: true, end)
    var what = what
    keep(call, fws_http_transfer(raw, &what, HTTPCall.handlers, Unmanaged.passUnretained(call).toOpaque()))
  }

  /// Lets a call end that could not even be made.
  package func fail(_ reason: String, _ end: @escaping (borrowing HTTPAnswer) -> Void) {
    let call = HTTPCall(self, nil, nil, end)
    call.reason = reason
    keep(call, nil)
  }

  /// Makes a connection of its own, which `end` is given; -1: there is none, and why.
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

  fileprivate var revokedLine: Int { fws_http_revoked_line(raw) }

  fileprivate func forget(_ call: HTTPCall) {
    calls[ObjectIdentifier(call)] = nil
    unstarted.removeAll { $0 === call }
  }

  /// Lets go of the caller until all that was begun has been sent, or the seconds have passed.
  package func send(within seconds: Double) {
    let end = fws_monotonic() + seconds
    while !isIdle, calls.values.contains(where: { !$0.isSent }) {
      let left = end - fws_monotonic()
      if left <= 0 { return }
      _ = Waiting(channel: fd).poll(left)
      advance()
    }
  }

  /// Ends all calls without a word.
  package func dropAll() { for call in calls.values { call.drop() } }

  package var isIdle: Bool { calls.isEmpty }
}

/// What came of a call.
package struct HTTPAnswer: ~Copyable {
  /// 0: there was no answer.
  package let status: Int32
  /// Of the engine's API, where the answer says so.
  package let apiVersion: String?
  package let body: ByteBuffer
  /// Why there is no answer, or not all of it.
  package let failure: String?
  /// Nobody could be spoken to.
  package let isAbsent: Bool
  /// There was not even a connection.
  package let isUnreachable: Bool
  /// libcurl's.
  package let code: Int32
  /// Those of a transfer.
  let headers: [HTTPHeader]
  /// Bytes of the file of a transfer that were written or read, and what stopped that.
  package let moved: Int64
  package let fileError: Int32
  /// The line of the file of known hosts that revokes the server's key; 0: none does; -1: it could not be read to its end.
  package let revokedLine: Int

  /// The value of a header line.
  ///
  /// - Parameter name: in small letters.
  package func header(_ name: String) -> String? { headers.last { $0.name.isSame(as: name) }?.value }

  package var isSuccess: Bool { failure == nil && (200..<300).contains(status) }

  /// Reads the body as JSON; `nil` if it is none.
  package func read<T>(_ body: (JSONRef) -> T?) -> T? { (try? JSONText.parse(self.body.bytes))?.read(body) }

  /// What the engine says of an error, in one line.
  package var message: String {
    if let failure { return MessageFormat.foreign(failure, limit: 1000) }
    let said = read { json in json["message"]?.string ?? json["cause"]?.string }
    let text = said ?? String(decoding: body.bytes.prefix(500), as: UTF8.self)
    let line = MessageFormat.foreign(text, limit: 1000)
    return line.isEmpty ? "HTTP status \(status)" : line
  }
}

/// A line of an answer's head.
struct HTTPHeader {
  /// In small letters.
  let name: String
  let value: String
}

/// One exchange.
package final class HTTPCall {
  fileprivate var raw: OpaquePointer?
  private weak var link: HTTPLink?
  private var status: Int32 = 0
  private var apiVersion: String?
  /// Why it was not begun.
  fileprivate var reason: String?
  private var headers: [HTTPHeader] = []
  private let keepsHeaders: Bool
  private var body = ByteBuffer()
  private let onHead: ((Int32) -> Void)?
  private let onData: ((Int32, UnsafeRawBufferPointer) -> Void)?
  private let onEnd: (borrowing HTTPAnswer) -> Void

  /// More than any answer that is read as a whole.
  private static let longestBody = 64 << 20
  /// More than anybody says of an error.
  private static let longestErrorText = 64 << 10

  fileprivate init(
    _ link: HTTPLink, _ head: ((Int32) -> Void)?, _ data: ((Int32, UnsafeRawBufferPointer) -> Void)?,
    keepsHeaders: Bool = false, _ end: @escaping (borrowing HTTPAnswer) -> Void
  ) {
    self.link = link
    self.keepsHeaders = keepsHeaders
    onHead = head
    onData = data
    onEnd = end
  }

  fileprivate var isSent: Bool { raw.map { fws_http_is_sent($0) } ?? true }

  /// Ends the call without a word.
  package func drop() {
    if let raw { fws_http_drop(raw) }
    raw = nil
    link?.forget(self)
  }

  fileprivate func takeLine(_ line: UnsafeRawBufferPointer) {
    if keepsHeaders, let colon = line.firstIndex(of: UInt8(ascii: ":")), headers.count < 100 {
      let value = line[(colon + 1)...].drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
      headers.append(
        HTTPHeader(
          name: String(decoding: line[..<colon], as: UTF8.self).smallLetters,
          value: String(decoding: value, as: UTF8.self)))
    }
    let name: StaticString = "api-version:"
    guard let start = line.baseAddress, line.count > name.utf8CodeUnitCount,
      strncasecmp(start, name.utf8Start, name.utf8CodeUnitCount) == 0
    else { return }
    apiVersion = String(
      decoding: line.dropFirst(name.utf8CodeUnitCount).filter { $0 != UInt8(ascii: " ") }, as: UTF8.self)
  }

  fileprivate func takeHead(_ status: Int32) {
    self.status = status
    onHead?(status)
  }

  /// False: no more is wanted.
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
    let revokedLine = raw == nil ? 0 : link?.revokedLine ?? 0
    raw = nil
    link?.forget(self)
    var taken = ByteBuffer()
    swap(&taken, &body)
    // A complaint that is longer than it needs to be is one all the same.
    let code = code == FWS_HTTP_TOO_LONG && status >= 300 ? 0 : code
    onEnd(
      HTTPAnswer(
        status: status, apiVersion: apiVersion, body: taken, failure: code == 0 ? nil : text,
        isAbsent: code < 0 || fws_http_is_absent(code),
        isUnreachable: code < 0 || fws_http_is_unreachable(code), code: code, headers: headers, moved: moved,
        fileError: fileError, revokedLine: revokedLine))
  }

  /// For libcurl's side: each is given the call. A link keeps its calls until they have ended.
  nonisolated(unsafe) fileprivate static let handlers: UnsafePointer<fws_http_handlers> = {
    let memory = UnsafeMutablePointer<fws_http_handlers>.allocate(capacity: 1)
    memory.initialize(
      to: fws_http_handlers(
        line: { owner, text, size in
          call(owner).takeLine(UnsafeRawBufferPointer(start: text, count: size))
        },
        head: { owner, status in call(owner).takeHead(status) },
        data: { owner, status, bytes, size in
          return call(owner).takeData(status, UnsafeRawBufferPointer(start: bytes, count: size))
        },
        end: { owner, code, text, moved, error in
          call(owner).finish(code: code, String(cString: text), moved: moved, fileError: error)
        }))
    return UnsafePointer(memory)
  }()

  private static func call(_ owner: UnsafeMutableRawPointer) -> HTTPCall {
    Unmanaged<HTTPCall>.fromOpaque(owner).takeUnretainedValue()
  }
}
