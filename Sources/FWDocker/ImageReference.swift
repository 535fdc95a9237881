internal import FWBase

/// The name of an image, in the form of `docker run`: [HOST[:PORT]/]NAME[:TAG][@DIGEST], or the ID of an image. The
/// grammar is that of the docker CLI (distribution/reference: normalize.go, regexp.go).
struct ImageReference {
  /// The whole text of the reference.
  let text: String
  /// The name without tag and digest.
  let name: String
  /// The tag; `latest` if none is given, because an engine would otherwise pull all tags. A digest takes precedence.
  let tag: String
  let digest: String?
  /// Whether the text is the ID of an image, which an engine has or has not: no registry is asked for an ID.
  let isID: Bool
  /// The name under which the CLI stores the credentials of the registry.
  let registry: String

  /// The name of Docker Hub in the CLI's configuration.
  private static let hub = "https://index.docker.io/v1/"
  /// The most characters of a name without its registry.
  private static let longestPath = 255
  private static let longestTag = 128
  /// The kinds of digests, with the number of their digits.
  private static let digests = [("sha256", 64), ("sha384", 96), ("sha512", 128)]

  init(_ text: String) throws(StepFailure) {
    self.text = text
    let isHexID = text.utf8.count == 64 && text.utf8.allSatisfy(ImageReference.isHexDigit)
    if isHexID || ImageReference.isDigest(text) {
      (name, tag, digest, isID, registry) = (text, "latest", nil, true, ImageReference.hub)
      return
    }
    isID = false
    let (rest, digest) = text.cut(at: "@") ?? (text[...], nil)
    self.digest = digest.map(String.init)
    // A colon before a "/" belongs to the port of a registry.
    if let (before, behind) = rest.cut(atLast: ":"), !behind.utf8.contains(UInt8(ascii: "/")) {
      tag = String(behind)
      name = String(before)
    } else {
      tag = "latest"
      name = String(rest)
    }
    let (host, path) = ImageReference.parts(name)
    registry = host ?? ImageReference.hub
    if let fault = ImageReference.fault(text, host, path, tag, self.digest) {
      throw StepFailure("\(MessageFormat.quoted(text, limit: 200)) is not the name of an image: \(fault)")
    }
  }

  /// The host of the registry, `nil` for Docker Hub, and the name without it.
  private static func parts(_ name: String) -> (host: String?, path: String) {
    guard let (first, rest) = name.cut(at: "/") else { return (nil, name) }
    if first.isSame(as: "docker.io") || first.isSame(as: "index.docker.io") { return (nil, String(rest)) }
    // A first part is a host if it cannot be the name of a user.
    let isHost =
      first.contains(".") || first.contains(":") || first.isSame(as: "localhost")
      || first.utf8.contains(where: isCapital)
    return isHost ? (String(first), String(rest)) : (nil, name)
  }

  // MARK: What is wrong with a name

  private static func fault(_ text: String, _ host: String?, _ path: String, _ tag: String, _ digest: String?)
    -> String?
  {
    if text.isEmpty { return "it is empty, and only workers without containers need no image" }
    if text.contains("://") { return "an image has no URL; write it as HOST/NAME:TAG" }
    let form = "expected [HOST[:PORT]/]NAME[:TAG][@DIGEST], such as \"debian:12\""
    if path.utf8.contains(where: isCapital) { return "the name of a repository must be in small letters" }
    if let host, !isHost(host), !isComponent(host[...]) {
      return "\(MessageFormat.quoted(host)) is not the host of a registry"
    }
    guard path.pieces(at: "/", keepingEmpty: true).allSatisfy(isComponent) else { return form }
    // An official image has the full name "library/NAME".
    let count = path.utf8.count + (host == nil && !path.contains("/") ? "library/".utf8.count : 0)
    if count > longestPath { return "the name of a repository has at most \(longestPath) characters" }
    if !isTag(tag) {
      return "a tag has 1 to \(longestTag) letters, digits, \"_\", \".\" and \"-\", and begins with neither \".\" nor "
        + "\"-\""
    }
    if let digest, !isDigest(digest) { return "a digest is \"sha256:\" with 64 hexadecimal digits" }
    return nil
  }

