import Testing

@testable import FWBase
@testable import FWDocker
@testable import FWHTTP

@Suite struct EngineAddressTests {
  @Test(
    "a Unix socket",
    arguments: [
      ("unix:///var/run/docker.sock", "/var/run/docker.sock"), ("unix:///a b/\u{E9}", "/a b/\u{E9}"),
      ("unix:///\u{301}x", "/\u{301}x"),
    ])
  func sockets(_ text: String, _ path: String) throws {
    let address = try EngineAddress(text)
    #expect(address.text == text && address.socket == path && !address.needsTLS)
    let endpoint = EngineEndpoint(address, certificates: "/certs", source: "here")
    #expect(endpoint.address == text && endpoint.source == "here")
    // A Unix socket needs no TLS.
    #expect(endpoint.peer == HTTPPeer(socket: path, base: "http://engine", certificates: nil))
  }

  @Test(
    "an address of the network, with the engine's own port where it says none",
    arguments: [
      ("tcp://host:1234", "host:1234", false), ("tcp://host", "host:2375", false),
      ("tcp://127.0.0.1", "127.0.0.1:2375", false),
      ("http://host", "host:2375", false), ("http://host:80/", "host:80", false), ("https://host", "host:2376", true),
      ("https://my-host_2.example.com:443//", "my-host_2.example.com:443", true),
      ("tcp://[::1]:2375", "[::1]:2375", false),
      ("tcp://[fe80::1]:99", "[fe80::1]:99", false), ("tcp://[::1]:", "[::1]:2375", false),
      ("tcp://[::1]", "[::1]:2375", false), ("tcp://host:", "host:2375", false),
    ])
  func network(_ text: String, _ authority: String, _ needsTLS: Bool) throws {
    let address = try EngineAddress(text)
    #expect(address.text == text && address.socket == nil && address.authority == authority)
    #expect(address.needsTLS == needsTLS)
    let plain = EngineEndpoint(address, certificates: nil, source: "").peer
    #expect(plain == HTTPPeer(base: "\(needsTLS ? "https" : "http")://\(authority)"))
    // A worker with certificates wants TLS.
    let secure = EngineEndpoint(address, certificates: "/certs", source: "").peer
    #expect(secure == HTTPPeer(base: "https://\(authority)", certificates: "/certs"))
  }

  @Test(
    "an invalid address is refused with an example of a valid one",
    arguments: [
      "", "host", "host:2375", "unix://", "unix:///", "unix://relative/path", "unix:/one/slash",
      "tcp://", "tcp:///", "tcp://:2375", "http://", "https:///", "tcp://host:x", "tcp://host:0", "tcp://host:99999",
      "tcp://host:-1", "tcp://a:b:1", "tcp://host/path",
      "tcp://user@host", "tcp://a b",
      "tcp://host?x", "tcp://host#x", "tcp://h\u{E9}", "tcp://host:1\r\nX-Header: 1", "npipe:////./pipe/docker_engine",
      "fd://", "TCP://host", " tcp://host", "tcp:host",
    ])
  func faults(_ text: String) {
    #expect { try EngineAddress(text) } throws: {
      ($0 as? EngineAddress.Fault)?.text
        == "invalid engine address \(MessageFormat.quoted(text, limit: 200)): use unix:///PATH or tcp://HOST:PORT"
    }
  }

  // These are the answers of docker 28.2.2.
  @Test(
    "DOCKER_HOST may lack parts",
    arguments: [
      ("host", "tcp://host", "host:2375"), ("host:77", "tcp://host:77", "host:77"),
      (":77", "tcp://localhost:77", "localhost:77"),
      ("tcp://", "tcp://localhost", "localhost:2375"), ("tcp://:77", "tcp://localhost:77", "localhost:77"),
      (" tcp://host:1\n", "tcp://host:1", "host:1"), ("unix://", "unix:///var/run/docker.sock", "engine"),
      (" unix:///s ", "unix:///s", "engine"),
    ])
  func variables(_ text: String, _ full: String, _ authority: String) throws {
    let address = try EngineAddress(variable: text)
    #expect(address.text == full && address.authority == authority)
  }

  @Test("DOCKER_HOST is no bare path", arguments: ["/var/run/docker.sock", "unix:/s", "fd://", "TCP://host", "host/x"])
  func invalidVariables(_ text: String) {
    #expect(throws: EngineAddress.Fault.self) { try EngineAddress(variable: text) }
  }

  @Test("ssh is refused, and the message says what to do instead")
  func ssh() {
    #expect { try EngineAddress("ssh://me@host") } throws: {
      let text = ($0 as? EngineAddress.Fault)?.text ?? ""
      return text.contains("\"ssh://me@host\": ") && text.contains("ssh -L ") && text.contains("unix:///")
    }
  }
}

@Suite struct EngineTimeTests {
  // Python's datetime gives these numbers.
  @Test(
    "a time of RFC 3339 in seconds since 1970",
    arguments: [
      ("1970-01-01T00:00:00Z", 0), ("2026-11-25T03:17:37Z", 1_795_576_657),
      ("2024-02-29T23:59:59+01:00", 1_709_247_599),
      ("2024-02-29T23:59:59.5-05:30", 1_709_270_999.5), ("2038-01-19T03:14:08Z", 2_147_483_648),
      ("1969-12-31T23:59:59.25Z", -0.75), ("9999-12-31T23:59:59Z", 253_402_300_799),
      // The engine gives this time for a container that has never started.
      ("0001-01-01T00:00:00Z", -62_135_596_800),
    ])
  func times(_ text: String, _ seconds: Double) {
    #expect(EngineTime.seconds(text) == seconds)
  }

  @Test("a second has any number of digits")
  func fractions() throws {
    let nine = try #require(EngineTime.seconds("2026-11-25T03:17:37.784828236Z"))
    #expect(abs(nine - 1_795_576_657.784828236) < 1e-6)
    let many = try #require(EngineTime.seconds("2026-11-25T03:17:37.\(String(repeating: "9", count: 500))+00:00"))
    #expect(abs(many - 1_795_576_658) < 1e-6)
    #expect(EngineTime.seconds("2026-11-25T03:17:37.Z") == 1_795_576_657)
  }

  @Test(
    "a month is one of twelve",
    arguments: [
      "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-32T00:00:00Z", "2026-01-01T24:00:00Z",
      "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z",
    ])
  func ranges(_ text: String) { #expect(EngineTime.seconds(text) == nil) }

  @Test("a time that is cut is refused, and nothing traps")
  func faults() {
    let whole = Array("2026-11-25T03:17:37+02:00".utf8)
    for count in 0..<whole.count where count != 19 {
      #expect(EngineTime.seconds(String(decoding: whole.prefix(count), as: UTF8.self)) == nil)
    }
    for text in ["", "never", "2026-11-25 at noon....", "-", "\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}"] {
      #expect(EngineTime.seconds(text) == nil)
    }
    var dice = Dice(5)
    for _ in 0..<5000 {
      var bytes = whole
      for _ in 0...dice.roll(4) { bytes[dice.roll(bytes.count)] = Array("+-.Z90:\u{E9}".utf8)[dice.roll(9)] }
      if let seconds = EngineTime.seconds(String(decoding: bytes, as: UTF8.self)) { #expect(seconds.isFinite) }
    }
  }
}
