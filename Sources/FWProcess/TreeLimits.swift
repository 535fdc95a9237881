internal import CSupervisorClient
package import FWBase
internal import FWModel
internal import FWSystem
internal import Glibc

/// The limits of all processes of a command together: the option `tree_limits` of a worker.
package struct TreeLimits: Sendable {
  private static let keys = Limit.allCases.map(\.name) + ["required"]
  /// The smallest memory in bytes, as engines have it for containers.
  private static let leastMemory: Int64 = 6 << 20
  /// The most that the kernel takes: it has no more numbers for processes.
  private static let mostPids: Int64 = 4_194_304

  /// The limits in the order in which the supervisor takes them.
  enum Limit: Int, CaseIterable {
    case memory
    case cpus
    case pids

    var name: String { "\(self)" }

    var controller: ControlGroup.Controller {
      switch self {
      case .memory: return .memory
      case .cpus: return .cpu
      case .pids: return .pids
      }
    }

    /// What a message calls it.
    var subject: String {
      switch self {
      case .memory: return "the memory"
      case .cpus: return "the processor time"
      case .pids: return "the number of processes"
      }
    }
  }

  private(set) var memory: Int64?
  private(set) var cpus: Double?
  private(set) var pids: Int64?
  /// Whether a command is not started without all of them.
  private(set) var isRequired = true

  package init(reading json: JSONRef) throws(ValidationError) {
    try json.readMembers { (key, value) throws(ValidationError) in
      if key == "memory" {
        guard let number = value.integer, number >= TreeLimits.leastMemory else {
          throw ValidationError(
            "expected the memory of all processes in bytes, an integer from 6291456 (6 MiB), found \(value.shown)")
        }
        memory = number
      } else if key == "cpus" {
        guard let number = value.number, number >= 0.01, number <= 100_000 else {
          throw ValidationError("expected a number of processors from 0.01 to 100000, found \(value.shown)")
        }
        cpus = number
      } else if key == "pids" {
        guard let number = value.integer, number >= 1, number <= TreeLimits.mostPids else {
          throw ValidationError(
            "expected a number of processes and threads, an integer from 1 to 4194304, found \(value.shown)")
        }
        pids = number
      } else if key == "required" {
        isRequired = try value.requireBoolean()
      } else {
        throw .unknownKey(key, of: "\"tree_limits\"", known: TreeLimits.keys)
      }
    }
    guard !asked.isEmpty else {
      throw ValidationError("\"tree_limits\" has no limit: it takes \"memory\", \"cpus\" and \"pids\"")
    }
  }

  private func value(_ limit: Limit) -> UInt64? {
    switch limit {
    case .memory: return memory.map { UInt64($0) }
    case .cpus: return cpus.map { UInt64(($0 * Double(FWSV_PERIOD)).rounded()) }
    case .pids: return pids.map { UInt64($0) }
    }
  }

  var asked: [Limit] { Limit.allCases.filter { value($0) != nil } }

  /// The control groups in which the monitor of a command makes its own.
  func groups() -> [ControlGroup] { ControlGroup.find(asked.map(\.controller)) }

  /// - Parameter groups: they have to live until the request is sent.
  func set(in request: inout fwsv_request, _ groups: [ControlGroup]) {
    request.tree = UInt32(isRequired ? FWSV_TREE_REQUIRED : FWSV_TREE_OPTIONAL)
    withUnsafeMutableBytes(of: &request.tree_limits) { bytes in
      let slots = bytes.bindMemory(to: UInt64.self)
      for limit in Limit.allCases { slots[limit.rawValue] = value(limit) ?? UInt64.max }
    }
    withUnsafeMutableBytes(of: &request.group) { bytes in
      let slots = bytes.bindMemory(to: fwsv_group.self)
      for (slot, group) in zip(slots.indices, groups) {
        let limits = asked.filter { group.controllers.contains($0.controller) }
        slots[slot] = fwsv_group(
          fd: group.directory.number, version: UInt32(group.version),
          limits: limits.reduce(0) { $0 | 1 << UInt32($1.rawValue) })
        request.groups += 1
      }
    }
  }

  // MARK: The plan

  func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("memory", memory.map { Int($0) })
      writer.member("cpus", cpus)
      writer.member("pids", pids.map { Int($0) })
      writer.member("required", isRequired)
    }
  }

  /// The limits in one line.
  var summary: String {
    let parts = [
      memory.map { "\($0) bytes of memory" }, cpus.map { "\($0) processors" }, pids.map { "\($0) processes" },
    ]
    return parts.compactMap { $0 }.joined(separator: ", ") + (isRequired ? "" : ", as far as the system can keep this")
  }
}

extension StepFailure {
  /// Why a limit of the tree cannot be kept.
  ///
  /// - Returns: `nil` if the reply is about something else.
  init?(_ limits: TreeLimits, _ reply: fwsv_reply) {
    guard Int(reply.stage) == FWSV_AT_GROUP else { return nil }
    let subject = TreeLimits.Limit(rawValue: Int(reply.limit))?.subject ?? "a limit"
    let what = "\(subject) of all processes cannot be limited"
    let optional = "\"required\": false in \"tree_limits\" limits each process instead, where it can"
    guard reply.error == EOPNOTSUPP else {
      self.init("\(what): the control group refuses it", reply.error, call: "cgroup", likely: optional)
      return
    }
    self.init(
      .spawnFailed, "\(what): no control group of this process may be written",
      likely: "with systemd, run the program in a unit with Delegate=yes and DelegateSubgroup=main, or by `systemd-run "
        + "--user --scope`; \(optional)")
  }
}

extension CommandEnd {
  /// Takes what the control groups of a command have told.
  mutating func record(_ limits: TreeLimits, _ reply: fwsv_reply, _ isSuccess: (Int32) -> Bool) {
    let kept = withUnsafeBytes(of: reply.kept) { Array($0.bindMemory(to: UInt32.self)) }
    func keeper(_ limit: TreeLimits.Limit) -> TreeLimitFacts.Keeper? {
      switch Int(kept[limit.rawValue]) {
      case FWSV_KEPT_BY_GROUP1: return .group1
      case FWSV_KEPT_BY_GROUP2: return .group2
      case FWSV_KEPT_BY_RLIMIT: return .rlimit
      default: return nil
      }
    }
    treeLimits = TreeLimitFacts(memory: keeper(.memory), cpus: keeper(.cpus), pids: keeper(.pids))
    let missing = limits.asked.filter { keeper($0) == nil }
    if !missing.isEmpty {
      notes.append("nothing keeps " + missing.map { "\"\($0.name)\"" }.joined(separator: ", ") + " of \"tree_limits\"")
    }
    if reply.tree_peak > 0 {
      treeUsage = TreeUsage(
        user: treeUsage?.user, system: treeUsage?.system, peakMemory: Int(clamping: reply.tree_peak))
    }
    if reply.group_error != 0 {
      Log.write(
        .warning,
        "a control group of a command could not be removed: \(errorText(reply.group_error)); a later command removes it"
      )
    }
    guard reply.is_oom != 0 else { return }
    outOfMemory = .yes
    let hasFailed = signal != nil || exitCode.map { !isSuccess($0) } ?? true
    if hasFailed, [.exited, .signaled, .statusUnknown].contains(outcome) { outcome = .oom }
  }
}
