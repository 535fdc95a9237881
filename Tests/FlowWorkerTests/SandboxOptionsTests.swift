import Testing

@testable import FWBase
@testable import FWModel
@testable import FWProcess

/// The sandbox of a document.
func sandbox(_ text: String = "true") throws -> SandboxOptions {
  let options = try withBytes(text) { text in
    try JSONText.read(text) { (json) throws(ValidationError) in try SandboxOptions.read(json) }
  }
  return try #require(options)
}

@Suite struct SandboxOptionsTests {
  @Test("the promises of true, and what they need")
  func defaults() throws {
    let options = try sandbox()
    #expect(options.writes.isEmpty && options.reads == nil && options.isRequired)
    #expect(options.hasPrivateTmp && options.hasOwnProcesses && options.refusedCalls.isEmpty)
    guard case .none = options.network else {
      Issue.record("a network")
      return
    }
    // View, processes, network, /tmp and filter.
    #expect(options.neededLayers == 1 | 2 | 4 | 8 | 32 && options.leastLandlock == 0)
    let same = try sandbox("{}")
    #expect(same.neededLayers == options.neededLayers)
  }

  /// Promises, the layers that they need (1 view, 2 processes, 4 network, 8 /tmp, 16 Landlock, 32 filter), and the
  /// version of Landlock.
  private static let needs: [(String, UInt32, UInt32)] = [
    (#"{"network": "host", "private_tmp": false, "processes": "host"}"#, 48, 3),
    (#"{"network": "host", "private_tmp": false, "processes": "host", "read": ["/usr"]}"#, 48, 3),
    (#"{"network": {"tcp_connect": [80]}, "private_tmp": false, "processes": "host"}"#, 48, 4),
    (#"{"network": "none", "private_tmp": false, "processes": "host"}"#, 48, 3),
    (#"{"network": "host"}"#, 43, 0),
    (#"{"read": ["/usr"]}"#, 63, 1),
    (#"{"network": {"tcp_connect": [80, 443]}}"#, 59, 4),
  ]

  @Test("a promise needs the layers that keep it, and no others", arguments: needs)
  func layers(_ text: String, _ layers: UInt32, _ landlock: UInt32) throws {
    let options = try sandbox(text)
    #expect(options.neededLayers == layers && options.leastLandlock == landlock)
  }

  @Test("paths are sorted and plain, without doubles; those in each other stay")
  func paths() throws {
    let options = try sandbox(#"{"write": ["/b/", "//a//c", "/a", "/b", "/a-b"], "read": ["/z", "/z/", "/y"]}"#)
    #expect(options.writes == ["/a", "/a-b", "/a/c", "/b"])
    #expect(options.reads == ["/y", "/z"] && options.optionalReads == 0)
  }

  @Test("\"system\" is written out behind the document's own paths, and need not exist")
  func system() throws {
    let options = try sandbox(#"{"read": ["system", "/data", "/usr"]}"#)
    let reads = try #require(options.reads)
    #expect(reads.prefix(2) == ["/data", "/usr"] && reads.count - 2 == options.optionalReads)
    #expect(reads.contains("/lib64") && reads.contains("/etc/ld.so.cache"))
    #expect(reads.filter { $0 == "/usr" }.count == 1)
  }

  @Test("a list of reads with the root is everything")
  func root() throws {
    let options = try sandbox(#"{"read": ["/", "system"]}"#)
    #expect(options.reads == nil && options.optionalReads == 0 && !options.needsLandlock)
    // What a sandbox hides is shown again only where it is named.
    #expect(try sandbox(#"{"read": ["/", "/tmp/tools"]}"#).reads == ["/", "/tmp/tools"])
  }

  @Test("what leads to hidden places is not inherited")
  func environment() throws {
    func hidden(_ options: SandboxOptions) -> [String] {
      ["XDG_RUNTIME_DIR", "SSH_AUTH_SOCK", "TMPDIR", "TEMP", "HOME", "TMPDIRS", "PATH", ""].filter { name in
        withBytes(name) { options.hides($0) }
      }
    }
    #expect(hidden(try sandbox()) == ["XDG_RUNTIME_DIR", "SSH_AUTH_SOCK", "TMPDIR", "TEMP"])
    #expect(hidden(try sandbox(#"{"private_tmp": false, "processes": "host"}"#)) == [])
  }
}
