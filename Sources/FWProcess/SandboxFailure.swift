package import CSupervisorClient
package import FWBase
internal import FWModel
internal import Glibc

/// Why a sandbox could not be made, as a sentence of three parts: which layer, why, and what would allow it.
///
/// Nothing asks the system beforehand what it allows: security modules, containers and settings each have their own
/// way to refuse, and only the attempt knows.
extension StepFailure {
  /// - Parameter reply: a failure at a stage from FWSV_AT_NAMESPACES to FWSV_AT_FILTER.
  /// - Returns: `nil` for another stage.
  package init?(sandbox options: SandboxOptions, _ reply: fwsv_reply, rundir: CText) {
    let stage = Int(reply.stage)
    guard FWSV_AT_NAMESPACES...FWSV_AT_FILTER ~= stage else { return nil }
    if stage == FWSV_AT_PATH || (stage == FWSV_AT_RULE && reply.path != FWSV_PATH_NONE) {
      self.init(StepFailure.complaint(ofPath: reply, options, rundir: rundir))
      return
    }
    if stage == FWSV_AT_RULESET, reply.error == EOPNOTSUPP, reply.landlock > 0 {
      let reason =
        "the sandbox cannot have its Landlock rules: this kernel has version \(reply.landlock) of Landlock, and "
        + "\(StepFailure.landlockVersion(options))"
      self.init(.spawnFailed, reason, likely: StepFailure.likely("a newer kernel has it", options))
      return
    }
    let (layer, call) = StepFailure.layer(stage, hasUser: reply.layers & UInt32(FWSV_LAYER_USER) != 0)
    let remedy = StepFailure.remedy(stage, reply.error)
    self.init(
      "the sandbox cannot have \(layer)", reply.error, call: call,
      likely: remedy.map { StepFailure.likely($0, options) })
  }

  /// Why the kernel has not found or not opened a program that may be there; `nil` where its sandbox is not the reason.
  ///
  /// - Parameter shown: what the program is, with its path.
  package init?(program path: String, _ shown: String, in options: SandboxOptions, _ reply: fwsv_reply) {
    guard Int(reply.stage) == FWSV_AT_EXEC else { return nil }
    if reply.error == EACCES, options.reads != nil {
      self.init(
        "\(shown), its interpreter or their libraries are not in \"read\" of the sandbox: add \"system\", or their "
          + "directories")
    } else if reply.error == ENOENT, options.hasPrivateTmp,
      ["/tmp/", "/var/tmp/"].contains(where: { path.begins(with: $0) })
    {
      self.init(
        "\(shown) or its interpreter does not exist in the sandbox, whose /tmp is its own: add its directory to "
          + "\"read\""
      )
    } else {
      return nil
    }
  }

  private static func likely(_ remedy: String, _ options: SandboxOptions) -> String {
    remedy + (options.isRequired ? "; \"required\": false in \"sandbox\" runs the command with what there is" : "")
  }

  private static func landlockVersion(_ options: SandboxOptions) -> String {
    if case .connect = options.network { return "\"tcp_connect\" needs version 4 (Linux 6.7)" }
    return "\"write\" without namespaces needs version 3 (Linux 6.2)"
  }

  /// What was about to be made at a stage, and the call that failed.
  private static func layer(_ stage: Int, hasUser: Bool) -> (String, String?) {
    switch stage {
    case FWSV_AT_NAMESPACES: return (hasUser ? "a user namespace" : "a mount namespace", "clone")
    case FWSV_AT_MAPS: return ("a user namespace: the user could not be mapped", "uid_map")
    case FWSV_AT_VIEW: return ("a view of the files that is read-only", "mount")
    case FWSV_AT_PROC: return ("a /proc of its own", "mount")
    case FWSV_AT_DEVICES: return ("a /dev of its own", "mount")
    case FWSV_AT_COVER: return ("an empty /run and a /tmp of its own", "mount")
    case FWSV_AT_LOOPBACK: return ("a loopback in its network namespace", "ioctl")
    case FWSV_AT_RULESET: return ("its Landlock rules", "landlock_create_ruleset")
    case FWSV_AT_RULE: return ("its Landlock rules", "landlock_add_rule")
    case FWSV_AT_PRIVILEGES: return ("no_new_privs", "prctl")
    case FWSV_AT_LANDLOCK: return ("its Landlock rules", "landlock_restrict_self")
    case FWSV_AT_CAPABILITIES: return ("a command without capabilities", "capset")
    default: return ("its filter of system calls", "seccomp")
    }
  }

