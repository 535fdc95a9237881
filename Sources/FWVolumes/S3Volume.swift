internal import CSystem
internal import FWBase
internal import FWHTTP
internal import FWModel
internal import Glibc

/// A bucket that is accessed by Amazon's S3 protocol (API version 2006-03-01). libcurl signs the requests
/// (AWS4-HMAC-SHA256).
///
/// Google Cloud Storage offers the same protocol, which it calls interoperability. One implementation therefore serves
/// both, the tests run it against a server that checks signatures, and no OAuth token has to be obtained and renewed.
final class S3Volume: RemoteVolume {
  let name: String
  /// As many as the transfer manager of Amazon's SDK for Python (boto3) has in flight.
  let width = 10
  private let bucket: S3Bucket
  private var link: HTTPLink
  private let timeout: Double
  /// The requests of the operations in flight.
  private var calls: [ObjectIdentifier: HTTPCall] = [:]
  /// The large files in flight, in the order in which they began.
  var uploads: [S3Upload] = []
  /// Uploads that were stopped, and of which the bucket may still have parts.
  var stopped: [S3Upload] = []

  /// The most consecutive empty pages. A service may return an empty page, but not an endless number of them.
  private static let maxEmptyPages = 100

  init(_ spec: VolumeSpec) throws(StepFailure) {
    name = spec.name
    bucket = try S3Bucket(spec)
    timeout = spec.timeout
    link = try HTTPLink(HTTPPeer(socket: nil, base: bucket.address, certificates: nil), keeping: width)
  }

  deinit {
    // In a process that was forked from the host, the connections belong to the host.
    if isClearing, !fws_is_forked() { link.send(within: S3Upload.abortLimit) }
  }

  var fd: Int32 { link.fd }
  func advance() { link.advance() }

  func drop() {
    for call in calls.values { call.drop() }
    calls = [:]
    let uploads = uploads
    self.uploads = []
    for upload in stopped { upload.failure = nil }
    // In a process that was forked from the host, the uploads belong to the host.
    if !fws_is_forked() { for upload in uploads { stop(upload) } }
  }

  var isClearing: Bool { !stopped.isEmpty }

  // MARK: Listing

  func find(_ key: VolumeKey, _ end: @escaping (Result<[VolumeFile], StepFailure>) -> Void) {
    if key.namesFolder { return list(key, from: nil, [], end) }
    head(key) { [self] answer in
      switch answer {
      case .failure(let failure): end(.failure(failure))
      case .success(let file?): end(.success([file]))
      // If keys of other objects begin with this key, it is a folder.
      case .success(nil): list(key.folder, from: nil, [], end)
      }
    }
  }

  /// Gets the facts of an object; `nil` if it does not exist.
  private func head(_ key: VolumeKey, _ end: @escaping (Result<VolumeFile?, StepFailure>) -> Void) {
    start(key, { (request) throws(StepFailure) in request.head() }) { [self] answer in
      if answer.failure == nil, answer.status == 404 { return end(.success(nil)) }
      guard answer.isSuccess, let size = answer.header("content-length").flatMap({ Int64($0) }) else {
        return end(.failure(failure("describe the key \(key.shown)", answer)))
      }
      end(.success(VolumeFile(key: key, size: size, mode: S3Volume.mode(answer))))
    }
  }

