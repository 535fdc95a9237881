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
    /// Of the API, as both sides know it.
    var version: String?
    /// When the engine told it.
    var versionTime = -Double.infinity
    var isRootless: Bool?
    /// Links without a step; their connections are kept.
    var idle: [HTTPLink] = []
    /// When leftovers were looked for; negative: never.
    var sweep = -Double.infinity
    /// Containers that could not be removed.
    /// With the time when that was seen.
    var leftovers: [String: Double] = [:]
    /// By what they are about.
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

  /// One for each way to speak with one.
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

  /// A link of the caller's own, until it is given back.
  func link() throws(StepFailure) -> HTTPLink {
    while let link = state.withLock({ $0.idle.popLast() }) { if !link.isLost { return link } }
    return try Supervisors.retrying { () throws(StepFailure) in try HTTPLink(peer) }
  }

  /// Gives back a link on which no call is under way.
  func take(_ link: HTTPLink) {
    guard link.isIdle else { return }
    // What is let go is closed after the lock.
    _ = state.withLock { state in
      state.idle.append(link)
      return state.idle.count > Engine.maxIdle ? state.idle.removeFirst() : nil
    }
  }

  // MARK: The API's version

  /// The newest that the library was written for; an engine may be older, or newer.
  private static let newest = (1, 47)

  /// Seconds after which an engine is asked again: it may be another one by then.
  private static let versionAge = 60.0

  /// Whether the engine is to be asked for its version.
  var isUnknown: Bool {
    let old = fws_monotonic() - Engine.versionAge
    return state.withLock { $0.version == nil || $0.versionTime < old }
  }

  /// A path of the API, with the version.
  func path(_ rest: String) -> String { "/v\(state.withLock { $0.version } ?? "1.24")\(rest)" }

  var isRootless: Bool? { state.withLock { $0.isRootless } }

  /// - Parameter theirs: the newest that the engine knows.
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

  /// Whether it is time to look for containers of dead hosts; then the caller does.
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

  /// Those that are not on the engine. One that was just being created may still come.
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

/// Which process a container belongs to, as its label says it: `MACHINE.BOOT.NAMESPACE.PID.START`.
struct HostLabel {
  static let key = "io.github.flowworker.host"

  private let machine: Substring
  private let boot: Substring
  private let namespace: Substring
  private let pid: Substring
  private let start: Substring

  init?(_ text: String) {
    let parts = text.pieces(at: ".", keepingEmpty: true)
    guard parts.count == 5 else { return nil }
    (machine, boot, namespace, pid, start) = (parts[0], parts[1], parts[2], parts[3], parts[4])
  }

  /// This process's. It is made anew each time, because a process may be forked.
  static var own: String {
    func word(_ path: String) -> String {
      guard let text = Files.read(path) else { return "-" }
      let word = String(decoding: text.bytes.filter { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: ".") }, as: UTF8.self)
      return word.isEmpty ? "-" : word
    }
    let pid = getpid()
    return [
      word("/etc/machine-id"), word("/proc/sys/kernel/random/boot_id"), ownNamespace, String(pid),
      startTime(String(pid)) ?? "-",
    ].joined(separator: ".")
  }

  private static var ownNamespace: String {
    var information = stat()
    return stat("/proc/self/ns/pid", &information) == 0 ? String(information.st_ino) : "-"
  }

  /// When a process was started, in the kernel's ticks since boot. (proc(5): the 22nd word, the 2nd being a name in
  /// parentheses.)
  private static func startTime(_ pid: String) -> String? {
    guard let text = Files.read("/proc/\(pid)/stat") else { return nil }
    let line = String(decoding: text.bytes, as: UTF8.self)
    guard let words = line.cut(atLast: ")")?.behind.pieces(at: " ") else { return nil }
    return words.count > 19 ? String(words[19]) : nil
  }

  /// Whether the process is known to have ended. One of another machine, or of another set of
  /// processes, is not known.
  var isDead: Bool {
    guard let own = HostLabel(HostLabel.own), machine == own.machine, boot != "-" else { return false }
    if boot != own.boot { return machine != "-" }
    guard namespace == own.namespace, let number = Int32(pid), number > 0 else { return false }
    if kill(number, 0) < 0 && errno == ESRCH { return true }
    // Another process may have its number. One whose time cannot be read is taken for the same.
    guard start != "-", let now = HostLabel.startTime(String(pid)) else { return false }
    return now != start
  }

  /// Whether it is this process.
  static func isOwn(_ text: String) -> Bool { text == own }
}
