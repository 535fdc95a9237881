internal import CSupervisorClient
internal import FWProcess
internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel
internal import FWOutput
internal import FWSystem
internal import CSystem
internal import Glibc

/// The requests by which a monitor stops and removes the containers of a step if this process has ended, or has freed
/// the step without waiting for it. The monitor keeps the requests (supervisor.h, FWSV_CLEANUP), so they are also sent
/// after SIGKILL.
final class CleanupRequest {
  private var channel: Channel?
  private var address: fws_address

  /// - Parameter address: the address of the engine, which must not need TLS.
  init(_ address: fws_address) throws(StepFailure) {
    self.address = address
    // An idle monitor may have been killed meanwhile. In this case another monitor is used.
    for _ in 0..<20 {
      let channel = try Supervisors.shared.channel()
      if fws_channel_cleanup(channel.number, &self.address, "", 0) == 0 {
        self.channel = channel
        return
      }
    }
    throw StepFailure("the supervisor process does not answer")
  }

  /// The number of seconds that an engine may take to create a container whose host has ended.
  private static let creationTimeout = 10.0

  /// - Parameters:
  ///   - creating: the containers whose creation has not been answered.
  ///   - base: the beginning of all paths, with the version of the API.
  ///   - grace: the number of seconds between TERM and KILL.
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
      // The engine may create such a container after these removals. The answer to the next request arrives after the
      // creation timeout, and the removals are then sent once more.
      let end = Int(fws_wall() + CleanupRequest.creationTimeout)
      text +=
        "GET \(base)/events?until=\(end)&filters=%7B%22event%22%3A%5B%22oom%22%5D%7D HTTP/1.1\r\nHost: engine\r\n\r\n"
      for name in creating { text += CleanupRequest.removal(of: name, base) }
    }
    if !text.isEmpty { text += CleanupRequest.closingRequest(base) }
    // The text cannot arrive if the monitor was killed. The next step finds leftover containers by their label.
    if channel.isOurs { _ = fws_channel_cleanup(channel.number, &address, text, text.utf8.count) }
  }

  private static func removal(of name: String, _ base: String) -> String {
    "DELETE \(base)/containers/\(name)?force=1&v=1 HTTP/1.1\r\nHost: engine\r\n\r\n"
  }

  /// The last request. The engine closes the connection after its answer.
  private static func closingRequest(_ base: String) -> String {
    "GET \(base)/_ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n"
  }

  /// Lets the monitor remove the containers now. Their commands have ended.
  func execute(_ containers: [String], base: String) {
    guard let channel else { return }
    var text = ""
    // Each removal is sent twice, because an engine may be busy with a container for a moment. A container that has
    // gone already does no harm.
    for name in containers + containers { text += CleanupRequest.removal(of: name, base) }
    text += CleanupRequest.closingRequest(base)
    if channel.isOurs { _ = fws_channel_cleanup(channel.number, &address, text, text.utf8.count) }
    // When the channel is closed, the monitor executes the last text.
    self.channel = nil
  }

  /// Releases the monitor after all containers have been removed.
  func revoke() {
    guard let channel else { return }
    self.channel = nil
    if channel.stop() { channel.release() }
  }
}

/// Finds and removes containers whose host has died, and containers that could not be removed earlier.
final class Sweep {
  private let engine: Engine
  private let link: HTTPLink
  private let limit: HTTPLimit
  /// The number of calls that have not been answered.
  private var calls = 0
  private var isIncomplete = false

  init(_ engine: Engine, _ link: HTTPLink, within limit: HTTPLimit) {
    self.engine = engine
    self.limit = limit
    self.link = link
    list()
  }

  // The next step sweeps again if this sweep is not complete.
  deinit { if calls > 0 || isIncomplete { engine.requireSweep() } }

  private func list() {
    calls += 1
    // The set is read before the engine's list, because a leftover that is added later may be missing in that list.
    let leftovers = engine.leftovers
    let filter = URLText.escaped("{\"label\":[\"\(HostLabel.key)\"]}")
    link.call("GET", engine.path("/containers/json?all=1&filters=\(filter)"), within: limit) { [weak self] answer in
      guard let self else { return }
      defer { endCall() }
      guard answer.isSuccess else {
        isIncomplete = true
        return
      }
      var found: Set<String> = []
      var dead: [String] = []
      _ = answer.read { json -> Void? in
        json.forEachElement { _, container in
          guard let id = container["Id"]?.string, let label = container["Labels"]?.member(HostLabel.key)?.string else {
            return
          }
          let name = container["Names"]?.element(0)?.string.map { String($0.without(prefix: "/") ?? $0[...]) } ?? id
          found.insert(name)
          if leftovers.contains(name) {
            dead.append(name)
          } else if !HostLabel.isOwn(label), HostLabel(label)?.isDead ?? false {
            dead.append(id)
          }
        }
        return ()
      }
      engine.forgetLeftovers(but: found)
      for name in dead {
        calls += 1
        let path = engine.path("/containers/\(URLText.escaped(name))?force=1&v=1")
        link.call("DELETE", path, within: limit) { [weak self] answer in
          if answer.isSuccess || answer.status == 404 { self?.engine.removeLeftover(name) }
          self?.endCall()
        }
      }
    }
  }

  private func endCall() { calls -= 1 }
}

/// The label of a container, which names the process that it belongs to: `MACHINE.BOOT.NAMESPACE.PID.START`.
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

  /// The label of this process. It is created anew each time, because the process may have been forked.
  static var own: String {
    func word(_ path: String) -> String {
      guard let text = Files.read(path) else { return "-" }
      let word = String(
        decoding: text.bytes.filter { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: ".") }, as: UTF8.self)
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

  /// The start time of a process, in the kernel's ticks since boot. (In proc(5) it is the 22nd word. The 2nd word is a
  /// name in parentheses.)
  private static func startTime(_ pid: String) -> String? {
    guard let text = Files.read("/proc/\(pid)/stat") else { return nil }
    let line = String(decoding: text.bytes, as: UTF8.self)
    guard let words = line.cut(atLast: ")")?.behind.pieces(at: " ") else { return nil }
    return words.count > 19 ? String(words[19]) : nil
  }

  /// Whether the process is known to have ended. A process of another machine or of another PID namespace is not known.
  var isDead: Bool {
    guard let own = HostLabel(HostLabel.own), machine == own.machine, boot != "-" else { return false }
    if boot != own.boot { return machine != "-" }
    guard namespace == own.namespace, let number = Int32(pid), number > 0 else { return false }
    if kill(number, 0) < 0 && errno == ESRCH { return true }
    // Another process may have the number now. A process whose start time cannot be read is taken for the same one.
    guard start != "-", let now = HostLabel.startTime(String(pid)) else { return false }
    return now != start
  }

  /// Whether a label names this process.
  static func isOwn(_ text: String) -> Bool { text == own }
}
