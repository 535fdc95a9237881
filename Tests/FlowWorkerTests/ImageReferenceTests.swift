import Testing

@testable import FWBase
@testable import FWDocker

@Suite struct ImageReferenceTests {
  private static let digest = "sha256:9ae97d36d26566ff84e8893c64a6dc4fe8ca6d1144bf5b87b2b85a32def253c7"
  private static let hub = "https://index.docker.io/v1/"

  @Test(
    "a reference has a name, a tag and a digest",
    arguments: [
      ("busybox", "busybox", "latest", nil), ("busybox:1.36", "busybox", "1.36", nil),
      ("library/busybox:1.36", "library/busybox", "1.36", nil),
      // The text behind a colon is a port if there is a slash behind it.
      ("localhost:5000/busybox", "localhost:5000/busybox", "latest", nil),
      ("localhost:5000/a/b:v1", "localhost:5000/a/b", "v1", nil), ("[::1]:5000/b", "[::1]:5000/b", "latest", nil),
      ("busybox@\(digest)", "busybox", "latest", digest), ("r.io:80/b:2@\(digest)", "r.io:80/b", "2", digest),
      ("localhost:5000", "localhost", "5000", nil), ("a--b.c__d/e_f", "a--b.c__d/e_f", "latest", nil),
      ("A/b", "A/b", "latest", nil), ("reg_x.io/a:_T.1", "reg_x.io/a", "_T.1", nil),
    ] as [(String, String, String, String?)])
  func parts(_ text: String, _ name: String, _ tag: String, _ digest: String?) throws {
    let image = try ImageReference(text)
    #expect(image.text == text && image.name == name && image.tag == tag && image.digest == digest && !image.isID)
  }

  // These are the answers of docker 28.2.2 to `docker create`.
  @Test(
    "a name that the docker CLI refuses is refused",
    arguments: [
      "", "../x", "http://x/y", "Foo", "foo:", "foo:-x", "foo:.x", "foo:\(String(repeating: "a", count: 129))",
      "foo@sha256:\(String(repeating: "a", count: 63))", "foo@md5:\(String(repeating: "a", count: 32))",
      "foo@sha256:\(String(repeating: "A", count: 64))", "foo@", "foo:tag@", "foo@sha256:", "a@b", "user@host/foo",
      "a//b", "/a", "a/", "a/B", "localhost/Foo", "a..b", "a___b", "a-", "_a", ".foo", "foo.", "reg.io:/a",
      "reg.io:x/a",
      "reg-.io/a", "reg..io/x", "[:x]/a", " foo", "foo ", "foo bar", "foo?x", "foo#x", "foo%41", "foo:a:b", "foo\n",
      "\u{E9}", "r/\u{301}b", ":", "@", String(repeating: "x", count: 248), "a/" + String(repeating: "x", count: 254),
      "reg.io/" + String(repeating: "x", count: 256),
    ])
  func faults(_ text: String) {
    #expect { _ = try ImageReference(text) } throws: {
      let failure = $0 as? StepFailure
      return failure?.outcome == .spawnFailed && failure?.reason.contains("is not the name of an image") == true
    }
  }

  @Test("the longest names and tags are taken")
  func longest() throws {
    for text in [
      String(repeating: "x", count: 247), "a/" + String(repeating: "x", count: 253),
      "reg.io/" + String(repeating: "x", count: 255), "foo:" + String(repeating: "a", count: 128),
      "foo@sha512:" + String(repeating: "a", count: 128),
    ] {
      #expect(try ImageReference(text).text == text)
    }
  }

  @Test("the ID of an image is no name")
  func identifiers() throws {
    for text in [
      String(repeating: "a", count: 64), ImageReferenceTests.digest, "sha512:" + String(repeating: "0", count: 128),
    ] {
      #expect(try ImageReference(text).isID)
    }
    #expect(try !ImageReference(String(repeating: "a", count: 12)).isID)
  }

  @Test(
    "credentials are stored under the registry's name, and under a URL for Docker Hub",
    arguments: [
      ("busybox", hub), ("user/image:1", hub), ("docker.io/library/busybox", hub), ("index.docker.io/busybox", hub),
      ("localhost/busybox", "localhost"), ("localhost:5000/busybox", "localhost:5000"), ("host:80/b", "host:80"),
      ("quay.io/a/b@\(digest)", "quay.io"), ("registry.example.com:443/a/b/c:1", "registry.example.com:443"),
      ("127.0.0.1:5000/x", "127.0.0.1:5000"), ("host/x", hub),
      ("Registry/x", "Registry"), ("registry-1.docker.io/a/b", "registry-1.docker.io"), ("[::1]:5000/x", "[::1]:5000"),
    ])
  func registries(_ text: String, _ registry: String) throws {
    #expect(try ImageReference(text).registry == registry)
  }

  @Test(
    "a pull asks for one image, never for all tags",
    arguments: [
      ("busybox", "fromImage=busybox&tag=latest"), ("busybox:1.36-glibc", "fromImage=busybox&tag=1.36-glibc"),
      ("localhost:5000/a/b:v1", "fromImage=localhost%3A5000%2Fa%2Fb&tag=v1"),
      ("r.io/b:2@\(digest)", "fromImage=r.io%2Fb%40" + digest.split(separator: ":").joined(separator: "%3A")),
    ])
  func pullQueries(_ text: String, _ query: String) throws {
    #expect(try ImageReference(text).pullQuery == query)
  }

  @Test("an image with several digests has the one of the name that was asked for")
  func digests() throws {
    let all = ["quay.io/tools/busybox@sha256:1", "docker.io/library/busybox@sha256:2", "busybox@sha256:3"]
    #expect(try ImageReference("busybox:1").digest(among: all) == "busybox@sha256:3")
    #expect(try ImageReference("library/busybox").digest(among: all) == "docker.io/library/busybox@sha256:2")
    #expect(try ImageReference("quay.io/tools/busybox").digest(among: all) == "quay.io/tools/busybox@sha256:1")
    #expect(try ImageReference("mine:5").digest(among: all) == "quay.io/tools/busybox@sha256:1")
    #expect(try ImageReference("box").digest(among: ["a/busybox@sha256:4", "a/box@sha256:5"]) == "a/box@sha256:5")
    #expect(try ImageReference("busybox").digest(among: []) == nil)
  }
}

