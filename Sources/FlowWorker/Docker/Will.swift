internal import CFlowShims

/// What a monitor tells the engine when this process is gone, or has let go of a step without waiting for it: to
/// stop and remove the step's containers. The requests wait ready at a connection of their own (keeper.h,
/// FWK_WILL), so it works after SIGKILL, too.
final class Will {
  private var channel: Channel?

  /// - Parameter connection: to the engine, without TLS; the caller closes its own.
  init(_ connection: Int32) throws(SpawnFailure) {
    guard let keepers = Keepers.shared else { throw .noMemory }
    // A monitor that waits for work may have been killed meanwhile: the next one then.
    for _ in 0..<20 {
      let channel = try keepers.channel()
      if fws_channel_will(channel.fd, connection, "", 0) == 0 {
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
    _ = fws_channel_will(channel.fd, -1, text, text.utf8.count)
  }

  /// All is removed: nothing is to be done.
  func revoke() {
    guard let channel else { return }
    self.channel = nil
    if fws_channel_stop(channel.fd) == 0 { channel.release() }
  }
}
