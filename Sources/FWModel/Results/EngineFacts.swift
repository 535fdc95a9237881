package import FWBase

/// The facts about the engine that runs the commands of a step, which are `engine` in its result.
package protocol EngineFacts {
  func write(to writer: inout JSONWriter)
  func masked(by secrets: Secrets) -> any EngineFacts
  /// What was tried to reach the engine, for whoever has to find out why it failed.
  var tried: [String] { get }
}