  /// - Parameter files: the files of the previous pages.
  private func list(
    _ folder: VolumeKey, from token: String?, _ files: [VolumeFile], emptyPages: Int = 0,
    _ end: @escaping (Result<[VolumeFile], StepFailure>) -> Void
  ) {
    let prefix = bucket.prefix + folder.bytes
    // The parameters are in the order of their names, because the signature needs that order.
    var query = token.map { "continuation-token=\(S3Bucket.escaped(Array($0.utf8), all: true))&" } ?? ""
    query += "encoding-type=url&list-type=2&prefix=\(S3Bucket.escaped(prefix, all: true))"
    start(nil, query: query, { (_) throws(StepFailure) in }) { [self] answer in
      guard answer.isSuccess else { return end(.failure(failure("list the folder \(folder.shown)", answer))) }
      let text = Array(answer.body.bytes)
      do throws(StepFailure) {
        guard S3Listing.root(text) != nil else { throw invalidList(folder, "it is incomplete") }
        var files = files
        let before = files.count
        for object in S3Listing.elements("Contents", in: text) {
          if let file = try file(object, beneath: prefix, folder) { files.append(file) }
        }
        guard S3Listing.elements("IsTruncated", in: text).first?.elementsEqual("true".utf8) == true else {
          if let duplicate = S3Listing.firstDuplicate(files) {
            throw invalidList(folder, "it has the key \(duplicate.shown) twice")
          }
          return end(
            .success(
              files.isEmpty ? [] : [.folder(folder)] + S3Listing.withoutFilledFolders(files).filter { $0.key != folder }
            ))
        }
        let next = S3Listing.elements("NextContinuationToken", in: text).first.map { S3Listing.text($0) }
        guard let next, token.map({ !next.isSame(as: $0) }) ?? true else {
          throw invalidList(folder, "it is truncated and has no continuation token")
        }
        let empty = files.count == before ? emptyPages + 1 : 0
        if empty == S3Volume.maxEmptyPages {
          throw invalidList(folder, "\(empty) consecutive pages are empty")
        }
        list(folder, from: next, files, emptyPages: empty, end)
      } catch { end(.failure(error)) }
    }
  }

  private func invalidList(_ folder: VolumeKey, _ why: String) -> StepFailure {
    StepFailure(
      volume:
        "the volume \(MessageFormat.quoted(name)) (\(bucket.address)) returned a list of the folder \(folder.shown) "
        + "that cannot be used: \(why)")
  }

  /// Reads an entry of a list; `nil` if the entry was not asked for.
  private func file(_ object: [UInt8], beneath prefix: [UInt8], _ folder: VolumeKey) throws(StepFailure) -> VolumeFile?
  {
    guard let escaped = S3Listing.elements("Key", in: object).first, let path = S3Bucket.unescaped(escaped),
      let size = S3Listing.elements("Size", in: object).first.flatMap({ Int64(String(decoding: $0, as: UTF8.self)) }),
      size >= 0
    else { throw invalidList(folder, "an object has no key or no size") }
    // `list` adds the folder itself. Markers of other folders are not part of the answer.
    guard path.starts(with: prefix) else { return nil }
    let key = Array(path.dropFirst(bucket.prefix.count))
    guard let key = VolumeKey(listed: key), !key.namesFolder || size == 0 else {
      throw StepFailure(
        volume:
          "the volume \(MessageFormat.quoted(name)) has an object with the key "
          + "\(MessageFormat.quoted(bytes: key)), which no file can have")
    }
    return key.namesFolder ? .folder(key) : VolumeFile(key: key, size: size)
  }

  // MARK: Files

  func fetch(_ file: VolumeFile, into fd: Int32, _ end: @escaping (Result<VolumeFile, StepFailure>) -> Void) {
    start(file.key, { (request) throws(StepFailure) in request.receive(into: fd, size: file.size) }) { [self] answer in
      guard answer.isSuccess else { return end(.failure(failure("send the key \(file.key.shown)", answer))) }
      guard answer.moved == file.size else {
        return end(
          .failure(
            StepFailure(
              volume: "the key \(file.key.shown) of the volume \(MessageFormat.quoted(name)) changed while it was "
                + "copied: \(answer.moved) bytes arrived instead of \(file.size)")))
      }
      end(.success(VolumeFile(key: file.key, size: answer.moved, mode: S3Volume.mode(answer))))
    }
  }

  func store(_ file: VolumeFile, from fd: Int32, _ end: @escaping (StepFailure?) -> Void) {
    guard String(validating: file.key.bytes, as: UTF8.self) != nil else {
      return end(
        StepFailure(
          volume:
            "the key \(file.key.shown) is not valid UTF-8: the volume \(MessageFormat.quoted(name)) "
            + "cannot store it"))
    }
    let headers = ["x-amz-meta-mode: 100\(octal(file.mode & 0o777))"]
    guard file.size > S3Upload.threshold else { return put(file, from: fd, headers, end) }
    upload(file, from: fd, headers, end)
  }

  /// Stores an object without content whose key ends with a `/`. Other tools represent an empty folder in the same way.
  func makeFolder(_ key: VolumeKey, _ end: @escaping (StepFailure?) -> Void) { put(.folder(key), from: -1, [], end) }

