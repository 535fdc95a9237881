internal import CSystem
internal import FWBase
internal import Glibc

/// A control group of this machine in which this process may make others.
package struct ControlGroup {
  /// What a group can limit, by the kernel's names.
  package enum Controller: String, CaseIterable {
    case memory
    case cpu
    case pids
  }

  package let directory: Descriptor
  /// 1 or 2.
  package let version: Int
  /// What groups in this one can limit, of what was asked for.
  package let controllers: [Controller]

  /// Finds groups that can limit as much of this as possible.
  ///
  /// A machine may have both versions, and a controller is in one of them. Of version 2 there is a group also where it
  /// can limit nothing of this, beside one of version 1: its processes can be ended together.
  package static func find(_ asked: [Controller]) -> [ControlGroup] {
    guard let own = Files.read("/proc/thread-self/cgroup"), let mounts = Files.read("/proc/self/mountinfo") else {
      return []
    }
    let places = Hierarchy.all(own: text(own), mounts: text(mounts))
    var groups: [ControlGroup] = []
    for place in places where place.version == 1 {
      let controllers = asked.filter { place.controllers.contains($0.rawValue[...]) }
      if !controllers.isEmpty, isWritable(place.own), let group = ControlGroup(place.own, 1, controllers) {
        groups.append(group)
      }
    }
    let left = asked.filter { controller in !groups.contains { $0.controllers.contains(controller) } }
    if let place = places.first(where: { $0.version == 2 }), let group = second(place, left),
      !group.controllers.isEmpty || !groups.isEmpty
    {
      groups.append(group)
    }
    return groups
  }

  private static func text(_ bytes: borrowing ByteBuffer) -> String { String(decoding: bytes.bytes, as: UTF8.self) }

  private init?(_ path: String, _ version: Int, _ controllers: [Controller]) {
    let fd = fws_open_directory(path)
    guard fd >= 0 else { return nil }
    directory = Descriptor(fd)
    self.version = version
    self.controllers = controllers
  }

  /// The group of version 2 that can limit most: the own one, or one above it.
  ///
  /// A group that has processes cannot give controllers to groups in it, unless it is the root of all. So it is usually
  /// the one above the own one, if that was delegated.
  private static func second(_ place: Hierarchy, _ asked: [Controller]) -> ControlGroup? {
    var best: (path: String, controllers: [Controller])?
    for path in place.upwards where isWritable(path) {
      let controllers = enable(asked, path)
      if best.map({ controllers.count > $0.controllers.count }) ?? true { best = (path, controllers) }
      if controllers.count == asked.count { break }
    }
    return best.flatMap { ControlGroup($0.path, 2, $0.controllers) }
  }

  /// Has a group give controllers to the groups in it. Returns those that it gives.
  private static func enable(_ asked: [Controller], _ path: String) -> [Controller] {
    if asked.isEmpty { return [] }
    let file = path + "/cgroup.subtree_control"
    let present = words(file)
    let isRoot = access(path + "/cgroup.type", F_OK) != 0
    // The kernel would let a group with processes give `cpu` and `pids`, and then no process enter the groups in it.
    guard isRoot || words(path + "/cgroup.procs").isEmpty else { return [] }
    return asked.filter { present.contains($0.rawValue[...]) || write("+\($0.rawValue)", file) }
  }

  private static func words(_ path: String) -> [Substring] {
    guard let bytes = Files.read(path) else { return [] }
    return text(bytes).split { $0 == " " || $0 == "\n" }
  }

  private static func write(_ text: String, _ path: String) -> Bool {
    let fd = fws_above_standard(fws_open(path, O_WRONLY))
    guard fd >= 0 else { return false }
    defer { close(fd) }
    return text.withCString { Glibc.write(fd, $0, strlen($0)) } > 0
  }

  private static func isWritable(_ path: String) -> Bool {
    func may(_ path: String) -> Bool { faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 }
    return may(path) && may(path + "/cgroup.procs")
  }
}

/// One tree of control groups, and where this process is in it.
struct Hierarchy {
  let version: Int
  /// Of version 1.
  let controllers: [Substring]
  /// The path where it is mounted.
  let mount: String
  /// The names of the groups from the mount down to the own one.
  let names: [Substring]

  /// The path of the own group.
  var own: String { Hierarchy.path(mount, names[...]) }

  /// The paths of the own group and of all above it.
  var upwards: [String] { (0...names.count).reversed().map { Hierarchy.path(mount, names.prefix($0)) } }

  private static func path(_ mount: String, _ names: ArraySlice<Substring>) -> String {
    ([mount[...]] + names).joined(separator: "/")
  }

  /// - Parameters:
  ///   - own: the text of /proc/thread-self/cgroup.
  ///   - mounts: the text of /proc/self/mountinfo.
  static func all(own: String, mounts: String) -> [Hierarchy] {
    let places = mounts[...].split("\n").compactMap { Mount($0) }
    return own[...].split("\n").compactMap { line in
      let parts = line.split(":", most: 2, keepsEmpty: true)
      guard parts.count == 3 else { return nil }
      let isSecond = parts[0] == "0" && parts[1].isEmpty
      let controllers = parts[1].split(",")
      for place in places where place.isSecond == isSecond {
        guard isSecond || controllers.allSatisfy({ place.options.contains($0) }) else { continue }
        guard let names = names(parts[2], below: place.root) else { continue }
        return Hierarchy(
          version: isSecond ? 2 : 1, controllers: controllers, mount: place.path, names: names)
      }
      return nil
    }
  }

  /// The names from the group that is mounted down to a path; `nil` if the path is not below it.
  private static func names(_ path: Substring, below root: Substring) -> [Substring]? {
    let (all, above) = (path.split("/"), root.split("/"))
    guard all.starts(with: above, by: { $0.utf8.elementsEqual($1.utf8) }), !all.contains("..") else { return nil }
    return Array(all.dropFirst(above.count))
  }

  /// A line of mountinfo that is about control groups.
  private struct Mount {
    let isSecond: Bool
    let root: Substring
    let path: String
    let options: [Substring]

    init?(_ line: Substring) {
      let fields = line.split(" ")
      guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 3 else { return nil }
      let kind = fields[dash + 1]
      guard kind == "cgroup" || kind == "cgroup2" else { return nil }
      isSecond = kind == "cgroup2"
      root = fields[3]
      path = Mount.plain(fields[4])
      options = fields[dash + 3].split(",")
    }

    /// The kernel writes spaces and the like as \040.
    private static func plain(_ text: Substring) -> String {
      var (bytes, rest) = ([UInt8](), Array(text.utf8)[...])
      while let byte = rest.popFirst() {
        if byte == UInt8(ascii: "\\"), rest.count >= 3,
          let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
        {
          bytes.append(code)
          rest = rest.dropFirst(3)
        } else {
          bytes.append(byte)
        }
      }
      return String(decoding: bytes, as: UTF8.self)
    }
  }
}

extension Substring {
  /// The parts between bytes. A character may be more than a byte of a path, also where one of them is a slash.
  fileprivate func split(_ separator: Unicode.Scalar, most: Int = .max, keepsEmpty: Bool = false) -> [Substring] {
    utf8.split(separator: UInt8(ascii: separator), maxSplits: most, omittingEmptySubsequences: !keepsEmpty)
      .map { Substring($0) }
  }
}
