internal import FWBase

/// The name of an image, in the form of `docker run`.
struct ImageReference {
  /// The whole text of the reference.
  let text: String
  /// The name without tag and digest.
  let name: String
  /// The tag; `latest` if none is given, because an engine would otherwise pull all tags. A digest takes precedence.
  let tag: String
  let digest: String?

  init(_ text: String) {
    self.text = text
    let (rest, digest) = text.cut(atLast: "@") ?? (text[...], nil)
    self.digest = digest.map(String.init)
    // A colon before a "/" belongs to the port of a registry.
    if let (before, behind) = rest.cut(atLast: ":"), !behind.utf8.contains(UInt8(ascii: "/")) {
      tag = String(behind)
      name = String(before)
    } else {
      tag = "latest"
      name = String(rest)
    }
  }

  /// The name under which the CLI stores the credentials of the registry.
  var registry: String {
    guard let (first, _) = name.cut(at: "/") else { return ImageReference.hub }
    guard first.contains(".") || first.contains(":") || first.isSame(as: "localhost") else { return ImageReference.hub }
    return first.isSame(as: "docker.io") || first.isSame(as: "index.docker.io") ? ImageReference.hub : String(first)
  }

  /// The name of Docker Hub in the CLI's configuration.
  private static let hub = "https://index.docker.io/v1/"

  /// The query of a pull.
  var pullQuery: String {
    if let digest { return "fromImage=\(URLText.escaped("\(name)@\(digest)"))" }
    return "fromImage=\(URLText.escaped(name))&tag=\(URLText.escaped(tag))"
  }

  /// The element of an image's `RepoDigests` that belongs to this name.
  func digest(among all: [String]) -> String? {
    all.first { $0.begins(with: "\(name)@") } ?? all.first { $0.contains("/\(name)@") } ?? all.first
  }
}

/// Escapes text for a URL.
enum URLText {
  static func escaped(_ text: String) -> String {
    var escaped = ""
    let digits = Array("0123456789ABCDEF".unicodeScalars)
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        escaped.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        escaped.unicodeScalars.append("%")
        escaped.unicodeScalars.append(digits[Int(byte >> 4)])
        escaped.unicodeScalars.append(digits[Int(byte & 15)])
      }
    }
    return escaped
  }
}

/// Base64. The header with a registry's credentials uses the alphabet for URLs, and the CLI's configuration the
/// standard alphabet.
enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

  static func url(_ bytes: UnsafeRawBufferPointer) -> String {
    var text: [UInt8] = []
    var offset = 0
    while offset < bytes.count {
      let count = min(3, bytes.count - offset)
      var group = 0
      for index in 0..<3 { group = group << 8 | (index < count ? Int(bytes[offset + index]) : 0) }
      for index in 0..<4 {
        text.append(index <= count ? alphabet[group >> (18 - 6 * index) & 63] : UInt8(ascii: "="))
      }
      offset += 3
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// The decoded text; `nil` if the text is not Base64.
  static func decoded(_ text: String) -> String? {
    var bytes: [UInt8] = []
    var group = 0
    var bits = 0
    for character in text.utf8 where character != UInt8(ascii: "=") && character != UInt8(ascii: "\n") {
      let value: Int
      switch character {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = Int(character) - 65
      case UInt8(ascii: "a")...UInt8(ascii: "z"): value = Int(character) - 97 + 26
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = Int(character) - 48 + 52
      case UInt8(ascii: "+"), UInt8(ascii: "-"): value = 62
      case UInt8(ascii: "/"), UInt8(ascii: "_"): value = 63
      default: return nil
      }
      group = (group << 6 | value) & 0xFFFFFF
      bits += 6
      if bits >= 8 {
        bits -= 8
        bytes.append(UInt8(truncatingIfNeeded: group >> bits))
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