@Suite struct URLTextTests {
  /// The bytes that an escaped text stands for; `nil` if it has a character that must be escaped.
  private func bytes(_ escaped: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    var rest = Substring(escaped)
    while let first = rest.popFirst() {
      if first == "%" {
        guard rest.count >= 2, let byte = UInt8(rest.prefix(2), radix: 16) else { return nil }
        guard rest.prefix(2).allSatisfy({ $0.isNumber || $0.isUppercase }) else { return nil }
        bytes.append(byte)
        rest = rest.dropFirst(2)
      } else {
        guard let byte = first.asciiValue, first.isLetter || first.isNumber || "-._~".contains(first) else {
          return nil
        }
        bytes.append(byte)
      }
    }
    return bytes
  }

  @Test("only the characters that RFC 3986 calls unreserved stay as they are")
  func escaped() {
    for byte in UInt8(0)..<128 {
      let text = String(Unicode.Scalar(byte))
      #expect(bytes(URLText.escaped(text)) == [byte])
    }
    let plain = "ABCXYZabcxyz0189-._~"
    #expect(URLText.escaped(plain) == plain)
    #expect(URLText.escaped("{\"label\":[\"a b\"]}") == "%7B%22label%22%3A%5B%22a%20b%22%5D%7D")
    #expect(URLText.escaped("\u{E9}\u{1F600}") == "%C3%A9%F0%9F%98%80")
    #expect(URLText.escaped("a+b%20/..\r\n") == "a%2Bb%2520%2F..%0D%0A")
    #expect(URLText.escaped("") == "")
  }
}

@Suite struct Base64Tests {
  private func url(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { Base64.url($0) } }

  @Test(
    "the examples of RFC 4648 are encoded and decoded",
    arguments: [
      ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
      ("foobar", "Zm9vYmFy"),
    ])
  func examples(_ text: String, _ encoded: String) {
    #expect(url(Array(text.utf8)) == encoded)
    #expect(Base64.decoded(encoded) == text)
  }

  @Test("a header has the alphabet for URLs, and the configuration the standard one")
  func alphabets() {
    #expect(url(Array("~~~???".utf8)) == "fn5-Pz8_")
    #expect(Base64.decoded("fn5-Pz8_") == nil && Base64.decoded("fn5+Pz8/") == "~~~???")
    #expect(url([0, 0xFF, 0xFF, 0xFE]) == "AP___g==")
  }

  private func standard(_ encoded: String) -> String {
    String(encoded.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
  }

  @Test("any text is decoded, with its padding, and over several lines")
  func roundTrips() {
    var dice = Dice(3)
    let characters = ["a", ":", "=", "\u{E9}", "\u{1F600}", "\u{0}", "\n", "~", "?"]
    for _ in 0..<2000 {
      let text = (0..<dice.roll(12)).map { _ in characters[dice.roll(characters.count)] }.joined()
      let encoded = url(Array(text.utf8))
      #expect(encoded.utf8.count == (text.utf8.count + 2) / 3 * 4)
      #expect(Base64.decoded(standard(encoded)) == text)
      #expect(Base64.decoded(standard(encoded).map { "\($0)\r\n" }.joined()) == text)
      let bare = encoded.filter { $0 != "=" }
      #expect((Base64.decoded(standard(bare)) == nil) == (bare != encoded))
    }
  }

  @Test("bytes that are not UTF-8 do not trap, and text that is not base64 is refused")
  func noText() {
    #expect(Base64.decoded("//4=") == "\u{FFFD}\u{FFFD}")
    for text in ["Zm9v!", "Z m8=", "\u{E9}", "Zm9v\u{1F600}", "{\"a\":1}", "Zm8", "Zm8==", "Z===", "Z=m8", "===="] {
      #expect(Base64.decoded(text) == nil)
    }
    var dice = Dice(4)
    for _ in 0..<1000 {
      let bytes = (0..<dice.roll(40)).map { _ in UInt8(dice.roll(256)) }
      #expect(Base64.decoded(standard(url(bytes))) == String(decoding: bytes, as: UTF8.self))
    }
  }
}
