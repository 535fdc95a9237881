internal import CSystem
internal import Glibc

/// The cause of a system error: the limit that was reached, with its value, or the mechanism that refuses the call.
struct SystemLimit {
  /// The limit for a message; `nil` where the text of the errno says enough.
  let shown: String?
  /// The remedy that probably helps; `nil` where none is known.
  let likely: String?

  init(_ error: Int32, call: String?) {
    switch error {
    case EMFILE:
      let limit = SystemLimit.number(fws_limit_of_descriptors())
      shown = "RLIMIT_NOFILE is \(limit)"
      likely =
        "this process has reached its limit of open descriptors (RLIMIT_NOFILE, \(limit)): raise the limit, or run "
        + "fewer steps at once"
    case ENFILE:
      shown = nil
      likely = "the system has no descriptor left (fs.file-max)"
    case EAGAIN where call?.begins(with: "clone") == true:
      let limits = SystemLimit.processes
      shown = limits
      likely =
        "the limit of processes has been reached: \(limits). Raise the limit, or run fewer steps at once; "
        + "\"retries\" on \"spawn_failed\" wait for others to end"
    case ENOMEM, ENOBUFS:
      shown = nil
      likely = "memory ran out: that of the system, of the control group, or of this process (RLIMIT_AS)"
    case EPERM, EACCES, ENOSYS:
      shown = nil
      likely = call.map {
        "\($0) is refused: by the seccomp filter of a container or a sandbox, or by a security module"
      }
    default:
      shown = nil
      likely = nil
    }
  }

  /// The limits on the number of processes, with their values.
  private static var processes: String {
    var limits = ["RLIMIT_NPROC is \(number(fws_limit_of_processes()))"]
    if let most = mostOfGroup { limits.append("pids.max is \(most)") }
    return limits.joined(separator: ", ")
  }

  private static func number(_ limit: UInt64) -> String { limit == .max ? "unlimited" : "\(limit)" }

  /// The smallest pids.max of the control group of this process and of the groups above it.
  private static var mostOfGroup: Int? {
    guard let groups = text("/proc/self/cgroup") else { return nil }
    var least: Int?
    for line in groups.pieces(at: "\n") {
      let parts = line.pieces(at: ":", keepingEmpty: true, most: 3)
      guard parts.count == 3, parts[1].isEmpty || parts[1].isSame(as: "pids") else { continue }
      let root = parts[1].isEmpty ? "/sys/fs/cgroup" : "/sys/fs/cgroup/pids"
      var path = parts[2]
      while true {
        if let value = text("\(root)\(path)/pids.max").flatMap({ $0.pieces(at: "\n").first.flatMap { Int($0) } }) {
          least = min(least ?? value, value)
        }
        // The path "/" is the root of the groups.
        guard path.utf8.count > 1, let (above, _) = path.cut(atLast: "/") else { break }
        path = above
      }
    }
    return least
  }

  /// The first 4 KiB of a file of the system.
  private static func text(_ path: String) -> String? {
    let fd = open(path, O_RDONLY | O_CLOEXEC)
    if fd < 0 { return nil }
    defer { close(fd) }
    return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { room in
      let count = read(fd, room.baseAddress, room.count)
      return count > 0 ? String(decoding: room.prefix(count), as: UTF8.self) : nil
    }
  }
}

/// The system's text for an errno.
package func errorText(_ error: Int32) -> String {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
    guard let start = buffer.baseAddress else { return "error \(error)" }
    fws_error_text(error, start, buffer.count)
    return String(cString: start)
  }
}