  private func put(_ file: VolumeFile, from fd: Int32, _ headers: [String], _ end: @escaping (StepFailure?) -> Void) {
    start(file.key, headers: headers, { (request) throws(StepFailure) in request.send(fd, size: file.size) }) {
      [self] answer in
      guard answer.isSuccess else { return end(failure("accept the key \(file.key.shown)", answer, sending: file.key)) }
      // Every service returns the tag of the object that it has stored. An answer without a tag may come from something
      // else on the way.
      if answer.header("etag") != nil { return end(nil) }
      verify(file, end)
    }
  }

  /// Finds out whether an object was stored.
  func verify(_ file: VolumeFile, _ end: @escaping (StepFailure?) -> Void) {
    head(file.key) { [self] answer in
      switch answer {
      case .failure(let failure): end(failure)
      case .success(let stored):
        guard stored?.size != file.size else { return end(nil) }
        let content =
          stored.map { "\($0.size) bytes instead of \(file.size)" }
          ?? "no content: it was sent, but is missing"
        end(StepFailure(volume: "the key \(file.key.shown) in the volume \(MessageFormat.quoted(name)) has \(content)"))
      }
    }
  }

  /// The permissions that an object was stored with; rclone writes them the same way.
  private static func mode(_ answer: borrowing HTTPAnswer) -> UInt32 {
    guard let text = answer.header("x-amz-meta-mode") ?? answer.header("x-goog-meta-mode"),
      let mode = UInt32(text, radix: 8)
    else {
      return 0o644
    }
    return mode & 0o777
  }

  private func octal(_ mode: UInt32) -> String {
    let digits = String(mode, radix: 8)
    return String(repeating: "0", count: max(0, 3 - digits.count)) + digits
  }

  // MARK: Requests

  /// Whether another request may begin beside those of the operations in flight.
  var hasRoom: Bool { calls.count < width }

  /// Sends a request of an operation, which ends with the operation.
  @discardableResult
  func start(
    _ key: VolumeKey?, query: String? = nil, headers: [String] = [],
    _ kind: (TransferRequest) throws(StepFailure) -> Void,
    _ end: @escaping (borrowing HTTPAnswer) -> Void
  ) -> ObjectIdentifier {
    var id: ObjectIdentifier?
    let call = request(key, query: query, headers: headers, kind) { [self] answer in
      if let id { calls[id] = nil }
      end(answer)
      sendParts()
    }
    id = ObjectIdentifier(call)
    calls[ObjectIdentifier(call)] = call
    return ObjectIdentifier(call)
  }

  /// Ends requests of operations. Their ends are not reported.
  func drop(_ ids: some Sequence<ObjectIdentifier>) {
    for id in ids { calls.removeValue(forKey: id)?.drop() }
  }

  /// Sends a request. If it cannot be made, the reason is the answer.
  @discardableResult
  func request(
    _ key: VolumeKey?, query: String? = nil, headers: [String] = [],
    _ kind: (TransferRequest) throws(StepFailure) -> Void,
    _ end: @escaping (borrowing HTTPAnswer) -> Void
  ) -> HTTPCall {
    do throws(StepFailure) {
      let request = try TransferRequest(bucket.url(key) + (query.map { "?" + $0 } ?? ""), timeout: timeout)
      defer { withExtendedLifetime(request) {} }
      // The content is not hashed, because it would have to be read twice. The connection protects it.
      var lines = ["x-amz-content-sha256: UNSIGNED-PAYLOAD"] + headers
      if let token = bucket.token { lines.append("x-amz-security-token: \(token)") }
      try request.headers(lines)
      if let (user, secret) = bucket.credentials { try request.sign(bucket.signature, user: user, key: secret) }
      try kind(request)
      link = try link.renewed()
      return link.transfer(request.transfer, end: end)
    } catch {
      return link.fail(error.reason, end)
    }
  }

  func failure(_ what: String, _ answer: borrowing HTTPAnswer, sending key: VolumeKey? = nil) -> StepFailure {
    if answer.fileError != 0 { return fileFailure(answer.fileError, sending: key) }
    let text = Array(answer.body.bytes.prefix(4096))
    let code = S3Listing.elements("Code", in: text).first.map { S3Listing.text($0) }
    let message = S3Listing.elements("Message", in: text).first.map { S3Listing.text($0) }
    let errorText = answer.failure ?? [code, message].compactMap { $0 }.joined(separator: ": ")
    let reason = errorText.isEmpty ? "HTTP status \(answer.status)" : MessageFormat.foreign(errorText)
    let hint =
      bucket.credentials == nil && answer.status == 403
      ? "; there is no access key for it: \(bucket.credentialsHint)" : ""
    return StepFailure(
      volume: "the volume \(MessageFormat.quoted(name)) (\(bucket.address)) did not \(what): \(reason)\(hint)")
  }

