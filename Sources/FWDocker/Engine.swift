internal import CSystem
internal import FWBase
internal import FWHTTP
internal import FWProcess
internal import FWSystem
internal import Glibc

/// One engine, for all steps of this process that use it.
final class Engine: Sendable {
  let peer: HTTPPeer
  private let state: Guarded<State>

  private struct State {
    /// The newest version of the API that both sides know.
    var version: String?
    /// When the engine told its version.
    var versionTime = -Double.infinity
    var isRootless: Bool?
    /// Links that no step uses. Their connections are kept.
    var idle: [HTTPLink] = []
    /// When leftovers were looked for; negative: never.
    var sweep = -Double.infinity
    /// Containers that could not be removed, and when that was seen.
    var leftovers: [String: Double] = [:]
    /// The work on images that is under way, by the name of the image.
    var jobs: [Name: JobReference] = [:]
  }

  private struct JobReference {
    weak var job: ImageJob?
  }

  private static let maxIdle = 16
  /// Seconds between two looks for leftovers.
  private static let sweepInterval = 60.0
  /// Seconds that an engine may take for a creation that nobody waits for.
  private static let creationTimeout = 60.0

  private init(_ peer: HTTPPeer) throws(FlowError) {
    self.peer = peer
    state = try Guarded(State())
  }

  /// All engines of this process: one for each way to reach an engine.
  private static let all = try? Guarded<[HTTPPeer: Engine]>([:])

  static func at(_ peer: HTTPPeer) throws(StepFailure) -> Engine {
    guard let all else { throw .noMemory }
    do throws(FlowError) {
      return try all.withLock { (engines) throws(FlowError) in
        if let engine = engines[peer] { return engine }
        let engine = try Engine(peer)
        engines[peer] = engine
        return engine
      }
    } catch { throw .noMemory }
  }

  /// Gives a link that the caller has for itself until it gives the link back.
  func link() throws(StepFailure) -> HTTPLink {
    while let link = state.withLock({ $0.idle.popLast() }) { if !link.isLost { return link } }
    return try Supervisors.retrying { () throws(StepFailure) in try HTTPLink(peer) }
  }

  /// Gives back a link on which no call is under way.
  func take(_ link: HTTPLink) {
    guard link.isIdle else { return }
    // The oldest link is closed outside the lock.
    _ = state.withLock { state in
      state.idle.append(link)
      return state.idle.count > Engine.maxIdle ? state.idle.removeFirst() : nil
    }
  }

  // MARK: The API's version

  /// The newest version that the library was written for. An engine may have an older or a newer one.
  private static let newest = (1, 47)

  /// Seconds after which an engine is asked for its version again: another engine may listen at the address by then.
  private static let versionAge = 60.0

  /// Whether the engine is to be asked for its version.
  var isUnknown: Bool {
    let old = fws_monotonic() - Engine.versionAge
    return state.withLock { $0.version == nil || $0.versionTime < old }
  }

  /// A path of the API, with the version.
  func path(_ rest: String) -> String { "/v\(state.withLock { $0.version } ?? "1.24")\(rest)" }

  var isRootless: Bool? { state.withLock { $0.isRootless } }

  /// - Parameter theirs: the newest version that the engine knows.
  func setVersion(_ theirs: String) {
    let parts = theirs.pieces(at: ".").map { Int($0) ?? 0 }
    let number = parts.count == 2 ? (parts[0], parts[1]) : Engine.newest
    let common = number < Engine.newest ? number : Engine.newest
    let now = fws_monotonic()
    state.withLock { state in
      state.version = "\(common.0).\(common.1)"
      state.versionTime = now
    }
  }

  func setRootless(_ isRootless: Bool) { state.withLock { $0.isRootless = isRootless } }

  // MARK: What is left behind

  /// Whether it is time to look for containers of dead hosts. If so, the caller does.
  func isSweepDue() -> Bool {
    let now = fws_monotonic()
    return state.withLock { state in
      guard now - state.sweep > Engine.sweepInterval || !state.leftovers.isEmpty else { return false }
      state.sweep = now
      return true
    }
  }

  /// The look has failed: the next step does it.
  func missSweep() { state.withLock { $0.sweep = -Double.infinity } }

  func addLeftover(_ name: String) {
    let now = fws_monotonic()
    state.withLock { $0.leftovers[name] = now }
  }

  func removeLeftover(_ name: String) { state.withLock { $0.leftovers[name] = nil } }

  /// Forgets the leftovers that are not on the engine, except new ones, which the engine may still be creating.
  func forgetLeftovers(but found: Set<String>) {
    let old = fws_monotonic() - Engine.creationTimeout
    state.withLock { state in state.leftovers = state.leftovers.filter { found.contains($0.key) || $0.value > old } }
  }

  var leftovers: Set<String> { state.withLock { Set($0.leftovers.keys) } }

  // MARK: Images

  /// The work on an image that is under way, or a new one: many steps that ask for one image at once are one pull, or
  /// one build.
  func job(_ name: String, _ make: () throws(StepFailure) -> ImageJob) throws(StepFailure) -> ImageJob {
    try state.withLock { (state) throws(StepFailure) in
      if let job = state.jobs[Name(name)]?.job, !job.isOver { return job }
      state.jobs = state.jobs.filter { $0.value.job != nil }
      let job = try make()
      state.jobs[Name(name)] = JobReference(job: job)
      return job
    }
  }
}
