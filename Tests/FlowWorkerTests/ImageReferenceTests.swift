import Testing

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
      ("", "", "latest", nil), (":", "", "", nil), ("@", "", "latest", ""), ("a:b:c", "a:b", "c", nil),
      ("\u{E9}:\u{E9}", "\u{E9}", "\u{E9}", nil),
      // A mark behind a separator makes one character with the separator.
      ("r/\u{301}b:\u{301}1@\u{301}d", "r/\u{301}b", "\u{301}1", "\u{301}d"),
    ] as [(String, String, String, String?)])
  func parts(_ text: String, _ name: String, _ tag: String, _ digest: String?) {
    let image = ImageReference(text)
    #expect(image.text == text && image.name == name && image.tag == tag && image.digest == digest)
  }

  @Test(
    "credentials are stored under the registry's name, and under a URL for Docker Hub",
    arguments: [
      ("busybox", hub), ("user/image:1", hub), ("docker.io/library/busybox", hub), ("index.docker.io/busybox", hub),
      ("localhost/busybox", "localhost"), ("localhost:5000/busybox", "localhost:5000"), ("host:80/b", "host:80"),
      ("quay.io/a/b@\(digest)", "quay.io"), ("registry.example.com:443/a/b/c:1", "registry.example.com:443"),
      ("127.0.0.1:5000/x", "127.0.0.1:5000"), ("host/x", hub),
    ])
  func registries(_ text: String, _ registry: String) {
    #expect(ImageReference(text).registry == registry)
  }

  @Test(
    "a pull asks for one image, never for all tags",
    arguments: [
      ("busybox", "fromImage=busybox&tag=latest"), ("busybox:1.36-glibc", "fromImage=busybox&tag=1.36-glibc"),
      ("localhost:5000/a/b:v1", "fromImage=localhost%3A5000%2Fa%2Fb&tag=v1"),
      ("busybox@sha256:ab", "fromImage=busybox%40sha256%3Aab"),
      ("r.io/b:2@sha256:ab", "fromImage=r.io%2Fb%40sha256%3Aab"),
      ("a b&tag=x:c#d", "fromImage=a%20b%26tag%3Dx&tag=c%23d"),
    ])
  func pullQueries(_ text: String, _ query: String) {
    #expect(ImageReference(text).pullQuery == query)
  }

  @Test("an image with several digests has the one of the name that was asked for")
  func digests() {
    let all = ["quay.io/tools/busybox@sha256:1", "docker.io/library/busybox@sha256:2", "busybox@sha256:3"]
    #expect(ImageReference("busybox:1").digest(among: all) == "busybox@sha256:3")
    #expect(ImageReference("library/busybox").digest(among: all) == "docker.io/library/busybox@sha256:2")
    #expect(ImageReference("quay.io/tools/busybox").digest(among: all) == "quay.io/tools/busybox@sha256:1")
    #expect(ImageReference("mine:5").digest(among: all) == "quay.io/tools/busybox@sha256:1")
    #expect(ImageReference("box").digest(among: ["a/busybox@sha256:4", "a/box@sha256:5"]) == "a/box@sha256:5")
    #expect(ImageReference("busybox").digest(among: []) == nil)
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

  @Test("a header has the alphabet for URLs, and both alphabets are read")
  func alphabets() {
    #expect(url(Array("~~~???".utf8)) == "fn5-Pz8_")
    #expect(Base64.decoded("fn5-Pz8_") == "~~~???" && Base64.decoded("fn5+Pz8/") == "~~~???")
    #expect(url([0, 0xFF, 0xFF, 0xFE]) == "AP___g==")
  }

  @Test("any text is decoded, with padding and without, and over several lines")
  func roundTrips() {
    var dice = Dice(3)
    let characters = ["a", ":", "=", "\u{E9}", "\u{1F600}", "\u{0}", "\n", "~", "?"]
    for _ in 0..<2000 {
      let text = (0..<dice.roll(12)).map { _ in characters[dice.roll(characters.count)] }.joined()
      let encoded = url(Array(text.utf8))
      #expect(encoded.utf8.count == (text.utf8.count + 2) / 3 * 4)
      #expect(Base64.decoded(encoded) == text)
      #expect(Base64.decoded(encoded.filter { $0 != "=" }) == text)
      #expect(Base64.decoded(encoded.map { "\($0)\n" }.joined()) == text)
    }
  }

  @Test("bytes that are not UTF-8 do not trap, and text that is not base64 is refused")
  func noText() {
    #expect(Base64.decoded("__4=") == "\u{FFFD}\u{FFFD}")
    for text in ["Zm9v!", "Z m8=", "\u{E9}", "Zm9v\u{1F600}", "{\"a\":1}", "Zm8=\r"] {
      #expect(Base64.decoded(text) == nil)
    }
    var dice = Dice(4)
    for _ in 0..<1000 {
      let bytes = (0..<dice.roll(40)).map { _ in UInt8(dice.roll(256)) }
      #expect(Base64.decoded(url(bytes)) == String(decoding: bytes, as: UTF8.self))
    }
  }
}
