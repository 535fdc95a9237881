internal import FWBase
internal import Glibc

/// The environment of a program as the shell would pass it on.
final class DirectEnvironment {
  let environment: TextBlock
  /// What it was made from.
  private var source = ByteBuffer()
  private let pwd: String

  /// Gives `nil` if only the shell knows the environment, or if there is no memory.
  ///
  /// - Parameter pwd: the working directory as the shell names it.
  init?(_ environment: borrowing TextBlock, pwd: String) {
    guard let own = DashShell.environment(environment, pwd: pwd) else { return nil }
    self.environment = own
    self.pwd = pwd
    source.append(environment.texts.bytes)
    if source.isExhausted { return nil }
  }

  /// Whether the same would be made from this.
  func isMade(from environment: borrowing TextBlock, pwd: String) -> Bool {
    let (own, other) = (source.bytes, environment.texts.bytes)
    guard own.count == other.count, self.pwd.isSame(as: pwd) else { return false }
    guard let one = own.baseAddress, let two = other.baseAddress else { return own.isEmpty }
    return memcmp(one, two, own.count) == 0
  }
}

/// The environment that the last command of a worker without a shell had. Most commands of a worker have the same, and
/// to make it takes longer than to compare what it is made from.
final class KeptEnvironment: Sendable {
  private let last: Guarded<DirectEnvironment?>

  init() throws(FlowError) { last = try Guarded(nil) }

  func direct(_ environment: borrowing TextBlock, pwd: String) -> DirectEnvironment? {
    let before = last.withLock { $0 }
    if let before, before.isMade(from: environment, pwd: pwd) { return before }
    let made = DirectEnvironment(environment, pwd: pwd)
    last.withLock { $0 = made }
    return made
  }
}