  private static func isCapital(_ byte: UInt8) -> Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }
  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
  private static func isSmall(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
  private static func isHexDigit(_ byte: UInt8) -> Bool {
    isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
  }

  private static func isDigest(_ text: String) -> Bool {
    digests.contains { algorithm, count in
      guard let digits = text.without(prefix: "\(algorithm):") else { return false }
      return digits.utf8.count == count && digits.utf8.allSatisfy(isHexDigit)
    }
  }

  private static func isTag(_ tag: String) -> Bool {
    guard let first = tag.utf8.first, tag.utf8.count <= longestTag else { return false }
    func isWord(_ byte: UInt8) -> Bool {
      isDigit(byte) || isSmall(byte) || isCapital(byte) || byte == UInt8(ascii: "_")
    }
    return isWord(first)
      && tag.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
  }

  /// Whether a text is a part of a name between slashes: words of small letters and digits, joined by a ".", one or two
  /// "_", or any number of "-".
  private static func isComponent(_ part: Substring) -> Bool {
    var joint: [UInt8] = []
    var hasWord = false
    for byte in part.utf8 {
      if isDigit(byte) || isSmall(byte) {
        let isJoint =
          joint.isEmpty || joint == [UInt8(ascii: ".")] || joint == [UInt8(ascii: "_")]
          || joint == [UInt8(ascii: "_"), UInt8(ascii: "_")] || joint.allSatisfy { $0 == UInt8(ascii: "-") }
        guard isJoint else { return false }
        joint.removeAll(keepingCapacity: true)
        hasWord = true
      } else {
        guard hasWord, byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") else {
          return false
        }
        joint.append(byte)
      }
    }
    return hasWord && joint.isEmpty
  }

  /// Whether a text is a host name or an address, with a port or without one.
  private static func isHost(_ text: String) -> Bool {
    var host = text[...]
    if let (before, port) = text.cut(atLast: ":"), !port.utf8.contains(UInt8(ascii: "]")) {
      guard !port.isEmpty, port.utf8.allSatisfy(isDigit) else { return false }
      host = before
    }
    if let address = host.without(prefix: "[")?.without(suffix: "]") {
      return !address.isEmpty
        && address.utf8.allSatisfy {
          isHexDigit($0) || (UInt8(ascii: "A")...UInt8(ascii: "F")).contains($0) || $0 == UInt8(ascii: ":")
        }
    }
    return host.pieces(at: ".", keepingEmpty: true).allSatisfy { part in
      guard let first = part.utf8.first, let last = part.utf8.last else { return false }
      func isLetter(_ byte: UInt8) -> Bool { isDigit(byte) || isSmall(byte) || isCapital(byte) }
      return isLetter(first) && isLetter(last)
        && part.utf8.allSatisfy { isLetter($0) || $0 == UInt8(ascii: "-") }
    }
  }
}

extension ImageReference {
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

  /// The decoded text; `nil` if the text is not Base64 with the standard alphabet and padding. Line ends are skipped.
  static func decoded(_ text: String) -> String? {
    var bytes: [UInt8] = []
    var group = 0
    var digits = 0
    var padding = 0
    for character in text.utf8 where character != UInt8(ascii: "\n") && character != UInt8(ascii: "\r") {
      let value: Int
      switch character {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = Int(character) - 65
      case UInt8(ascii: "a")...UInt8(ascii: "z"): value = Int(character) - 97 + 26
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = Int(character) - 48 + 52
      case UInt8(ascii: "+"): value = 62
      case UInt8(ascii: "/"): value = 63
      case UInt8(ascii: "="):
        padding += 1
        continue
      default: return nil
      }
      if padding > 0 { return nil }
      group = (group << 6 | value) & 0xFFFFFF
      digits += 1
      // Four digits are three bytes: each digit but the first one completes a byte, and leaves 4, 2 or 0 bits.
      if digits & 3 != 1 { bytes.append(UInt8(truncatingIfNeeded: group >> ((8 - 2 * (digits & 3)) & 7))) }
    }
    guard (digits + padding) & 3 == 0, padding < 3 else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }
}
