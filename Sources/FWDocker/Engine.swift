internal import CSystem
internal import FWBase
internal import FWHTTP
internal import FWProcess
internal import FWSystem
internal import Glibc

/// An engine. All steps of this process that use the engine share the object.
final class Engine: Sendable {
  let peer: HTTPPeer
  private let state: Guarded<State>

  private struct State {
    /// The newest version of the API that both sides know.
    var version: String?
    /// The time at which the engine reported its version.
    var versionTime = -Double.infinity
    var isRootless: Bool?
    var isPodman = false
    /// Links that no step uses. Their connections are kept.
    var idle: [HTTPLink] = []
    /// The time of the last search for leftover containers; negative infinity if there was none.
    var sweep = -Double.infinity
    /// The containers that could not be removed, and the time at which this was noticed.
    var leftovers: [String: Double] = [:]
    /// The running pulls and builds, by the name of the image.
    var jobs: [Name: JobReference] = [:]
  }

  private struct JobReference {
    weak var job: ImageJob?
  }

  private static let maxIdle = 16
  /// The number of seconds between two searches for leftover containers.
  private static let sweepInterval = 60.0
  /// The number of seconds that an engine may take for a creation that nobody waits for.
  private static let creationTimeout = 60.0

  private init(_ peer: HTTPPeer) throws(FlowError) {
    self.peer = peer
    state = try Guarded(State())
  }

  private struct Engines {
    /// All engines that this process has used, by their addresses.
    var all: [HTTPPeer: Engine] = [:]
    /// The engines whose idle links are kept. The one that was used last comes last.
    var linked: [Engine] = []
  }

  private static let engines = Guarded(process: FWS_LOCK_ENGINES, Engines())
  /// The most engines whose idle links are kept. A process may use any number of engines in its life.
  private static let maxLinked = 8

  static func at(_ peer: HTTPPeer) throws(StepFailure) -> Engine {
    do throws(FlowError) {
      return try engines.withLock { (engines) throws(FlowError) in
        if let engine = engines.all[peer] { return engine }
        let engine = try Engine(peer)
        engines.all[peer] = engine
        return engine
      }
    } catch { throw .noMemory }
  }

  /// Notes that the engine has idle links, and closes those of the engine that was not used for the longest time.
  private func keepLinks() {
    let oldest = Engine.engines.withLock { engines -> Engine? in
      if engines.linked.last === self { return nil }
      engines.linked.removeAll { $0 === self }
      engines.linked.append(self)
      return engines.linked.count > Engine.maxLinked ? engines.linked.removeFirst() : nil
    }
    // The links are closed outside the locks.
    _ = oldest?.state.withLock { state in
      defer { state.idle = [] }
      return state.idle
    }
  }

  /// Takes a link, which the caller owns until it puts the link back.
  func link() throws(StepFailure) -> HTTPLink {
    while let link = state.withLock({ $0.idle.popLast() }) { if !link.isLost { return link } }
    return try Supervisors.retrying { () throws(StepFailure) in try HTTPLink(peer) }
  }

  /// Puts back a link, unless calls are still running on it.
  func putBack(_ link: HTTPLink) {
    guard link.isIdle else { return }
    // The oldest link is closed outside the lock.
    _ = state.withLock { state in
      state.idle.append(link)
      return state.idle.count > Engine.maxIdle ? state.idle.removeFirst() : nil
    }
    keepLinks()
  }

  // MARK: The API's version

  /// The newest version that the library was written for. An engine may have an older or a newer one.
  private static let newest = (1, 47)

  /// The number of seconds after which an engine is asked for its version again, because another engine may listen at
  /// the address by then.
  private static let versionAge = 60.0

  /// Whether the engine has to be asked for its version.
  var isUnknown: Bool {
    let old = fws_monotonic() - Engine.versionAge
    return state.withLock { $0.version == nil || $0.versionTime < old }
  }

  /// A path of the API, with its version.
  func path(_ rest: String) -> String { "/v\(state.withLock { $0.version } ?? "1.24")\(rest)" }

  var isRootless: Bool? { state.withLock { $0.isRootless } }

  var isPodman: Bool { state.withLock { $0.isPodman } }

  /// - Parameter theirs: the newest version that the engine knows.
  func setVersion(_ theirs: String, isPodman: Bool) {
    let parts = theirs.pieces(at: ".").map { Int($0) ?? 0 }
    let number = parts.count == 2 ? (parts[0], parts[1]) : Engine.newest
    let common = number < Engine.newest ? number : Engine.newest
    let now = fws_monotonic()
    state.withLock { state in
      state.version = "\(common.0).\(common.1)"
      state.versionTime = now
      state.isPodman = isPodman
    }
  }

  func setRootless(_ isRootless: Bool) { state.withLock { $0.isRootless = isRootless } }

  // MARK: Leftover containers

  /// Whether it is time to search for containers of dead hosts. If so, the caller has to do it.
  func isSweepDue() -> Bool {
    let now = fws_monotonic()
    return state.withLock { state in
      guard now - state.sweep > Engine.sweepInterval || !state.leftovers.isEmpty else { return false }
      state.sweep = now
      return true
    }
  }

  /// Notes that the search was not complete, so that the next step searches again.
  func requireSweep() { state.withLock { $0.sweep = -Double.infinity } }

  func addLeftover(_ name: String) {
    let now = fws_monotonic()
    state.withLock { $0.leftovers[name] = now }
  }

  func removeLeftover(_ name: String) { state.withLock { $0.leftovers[name] = nil } }

  /// Removes the leftovers that are not on the engine, except new ones, which the engine may still be creating.
  func forgetLeftovers(but found: Set<String>) {
    let old = fws_monotonic() - Engine.creationTimeout
    state.withLock { state in state.leftovers = state.leftovers.filter { found.contains($0.key) || $0.value > old } }
  }

  var leftovers: Set<String> { state.withLock { Set($0.leftovers.keys) } }

  // MARK: Images

  /// The running pull or build of an image, or a new one. Many steps that need one image at the same time thus share
  /// one pull or build.
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