  /// What would allow it; `nil` where the errno says enough.
  private static func remedy(_ stage: Int, _ error: Int32) -> String? {
    let restricted =
      "a security module restricts user namespaces (with AppArmor kernel.apparmor_restrict_unprivileged_userns): "
      + "allow them for this program"
    switch (stage, error) {
    case (FWSV_AT_NAMESPACES, EPERM), (FWSV_AT_NAMESPACES, EACCES):
      return
        "namespaces are forbidden by the seccomp profile of a container, by a security module, by "
        + "kernel.unprivileged_userns_clone, or because this process is in a chroot: allow them"
    case (FWSV_AT_NAMESPACES, ENOSPC), (FWSV_AT_NAMESPACES, EUSERS):
      return "the limit of namespaces is reached: raise user.max_user_namespaces and its neighbours"
    case (FWSV_AT_NAMESPACES, EINVAL): return "this kernel was built without a kind of namespace (CONFIG_USER_NS)"
    case (FWSV_AT_MAPS, EPERM), (FWSV_AT_MAPS, EACCES): return restricted
    case (FWSV_AT_MAPS, ENOENT): return "/proc is not mounted"
    case (FWSV_AT_VIEW, EPERM), (FWSV_AT_VIEW, EACCES), (FWSV_AT_COVER, EPERM), (FWSV_AT_COVER, EACCES),
      (FWSV_AT_DEVICES, EPERM), (FWSV_AT_DEVICES, EACCES):
      return restricted
    case (FWSV_AT_VIEW, ENOSYS): return "Linux 5.12 or later is needed (mount_setattr)"
    case (FWSV_AT_PROC, EPERM), (FWSV_AT_PROC, EACCES):
      return
        "parts of /proc are covered in this container: run it with an uncovered /proc, or choose a sandbox without "
        + "namespaces: \"processes\": \"host\", \"private_tmp\": false, \"network\": \"host\""
    case (FWSV_AT_RULESET, ENOSYS): return "this kernel has no Landlock (Linux 5.13 and later have it)"
    case (FWSV_AT_RULESET, EOPNOTSUPP):
      return "Landlock is switched off: add it to the list `lsm=` of the kernel's command line"
    case (FWSV_AT_FILTER, EINVAL), (FWSV_AT_FILTER, ENOSYS):
      return "this kernel was built without seccomp filters (CONFIG_SECCOMP_FILTER)"
    default: return nil
    }
  }

  /// What is wrong with a path of the document, or with the run directory.
  private static func complaint(ofPath reply: fwsv_reply, _ options: SandboxOptions, rundir: CText) -> String {
    let index = Int(reply.path)
    let isWrite = index < options.writes.count
    let (name, shown): (String, String) =
      if index == FWSV_PATH_RUNDIR {
        ("the run directory", MessageFormat.path(rundir.string))
      } else if isWrite, options.writes.indices.contains(index) {
        ("the path", MessageFormat.path(options.writes[index]) + " of \"write\"")
      } else if let reads = options.reads, reads.indices.contains(index - options.writes.count) {
        ("the path", MessageFormat.path(reads[index - options.writes.count]) + " of \"read\"")
      } else {
        ("a path", "of the sandbox")
      }
    let what = "\(name) \(shown)"
    switch reply.error {
    case ENOENT: return "\(what) does not exist"
    case EROFS: return "\(what) is on a read-only file system"
    case EINVAL where index == FWSV_PATH_RUNDIR:
      return "\(what) is the root directory: a sandbox would let the command write everywhere"
    case EISDIR: return "\(what) leads to the root directory: a sandbox would let the command write everywhere"
    case EBUSY:
      return "\(what) is all of /tmp or /var/tmp, which are private: name a directory below it, or write "
        + "\"private_tmp\": false and \"processes\": \"host\""
    case EMLINK:
      return "\(what) has a symbolic link below a place that commands can write: a command could turn it; name what it "
        + "leads to"
    case ESTALE: return "\(what) was changed while the sandbox was made"
    case EINVAL: return "\(what) is neither a directory nor a regular file that a sandbox could show"
    default: return "\(what) cannot be shown in the sandbox: \(errorText(reply.error))"
    }
  }
}

extension SandboxFacts {
  /// What held of a sandbox, from the reply of a command that was started.
  init(_ reply: fwsv_reply, of options: SandboxOptions) {
    func has(_ layer: Int) -> Bool { reply.layers & UInt32(layer) != 0 }
    let version = has(FWSV_LAYER_LANDLOCK) ? Int(clamping: reply.landlock) : 0
    var missing: [String] = []
    if !has(FWSV_LAYER_VIEW) && version < 3 || has(FWSV_OPEN_INPUT) { missing.append("write") }
    if options.reads != nil, version < 1 { missing.append("read") }
    switch options.network {
    case .host: break
    // Without a namespace the filter refuses sockets, also those of a loopback: nothing gets out.
    case .none: if !has(FWSV_LAYER_FILTER) { missing.append("network") }
    case .connect: if version < 4 || !has(FWSV_LAYER_FILTER) { missing.append("network") }
    }
    if options.hasPrivateTmp, !has(FWSV_LAYER_TMP) { missing.append("private_tmp") }
    if options.hasOwnProcesses, !has(FWSV_LAYER_PROCESSES) { missing.append("processes") }
    if !has(FWSV_LAYER_FILTER) { missing.append("syscalls") }
    self.init(layers: SandboxFacts.layers(reply.layers), landlockVersion: version > 0 ? version : nil, missing: missing)
  }

  /// The layers of a command that was started, from those of supervisor.h.
  static func layers(_ bits: UInt32) -> [Layer] {
    let all: [(Int, [Layer])] = [
      (FWSV_LAYER_USER, [.userNamespace]), (FWSV_LAYER_VIEW, [.mountNamespace]),
      (FWSV_LAYER_PROCESSES, [.pidNamespace, .ipcNamespace]), (FWSV_LAYER_NETWORK, [.networkNamespace]),
      (FWSV_LAYER_LANDLOCK, [.landlock]), (FWSV_LAYER_FILTER, [.seccomp]),
    ]
    // A command that could not give up its privileges is not started.
    return all.flatMap { bit, layers in bits & UInt32(bit) != 0 ? layers : [] } + [.noNewPrivileges, .noCapabilities]
  }
}
