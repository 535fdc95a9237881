package import FWBase
internal import FWModel

/// What a plan says about a sandbox. Nothing is tried for it, so it is the same on every machine.
extension SandboxOptions {
  /// The promises in the form of a document, and the layers that they need.
  func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("write") { writer in writer.array(writes) { $0.string($1) } }
      writer.member("read") { writer in
        if let reads { writer.array(reads) { $0.string($1) } } else { writer.string("all") }
      }
      writer.member("network") { network.write(to: &$0) }
      writer.member("private_tmp", hasPrivateTmp)
      writer.member("processes", processes.rawValue)
      writer.member("syscalls") { writer in
        if refusedCalls.isEmpty { return writer.string("default") }
        writer.object { writer in
          writer.member("refuse") { writer in writer.array(refusedCalls) { $0.string($1) } }
        }
      }
      writer.member("required", isRequired)
      writer.member("needs") { writer in
        writer.array(SandboxFacts.layers(neededLayers)) { $0.string($1.rawValue) }
      }
    }
  }

  /// The promises in one line.
  package var summary: String {
    var parts = ["writes the run directory" + (writes.isEmpty ? "" : " and \(SandboxOptions.count(writes))")]
    parts.append("reads " + (reads.map { SandboxOptions.count($0) } ?? "everything"))
    parts.append(network.summary)
    parts.append(hasOwnProcesses ? "own processes" : "processes of the host")
    parts.append(hasPrivateTmp ? "own /tmp" : "/tmp of the host")
    if !isRequired { parts.append("as far as the system can keep this") }
    return parts.joined(separator: ", ")
  }

  private static func count(_ paths: [String]) -> String {
    paths.count == 1 ? "1 path" : "\(paths.count) paths"
  }
}

extension SandboxOptions? {
  /// The promises of a worker, in its plan; null if it has none.
  package func write(to writer: inout JSONWriter) {
    if let self { self.write(to: &writer) } else { writer.null() }
  }
}

extension SandboxOptions.Network {
  fileprivate func write(to writer: inout JSONWriter) {
    switch self {
    case .host: writer.string("host")
    case .none: writer.string("none")
    case .connect(let ports):
      writer.object { writer in
        writer.member("tcp_connect") { writer in writer.array(ports) { $0.number(Int($1)) } }
      }
    }
  }

  fileprivate var summary: String {
    switch self {
    case .host: return "network of the host"
    case .none: return "no network"
    case .connect(let ports):
      let shown =
        ports.count > 8
        ? "\(ports.count) ports"
        : ports.count == 1
          ? "port \(ports[0])"
          : "ports "
            + ports.map { "\($0)" }.joined(separator: ", ")
      return "TCP to " + shown
    }
  }
}
