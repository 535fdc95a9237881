package import FWBase

/// What is known of the engine that runs the commands of a step; `engine` in its result.
package protocol EngineFacts {
  func write(to writer: inout JSONWriter)
  func masked(by secrets: Secrets) -> any EngineFacts
  /// What was asked, for whoever has to find out why it failed.
  var tried: [String] { get }
}
