internal import FWBase
internal import FWModel
internal import FWSystem
internal import Glibc

/// The address of a bucket, and the credentials for it. Values that the specification does not have are taken from the
/// places where Amazon's own tools look for them: the environment and `~/.aws` (docs.aws.amazon.com, "Configuration and
/// credential file settings"). Google's credentials are taken from `GS_ACCESS_KEY_ID` and `GS_SECRET_ACCESS_KEY`.
struct S3Bucket {
  /// The URL of the bucket, without a `/` at its end.
  let address: String
  /// The text before each key. It ends with a `/` unless it is empty.
  let prefix: [UInt8]
  /// The kind of signature, in the form that libcurl takes.
  let signature: String
  /// The access key and the secret key; `nil` if requests are not signed, as for a bucket that is open to all.
  let credentials: (user: String, secret: String)?
  let token: String?
  let credentialsHint: String

  init(_ spec: VolumeSpec) throws(StepFailure) {
    let arguments = spec.arguments
    let bucket = arguments["bucket"] ?? ""
    let isGoogle = spec.kind == .gc
    let profile = arguments["profile"] ?? S3Bucket.variable("AWS_PROFILE") ?? "default"
    let path = arguments["prefix"] ?? ""
    prefix = path.pieces(at: "/").flatMap { Array($0.utf8) + [UInt8(ascii: "/")] }

    let region =
      isGoogle
      ? "auto"
      : arguments["region"] ?? S3Bucket.variable("AWS_REGION") ?? S3Bucket.variable("AWS_DEFAULT_REGION")
        ?? S3Bucket.setting("region", profile, in: "config") ?? "us-east-1"
    signature = "aws:amz:\(region):s3"

    let endpoint =
      isGoogle
      ? arguments["endpoint"] ?? "https://storage.googleapis.com"
      : arguments["endpoint"] ?? S3Bucket.variable("AWS_ENDPOINT_URL_S3") ?? S3Bucket.variable("AWS_ENDPOINT_URL")
    let name = S3Bucket.escaped(Array(bucket.utf8), all: true)
    if let endpoint {
      address = "\(endpoint.without(suffix: "/") ?? endpoint[...])/\(name)"
    } else if bucket.utf8.contains(UInt8(ascii: ".")) {
      // A name with dots cannot be part of a host name that a certificate is valid for.
      address = "https://s3.\(region).amazonaws.com/\(name)"
    } else {
      address = "https://\(name).s3.\(region).amazonaws.com"
    }

    if let user = arguments["access_key"], let secret = arguments["secret_key"] {
      credentials = (user, secret)
      token = arguments["session_token"]
    } else if isGoogle {
      credentials = S3Bucket.both(S3Bucket.variable("GS_ACCESS_KEY_ID"), S3Bucket.variable("GS_SECRET_ACCESS_KEY"))
      token = nil
    } else if arguments["profile"] == nil,
      let both = S3Bucket.both(S3Bucket.variable("AWS_ACCESS_KEY_ID"), S3Bucket.variable("AWS_SECRET_ACCESS_KEY"))
    {
      credentials = both
      token = S3Bucket.variable("AWS_SESSION_TOKEN")
    } else {
      credentials = S3Bucket.both(
        S3Bucket.setting("aws_access_key_id", profile, in: "credentials"),
        S3Bucket.setting("aws_secret_access_key", profile, in: "credentials"))
      token = S3Bucket.setting("aws_session_token", profile, in: "credentials")
    }
    credentialsHint =
      isGoogle
      ? "set \"access_key\" and \"secret_key\", or GS_ACCESS_KEY_ID and GS_SECRET_ACCESS_KEY"
      : "set \"access_key\" and \"secret_key\", AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
        + "or a profile in ~/.aws/credentials"
  }

  func url(_ key: VolumeKey?) -> String {
    // The URL of the bucket itself needs a path that is not empty.
    guard let key else { return address + "/" }
    return address + "/" + S3Bucket.escaped(prefix + key.bytes, all: false)
  }

  private static func both(_ user: String?, _ secret: String?) -> (user: String, secret: String)? {
    if let user, let secret { return (user, secret) }
    return nil
  }

  private static func variable(_ name: String) -> String? { Environment.value(name) }

  /// A value from one of Amazon's two configuration files.
  private static func setting(_ key: String, _ profile: String, in file: String) -> String? {
    let named = variable(file == "config" ? "AWS_CONFIG_FILE" : "AWS_SHARED_CREDENTIALS_FILE")
    guard let path = named ?? variable("HOME").map({ "\($0)/.aws/\(file)" }), let text = Files.read(path) else {
      return nil
    }
    let section = file == "config" && profile != "default" ? "profile \(profile)" : profile
    return setting(key, section, in: text.bytes)
  }

  /// A value from a section of the text of such a file.
  static func setting(_ key: String, _ section: String, in text: UnsafeRawBufferPointer) -> String? {
    var isInside = false
    for line in text.split(separator: UInt8(ascii: "\n")) {
      let line = trimmed(line)
      if line.first == UInt8(ascii: "["), line.last == UInt8(ascii: "]") {
        isInside = String(decoding: trimmed(line.dropFirst().dropLast()), as: UTF8.self).isSame(as: section)
      } else if isInside, let equals = line.firstIndex(of: UInt8(ascii: "=")) {
        guard String(decoding: trimmed(line[..<equals]), as: UTF8.self).isSame(as: key) else { continue }
        return String(decoding: trimmed(line[(equals + 1)...]), as: UTF8.self)
      }
    }
    return nil
  }

  private static func trimmed(_ line: Slice<UnsafeRawBufferPointer>) -> Slice<UnsafeRawBufferPointer> {
    func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }
    let rest = line.drop { isSpace($0) }
    guard let last = rest.lastIndex(where: { !isSpace($0) }) else { return rest.prefix(0) }
    return rest[...last]
  }

  /// Escapes text in the form that S3 signs: everything except letters, digits and `-._~`, and in a path `/`.
  static func escaped(_ text: [UInt8], all: Bool) -> String {
    var result = ""
    for byte in text {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        result.unicodeScalars.append(Unicode.Scalar(byte))
      case UInt8(ascii: "/") where !all: result += "/"
      default:
        let digits = String(byte, radix: 16, uppercase: true)
        result += (byte < 16 ? "%0" : "%") + digits
      }
    }
    return result
  }

  /// The text without its escapes; `nil` if an escape is invalid.
  static func unescaped(_ text: [UInt8]) -> [UInt8]? {
    var bytes: [UInt8] = []
    var rest = text[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
        continue
      }
      let digits = rest.prefix(2)
      // Swift's reader of numbers would take a sign.
      guard digits.count == 2, digits.first != UInt8(ascii: "+"), digits.first != UInt8(ascii: "-"),
        let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
      else { return nil }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return bytes
  }
}
