internal import CFlowShims

/// What a monitor tells the engine when this process is gone, or has let go of a step without waiting for it: to
/// stop and remove the step's containers. The monitor has the requests (keeper.h, FWK_WILL), so it works after
/// SIGKILL, too.
final class Will {
  private var channel: Channel?
  private var address: fws_address

  /// - Parameter address: of the engine, which must not need TLS.
  init(_ address: fws_address) throws(SpawnFailure) {
    guard let keepers = Keepers.shared else { throw .noMemory }
    self.address = address
    // A monitor that waits for work may have been killed meanwhile: the next one then.
    for _ in 0..<20 {
      let channel = try keepers.channel()
      if fws_channel_will(channel.fd, &self.address, "", 0) == 0 {
        self.channel = channel
        return
      }
    }
    throw SpawnFailure("the keeper process does not answer")
  }

  /// - Parameters:
  ///   - base: the beginning of the paths, with the API's version.
  ///   - grace: seconds between TERM and KILL.
  func write(_ containers: [String], base: String, grace: Double) {
    guard let channel else { return }
    var text = ""
    for (index, name) in containers.enumerated() {
      let end = index + 1 == containers.count ? "Connection: close\r\n" : ""
      let seconds = Int(grace.rounded(.up))
      text += "POST \(base)/containers/\(name)/stop?t=\(seconds) HTTP/1.1\r\nHost: engine\r\nContent-Length: 0\r\n\r\n"
      text += "DELETE \(base)/containers/\(name)?force=1&v=1 HTTP/1.1\r\nHost: engine\r\n\(end)\r\n"
    }
    // One that does not arrive is one of a monitor that was killed: the next step finds what is left by its label.
    _ = fws_channel_will(channel.fd, &address, text, text.utf8.count)
  }

  /// Has the monitor do it now: the containers' commands have ended.
  func execute(_ containers: [String], base: String) {
    guard let channel else { return }
    var text = ""
    // Twice: an engine may be busy with a container for a moment. One that has gone is no concern.
    for name in containers + containers {
      text += "DELETE \(base)/containers/\(name)?force=1&v=1 HTTP/1.1\r\nHost: engine\r\n\r\n"
    }
    text += "GET \(base)/_ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n"
    _ = fws_channel_will(channel.fd, &address, text, text.utf8.count)
    // The monitor sees that it is let go of, and does what was last told.
    self.channel = nil
  }

  /// All is removed: nothing is to be done.
  func revoke() {
    guard let channel else { return }
    self.channel = nil
    if fws_channel_stop(channel.fd) == 0 { channel.release() }
  }
}
