internal import CSupervisorClient
internal import CSystem
internal import FWBase
internal import FWProcess

/// What a monitor tells the engine when this process is gone, or has let go of a step without waiting for it: to
/// stop and remove the step's containers. The monitor has the requests (supervisor.h, FWSV_CLEANUP), so it works after
/// SIGKILL, too.
final class CleanupRequest {
  private var channel: Channel?
  private var address: fws_address

  /// - Parameter address: of the engine, which must not need TLS.
  init(_ address: fws_address) throws(StepFailure) {
    guard let supervisors = Supervisors.shared else { throw .noMemory }
    self.address = address
    // A monitor that waits for work may have been killed meanwhile: the next one then.
    for _ in 0..<20 {
      let channel = try supervisors.channel()
      if fws_channel_cleanup(channel.number, &self.address, "", 0) == 0 {
        self.channel = channel
        return
      }
    }
    throw StepFailure("the supervisor process does not answer")
  }

  /// Seconds that an engine may take for a creation whose asker has gone.
  private static let creationTimeout = 10.0

  /// - Parameters:
  ///   - creating: those whose creation has not been answered.
  ///   - base: the beginning of the paths, with the API's version.
  ///   - grace: seconds between TERM and KILL.
  func write(_ containers: [String], creating: Set<String>, base: String, grace: Double) {
    guard let channel else { return }
    var text = ""
    let seconds = Int(grace.rounded(.up))
    for name in containers where !creating.contains(name) {
      text += "POST \(base)/containers/\(name)/stop?t=\(seconds) HTTP/1.1\r\nHost: engine\r\nContent-Length: 0\r\n\r\n"
      text += CleanupRequest.removal(of: name, base)
    }
    if !creating.isEmpty {
      for name in creating { text += CleanupRequest.removal(of: name, base) }
      // Such a one may be made after that, though nobody waits for it. The answer to this takes until then.
      let end = Int(fws_wall() + CleanupRequest.creationTimeout)
      text +=
        "GET \(base)/events?until=\(end)&filters=%7B%22event%22%3A%5B%22oom%22%5D%7D HTTP/1.1\r\nHost: engine\r\n\r\n"
      for name in creating { text += CleanupRequest.removal(of: name, base) }
    }
    if !text.isEmpty { text += CleanupRequest.farewell(base) }
    // One that does not arrive is one of a monitor that was killed: the next step finds what is left by its label.
    if channel.isOurs { _ = fws_channel_cleanup(channel.number, &address, text, text.utf8.count) }
  }

  private static func removal(of name: String, _ base: String) -> String {
    "DELETE \(base)/containers/\(name)?force=1&v=1 HTTP/1.1\r\nHost: engine\r\n\r\n"
  }

  /// The last request: the engine closes the connection behind its answer.
  private static func farewell(_ base: String) -> String {
    "GET \(base)/_ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n"
  }

  /// Has the monitor do it now: the containers' commands have ended.
  func execute(_ containers: [String], base: String) {
    guard let channel else { return }
    var text = ""
    // Twice: an engine may be busy with a container for a moment. One that has gone is no concern.
    for name in containers + containers { text += CleanupRequest.removal(of: name, base) }
    text += CleanupRequest.farewell(base)
    if channel.isOurs { _ = fws_channel_cleanup(channel.number, &address, text, text.utf8.count) }
    // The monitor sees that it is let go of, and does what was last told.
    self.channel = nil
  }

  /// All is removed: nothing is to be done.
  func revoke() {
    guard let channel else { return }
    self.channel = nil
    if channel.stop() { channel.release() }
  }
}
