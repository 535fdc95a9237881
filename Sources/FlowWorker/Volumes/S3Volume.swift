internal import CFlowShims
internal import Glibc

/// A bucket that is spoken to in the words of Amazon's S3 (API version 2006-03-01), signed by libcurl (AWS4-HMAC-SHA256).
///
/// Google Cloud Storage is spoken to the same way, which it calls interoperability: so one code, which the tests run
/// against a server that checks signatures, stands for both, and no token of OAuth has to be made and kept fresh.
final class S3Volume: RemoteVolume {
  let name: String
  private let bucket: S3Bucket
  private let link: HTTPLink
  private let timeout: Double

  /// Bytes of an object that is sent in one piece (the limit of S3's PUT).
  private static let largest: Int64 = 5 << 30

  init(_ spec: VolumeSpec) throws(SpawnFailure) {
    name = spec.name
    bucket = try S3Bucket(spec)
    timeout = spec.arguments["timeout"].flatMap { Double($0) } ?? 10
    link = try HTTPLink(HTTPPeer(socket: nil, base: bucket.address, certificates: nil))
  }

  var fd: Int32 { link.fd }
  func advance() { link.advance() }
  func drop() { link.dropAll() }

  // MARK: What there is

  func find(_ key: String, _ end: @escaping (Result<[VolumeFile], SpawnFailure>) -> Void) {
    if VolumeKey.isFolder(key) { return list(key, from: nil, [], end) }
    head(key) { answer in
      end(answer.map { file in file.map { [$0] } ?? [] })
    }
  }

  /// Tells what is known of an object; `nil`: there is none.
  private func head(_ key: String, _ end: @escaping (Result<VolumeFile?, SpawnFailure>) -> Void) {
    start(key, { request in request.head() }) { [self] answer in
      if answer.failure == nil, answer.status == 404 { return end(.success(nil)) }
      guard answer.isSuccess, let size = answer.headers["content-length"].flatMap({ Int64($0) }) else {
        return end(.failure(failure("tell of the key \(Wording.quoted(key))", answer)))
      }
      end(.success(VolumeFile(key: key, size: size, mode: S3Volume.mode(answer.headers))))
    }
  }

  private func list(
    _ folder: String, from token: String?, _ found: [VolumeFile],
    _ end: @escaping (Result<[VolumeFile], SpawnFailure>) -> Void
  ) {
    // In the order of their names, as they are signed.
    var query = token.map { "continuation-token=\(S3Bucket.escaped($0, all: true))&" } ?? ""
    query += "encoding-type=url&list-type=2&prefix=\(S3Bucket.escaped(bucket.prefix + folder, all: true))"
    start(nil, query: query, { _ in }) { [self] answer in
      guard answer.isSuccess else { return end(.failure(failure("list the folder \(Wording.quoted(folder))", answer))) }
      let text = String(decoding: answer.body.bytes, as: UTF8.self)
      var found = found
      for object in S3Listing.elements("Contents", in: text) {
        guard let escaped = S3Listing.elements("Key", in: object).first,
          let size = S3Listing.elements("Size", in: object).first.flatMap({ Int64($0) }),
          let path = S3Bucket.unescaped(String(escaped))
        else { continue }
        // A key that ends so stands for a folder, which has nothing in itself.
        guard path.hasPrefix(bucket.prefix), !path.hasSuffix("/") else { continue }
        let key = String(path.dropFirst(bucket.prefix.count))
        guard let checked = try? VolumeKey.checked(key), checked == key else {
          return end(
            .failure(SpawnFailure(volume: "the volume \(Wording.quoted(name)) has an object whose key \(Wording.quoted(key)) no file can have")))
        }
        found.append(VolumeFile(key: key, size: size, mode: 0o644))
      }
      let next = S3Listing.elements("NextContinuationToken", in: text).first.map { S3Listing.text($0) }
      guard S3Listing.elements("IsTruncated", in: text).first == "true", let next, next != token else {
        return end(.success(found))
      }
      list(folder, from: next, found, end)
    }
  }

  // MARK: Files

  func fetch(_ file: VolumeFile, into fd: Int32, _ end: @escaping (Result<VolumeFile, SpawnFailure>) -> Void) {
    start(file.key, { request in request.receive(into: fd) }) { [self] answer in
      guard answer.isSuccess else { return end(.failure(failure("give the key \(Wording.quoted(file.key))", answer))) }
      guard answer.moved == file.size else {
        return end(
          .failure(
            SpawnFailure(
              volume: "the key \(Wording.quoted(file.key)) of the volume \(Wording.quoted(name)) has changed while it was "
                + "copied: \(answer.moved) bytes came, where there had been \(file.size)")))
      }
      end(.success(VolumeFile(key: file.key, size: answer.moved, mode: S3Volume.mode(answer.headers))))
    }
  }

