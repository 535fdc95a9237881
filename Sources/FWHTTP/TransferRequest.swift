package import CHTTP
package import FWBase

/// What a transfer is to do, in the words of C: the texts live as long as this does.
package final class TransferRequest {
  package private(set) var what = fws_transfer()
  private var texts: [CText] = []
  private var lists: [UnsafeMutablePointer<UnsafePointer<CChar>?>] = []

  /// - Parameters:
  ///   - timeout: seconds that a connection may take.
  ///   - silence: seconds without a byte after which a transfer has failed; and in which a question is answered.
  package init(_ url: String, timeout: Double, silence: Double = 60) throws(StepFailure) {
    what.content = -1
    what.timeout = timeout
    // A connection that may take longer is no silence.
    what.limits.silence = max(silence, timeout)
    what.limits.whole = what.limits.silence
    what.url = try text(url)
  }

  deinit { for list in lists { list.deallocate() } }

  private func text(_ text: String) throws(StepFailure) -> UnsafePointer<CChar> {
    guard let kept = try? CText(text) else { throw .noMemory }
    texts.append(kept)
    return kept.start
  }

  /// - Parameter lines: text without NUL.
  private func list(_ lines: [[UInt8]]) throws(StepFailure) -> UnsafePointer<UnsafePointer<CChar>?> {
    let list = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(capacity: lines.count + 1)
    list.initialize(repeating: nil, count: lines.count + 1)
    lists.append(list)
    for (index, line) in lines.enumerated() {
      guard let kept = line.withCString({ try? CText(copying: $0) }) else { throw .noMemory }
      texts.append(kept)
      list[index] = kept.start
    }
    return UnsafePointer(list)
  }

  package func sign(_ kind: String, user: String, key: String) throws(StepFailure) {
    what.signature = try text(kind)
    what.user = try text(user)
    what.password = try text(key)
  }

  package func headers(_ lines: [String]) throws(StepFailure) { what.headers = try list(lines.map { Array($0.utf8) }) }

  package func head() { what.is_head = true }

  package func receive(into fd: Int32) {
    what.content = fd
    what.limits.whole = 0
  }

  package func send(_ fd: Int32, size: Int64) {
    what.content = fd
    what.is_upload = true
    what.limits.whole = 0
    what.size = size
  }

  /// Who the user of an SSH server is.
  package func login(
    user: String, password: String?, key: String?, passphrase: String?, usesAgent: Bool, knownHosts: String,
    host: String, port: Int
  )
    throws(StepFailure)
  {
    what.user = try text(user)
    if let password { what.password = try text(password) }
    if let key { what.private_key = try text(key) }
    if let passphrase { what.passphrase = try text(passphrase) }
    what.uses_agent = usesAgent
    what.known_hosts = try text(knownHosts)
    // The listing of a folder may be long.
    what.limits.whole = 0
    what.host = try text(host)
    what.port = port
  }

  /// Commands of SFTP, and the permissions of a new file.
  package func commands(before: [[UInt8]] = [], behind: [[UInt8]] = [], mode: UInt32 = 0o600) throws(StepFailure) {
    if !before.isEmpty { what.before = try list(before) }
    if !behind.isEmpty { what.behind = try list(behind) }
    what.mode = mode
  }
}
