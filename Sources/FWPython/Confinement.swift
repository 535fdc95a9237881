internal import FWBase
internal import FWProcess
internal import FWSystem

/// What bounds an interpreter that does one job, and where it does it.
///
/// A job may change all that belongs to its sandbox, such as its /tmp, and the interpreter itself, which is of the same
/// user. So no other job follows. No descriptor of the run directory goes to the interpreter, because it would lead to
/// the host's own tree: the interpreter starts in the run directory, as its sandbox shows it.
struct Confinement {
  let options: SandboxOptions
  let request: SandboxRequest
  let rundir: Descriptor
  /// The path of the run directory.
  let path: CText
}

extension SandboxOptions {
  /// How an interpreter and a kernel talk with each other; `nil`: as without a sandbox.
  var transport: String? {
    // Without a view only the run directory may be written to, whose path may be too long for a Unix socket. A sandbox
    // that is not required may come to be without one.
    hasView && isRequired ? nil : "tcp"
  }

  /// Refuses a sandbox in which no kernel could be talked with. ipykernel uses TCP also where its client does not.
  func checkSockets() throws(ValidationError) {
    switch network {
    case .host: return
    case .none:
      // There is a loopback in a network namespace only.
      if hasView { return }
      throw ValidationError(
        "a notebook talks with its kernel by a loopback, which a sandbox without namespaces has with \"host\" only: "
          + "write \"network\": \"host\", or leave \"processes\" and \"private_tmp\" out")
    case .connect:
      throw ValidationError(
        "a notebook talks with its kernel by TCP on any port of 127.0.0.1: write \"network\": \"none\", which has a "
          + "loopback of its own, or \"host\""
      ).inside("network")
    }
  }
}
