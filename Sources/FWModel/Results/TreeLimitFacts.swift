internal import FWBase

/// What kept the limits of all processes of a command. A limit that was not asked for, or that nothing kept, has `nil`.
package struct TreeLimitFacts {
  package enum Keeper: String {
    case group1 = "cgroup1"
    case group2 = "cgroup2"
    /// A limit of each process, which stands for it.
    case rlimit
  }

  private let memory: Keeper?
  private let cpus: Keeper?
  private let pids: Keeper?

  package init(memory: Keeper?, cpus: Keeper?, pids: Keeper?) {
    self.memory = memory
    self.cpus = cpus
    self.pids = pids
  }

  func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("memory", memory?.rawValue)
      writer.member("cpus", cpus?.rawValue)
      writer.member("pids", pids?.rawValue)
    }
  }
}