  func store(_ file: VolumeFile, from fd: Int32, _ end: @escaping (SpawnFailure?) -> Void) {
    if file.size > S3Volume.largest {
      return end(
        SpawnFailure(
          volume: "the key \(Wording.quoted(file.key)) has \(file.size) bytes, and an object of the volume "
            + "\(Wording.quoted(name)) may have \(S3Volume.largest)"))
    }
    let headers = ["x-amz-meta-mode: 100\(octal(file.mode & 0o777))"]
    start(file.key, headers: headers, { request in request.send(fd, size: file.size) }) { [self] answer in
      guard answer.isSuccess else { return end(failure("take the key \(Wording.quoted(file.key))", answer)) }
      head(file.key) { [self] answer in
        switch answer {
        case .failure(let failure): end(failure)
        case .success(let stored):
          guard stored?.size != file.size else { return end(nil) }
          end(
            SpawnFailure(
              volume: "the key \(Wording.quoted(file.key)) has \(stored?.size ?? 0) bytes in the volume "
                + "\(Wording.quoted(name)), and the original \(file.size)"))
        }
      }
    }
  }

  /// The permissions that an object was stored with; rclone writes them the same way.
  private static func mode(_ headers: [String: String]) -> UInt32 {
    guard let text = headers["x-amz-meta-mode"] ?? headers["x-goog-meta-mode"], let mode = UInt32(text, radix: 8) else {
      return 0o644
    }
    return mode & 0o777
  }

  private func octal(_ mode: UInt32) -> String {
    let digits = String(mode, radix: 8)
    return String(repeating: "0", count: max(0, 3 - digits.count)) + digits
  }

  // MARK: Requests

  private func start(
    _ key: String?, query: String? = nil, headers: [String] = [], _ kind: (TransferRequest) -> Void,
    _ end: @escaping (borrowing HTTPAnswer) -> Void
  ) {
    do throws(SpawnFailure) {
      let request = try TransferRequest(bucket.url(key) + (query.map { "?" + $0 } ?? ""), timeout: timeout)
      // What is sent is not read twice, once for its hash: the connection protects it.
      var lines = ["x-amz-content-sha256: UNSIGNED-PAYLOAD"] + headers
      if let token = bucket.token { lines.append("x-amz-security-token: \(token)") }
      try request.headers(lines)
      if let (user, secret) = bucket.keys { try request.sign(bucket.signature, user: user, key: secret) }
      kind(request)
      link.transfer(request.what, end: end)
      withExtendedLifetime(request) {}
    } catch {
      link.fail(error.reason, end)
    }
  }

  private func failure(_ what: String, _ answer: borrowing HTTPAnswer) -> SpawnFailure {
    if answer.fileError != 0 {
      return SpawnFailure(volume: "what the volume \(Wording.quoted(name)) gives cannot be written", answer.fileError)
    }
    let text = String(decoding: answer.body.bytes.prefix(4096), as: UTF8.self)
    let code = S3Listing.elements("Code", in: text).first.map { S3Listing.text($0) }
    let message = S3Listing.elements("Message", in: text).first.map { S3Listing.text($0) }
    let said = answer.failure ?? [code, message].compactMap { $0 }.joined(separator: ": ")
    let reason = said.isEmpty ? "HTTP status \(answer.status)" : Wording.foreign(said)
    let hint = bucket.keys == nil && answer.status == 403 ? "; there is no access key for it: \(bucket.whereKeysAre)" : ""
    return SpawnFailure(
      volume: "the volume \(Wording.quoted(name)) (\(bucket.address)) did not \(what): \(reason)\(hint)")
  }
}

/// The few things that are read of S3's XML, which has no attributes and no sections within the elements that count.
enum S3Listing {
  /// What is between `<name>` and `</name>`, each time.
  static func elements(_ name: String, in text: some StringProtocol) -> [Substring] {
    var found: [Substring] = []
    let bytes = Array(text.utf8)
    let begin = Array("<\(name)>".utf8)
    let end = Array("</\(name)>".utf8)
    var at = 0
    while let start = index(of: begin, in: bytes, from: at) {
      let first = start + begin.count
      guard let last = index(of: end, in: bytes, from: first) else { break }
      found.append(Substring(String(decoding: bytes[first..<last], as: UTF8.self)))
      at = last + end.count
    }
    return found
  }

  private static func index(of pattern: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
    guard let first = pattern.first, bytes.count >= pattern.count else { return nil }
    var at = start
    while at <= bytes.count - pattern.count {
      if bytes[at] == first, bytes[at..<(at + pattern.count)].elementsEqual(pattern) { return at }
      at += 1
    }
    return nil
  }

  /// Without the escapes of XML.
  static func text(_ escaped: Substring) -> String {
    var text = String(escaped)
    for (escape, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")] {
      text = replaced(text, escape, character)
    }
    return text
  }

  private static func replaced(_ text: String, _ part: String, _ other: String) -> String {
    let bytes = Array(text.utf8)
    let pattern = Array(part.utf8)
    var result: [UInt8] = []
    var at = 0
    while let next = index(of: pattern, in: bytes, from: at) {
      result += bytes[at..<next] + Array(other.utf8)
      at = next + pattern.count
    }
    return String(decoding: result + bytes[at...], as: UTF8.self)
  }
}
