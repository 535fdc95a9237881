internal import FWBase

/// What held of a command's sandbox.
package struct SandboxFacts: Equatable {
  /// What the kernel offers to bound a command.
  package enum Layer: String, CaseIterable {
    case userNamespace = "user_namespace"
    case mountNamespace = "mount_namespace"
    case pidNamespace = "pid_namespace"
    case ipcNamespace = "ipc_namespace"
    case networkNamespace = "network_namespace"
    case landlock
    case seccomp
    case noNewPrivileges = "no_new_privs"
    case noCapabilities = "no_capabilities"
  }

  package let layers: [Layer]
  /// `nil` if Landlock is not among the layers.
  package let landlockVersion: Int?
  /// The members of `sandbox` that were asked for and do not hold.
  package let missing: [String]

  package init(layers: [Layer], landlockVersion: Int?, missing: [String]) {
    self.layers = layers
    self.landlockVersion = landlockVersion
    self.missing = missing
  }

  func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("layers") { writer in writer.array(layers) { $0.string($1.rawValue) } }
      writer.member("landlock_version", landlockVersion)
      writer.member("missing") { writer in writer.array(missing) { $0.string($1) } }
    }
  }
}