  /// The failure of the file on this machine: of the one that is sent under `key`, or of the one that receives.
  private func fileFailure(_ code: Int32, sending key: VolumeKey?) -> StepFailure {
    let volume = "the volume \(MessageFormat.quoted(name))"
    return StepFailure(
      volume: key.map { "the key \($0.shown), which is being sent to \(volume), cannot be read" }
        ?? "data from \(volume) cannot be written", code)
  }
}

/// A reader for the few elements of S3's XML that are needed. These elements have no attributes and no CDATA sections.
enum S3Listing {
  /// The text between each `<name>` and `</name>`.
  static func elements(_ name: String, in text: [UInt8]) -> [[UInt8]] {
    var contents: [[UInt8]] = []
    let begin = Array("<\(name)>".utf8)
    let end = Array("</\(name)>".utf8)
    var at = 0
    while let start = index(of: begin, in: text, from: at) {
      let first = start + begin.count
      guard let last = index(of: end, in: text, from: first) else { break }
      contents.append(Array(text[first..<last]))
      at = last + end.count
    }
    return contents
  }

  /// The name of the element that a document begins with; `nil` if it does not end with the same element.
  static func root(_ text: [UInt8]) -> ArraySlice<UInt8>? {
    var rest = text.drop { isSpace($0) }
    // An XML declaration may come first.
    if rest.starts(with: "<?".utf8) {
      guard let end = index(of: Array("?>".utf8), in: text, from: rest.startIndex) else { return nil }
      rest = text[(end + 2)...].drop { isSpace($0) }
    }
    guard rest.first == UInt8(ascii: "<") else { return nil }
    let name = rest.dropFirst().prefix { !isSpace($0) && $0 != UInt8(ascii: ">") }
    let end = rest.reversed().drop { isSpace($0) }.reversed()
    return !name.isEmpty && end.suffix(name.count + 3).elementsEqual("</".utf8 + name + ">".utf8) ? name : nil
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

  /// The first key that occurs more than once.
  static func firstDuplicate(_ files: [VolumeFile]) -> VolumeKey? {
    var seen: Set<VolumeKey> = []
    return files.first { !seen.insert($0.key).inserted }?.key
  }

  private static func index(of pattern: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
    guard start <= bytes.count, !pattern.isEmpty else { return nil }
    return bytes.withUnsafeBytes { all in
      pattern.withUnsafeBytes { needle in
        guard let base = all.baseAddress, let part = needle.baseAddress else { return nil }
        let offset = fws_find(base + start, all.count - start, part, needle.count)
        return offset < 0 ? nil : start + offset
      }
    }
  }

  /// The files without the markers of folders that are not empty: the content of such a folder creates it.
  static func withoutFilledFolders(_ files: [VolumeFile]) -> [VolumeFile] {
    var filled: Set<VolumeKey> = []
    for file in files {
      var folder = file.key.parent
      while let above = folder, filled.insert(above).inserted { folder = above.parent }
    }
    return files.filter { !$0.isFolder || !filled.contains($0.key) }
  }

  /// The text without the escapes of XML.
  static func text(_ escaped: [UInt8]) -> String {
    var text = escaped
    for (escape, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")] {
      text = replaced(text, Array(escape.utf8), Array(character.utf8))
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// The text with the escapes of XML.
  static func escaped(_ text: String) -> String {
    var escaped = Array(text.utf8)
    for (character, escape) in [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;")] {
      escaped = replaced(escaped, Array(character.utf8), Array(escape.utf8))
    }
    return String(decoding: escaped, as: UTF8.self)
  }

  private static func replaced(_ bytes: [UInt8], _ pattern: [UInt8], _ other: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var at = 0
    while let next = index(of: pattern, in: bytes, from: at) {
      result += bytes[at..<next] + other
      at = next + pattern.count
    }
    return result + bytes[at...]
  }
}
