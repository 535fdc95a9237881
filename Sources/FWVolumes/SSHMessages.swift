internal import FWBase

/// What ssh says on its standard error: the reason why a connection ended.
struct SSHMessages: ~Copyable {
  private var text = ByteBuffer()

  /// The most bytes that are kept. What comes last is the reason.
  private static let longest = 16 << 10

  mutating func take(_ bytes: UnsafeRawBufferPointer) {
    text.append(bytes)
    if text.count > 2 * SSHMessages.longest { text.removeFirst(text.count - SSHMessages.longest) }
  }

  /// The reason as one line; `nil` if ssh has said nothing.
  ///
  /// - Parameter isReady: whether the session had begun. Then a key was accepted, and a user let in.
  func reason(_ server: SSHServer, isReady: Bool) -> String? {
    let lines = String(decoding: text.bytes, as: UTF8.self).pieces(at: "\n")
      .map { String($0.without(suffix: "\r") ?? $0) }.filter { !$0.isEmpty }
    guard let last = lines.last(where: { !$0.begins(with: "Host key verification failed") }) else { return nil }
    func first(_ part: String) -> String? { lines.first { $0.contains(part) } }
    if isReady { return last }
    if first("REVOKED HOST KEY DETECTED") != nil {
      return "the key of the server is revoked (@revoked) in \(server.hostKeyFiles): \(last)"
    }
    if let entry = first("Offending ") {
      return "the key of the server is not the one in \(server.hostKeyFiles): \(last) \(entry)"
    }
    if first("host key is known for") != nil {
      return "the key of the server has no entry in \(server.hostKeyFiles) (\"ssh-keyscan\" gives one; compare it with "
        + "what the server's owner publishes): \(last)"
    }
    if last.contains("Permission denied") || last.contains("Too many authentication failures") {
      // Problems with keys are reported before.
      let keys = lines.dropLast().filter { $0.begins(with: "Load key ") || $0.begins(with: "Permissions ") }
      return ([last] + keys.prefix(3) + [server.loginHint]).joined(separator: "; ")
    }
    if last.contains("subsystem request failed") { return "the server offers no SFTP: \(last)" }
    return last
  }
}
