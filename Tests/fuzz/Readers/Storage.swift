@testable import FWBase
@testable import FWModel
@testable import FWVolumes

// What storage services send, and the files with the credentials for them.

extension Reader {
  static let storage: [Reader] = [
    Reader("s3", { try s3($0) }),
    Reader("awsfiles", longest: 512, { try awsFiles($0) }),
    Reader("sftp", { try sftp($0) }),
    Reader("ssh", { try ssh($0) }),
  ]

  private static func s3(_ bytes: UnsafeRawBufferPointer) throws {
    let text = Array(bytes)
    if let root = S3Listing.root(text) { try hold(!root.isEmpty && root.count < text.count, "the root of a list") }
    for object in S3Listing.elements("Contents", in: text) {
      guard let escaped = S3Listing.elements("Key", in: object).first, let path = S3Bucket.unescaped(escaped) else {
        continue
      }
      try hold(path.count <= escaped.count, "a key is longer than its escaped form")
      if let key = VolumeKey(listed: path) { try hold(key.bytes == path, "the key of a list") }
    }
    for name in ["Code", "Message", "NextContinuationToken", "UploadId"] {
      for element in S3Listing.elements(name, in: text) {
        try hold(S3Listing.text(element).utf8.count <= 3 * element.count, "a text is longer than its escaped form")
      }
    }
    if let path = S3Bucket.unescaped(text) {
      let escapes = text.filter { $0 == UInt8(ascii: "%") }.count
      try hold(path.count == text.count - 2 * escapes, "an escape of a URL is not three bytes")
      let digits = text.split(separator: UInt8(ascii: "%"), omittingEmptySubsequences: false).dropFirst().map {
        $0.prefix(2)
      }
      try hold(digits.allSatisfy { $0.allSatisfy(isHexDigit) }, "an escape of a URL without digits is taken")
    }
    // A text that is escaped is the same when it is read again.
    let own = String(decoding: bytes, as: UTF8.self)
    let xml = S3Listing.escaped(own)
    try hold(S3Listing.text(Array(xml.utf8)).isSame(as: own), "a text in XML is another one when it is read again")
    for all in [true, false] {
      let url = Array(S3Bucket.escaped(text, all: all).utf8)
      try hold(S3Bucket.unescaped(url) == text, "a key in a URL is another one when it is read again")
    }
  }

  private static func isHexDigit(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte & 0xDF)
  }

  private static func awsFiles(_ bytes: UnsafeRawBufferPointer) throws {
    for (key, section) in [("region", "profile x"), ("aws_access_key_id", "default")] {
      guard let value = S3Bucket.setting(key, section, in: bytes) else { continue }
      try hold(!value.utf8.contains(UInt8(ascii: "\n")), "a value of several lines")
    }
  }

  /// The first byte chooses the kind of the packet.
  private static func sftp(_ bytes: UnsafeRawBufferPointer) throws {
    var choices = Choices(bytes)
    let kinds: [SFTPWire.Kind] = [.status, .handle, .data, .names, .attributes, .extendedReply, .version]
    var fields = SFTPReader(choices.rest)
    let kind = kinds[choices.next(below: kinds.count)]
    fields = SFTPReader(choices.rest)
    if let answer = SFTPAnswer(kind, &fields) {
      switch answer {
      case .status(let status): try holdMessage(status.shown)
      case .handle(let handle): try hold(handle.count <= SFTPWire.longestHandle, "a handle of \(handle.count) bytes")
      case .data(let data): try hold(data.count <= choices.rest.count, "data of \(data.count) bytes")
      case .names(let entries):
        // An entry has at least 12 bytes.
        try hold(entries.count <= choices.rest.count / 12, "\(entries.count) entries")
        for entry in entries { _ = (entry.attributes.kind, entry.attributes.mode, VolumeKey(listed: entry.name)) }
      case .attributes(let attributes):
        try hold((attributes.size ?? 0) >= 0 && attributes.mode <= 0o777, "the attributes of a file")
      case .extended(let numbers): try hold(numbers.count <= 8, "\(numbers.count) numbers")
      }
    }
    // What the library writes it reads again.
    var packet = ByteBuffer()
    let content = Array(choices.rest)
    SFTPWire.append(.open, 7, [.string(content), .number(1), .long(2), .mode(0o644), .noAttributes], to: &packet)
    var reader = SFTPReader(packet.bytes)
    try hold(
      reader.number().map { Int($0) } == packet.count - 4 && reader.byte() == SFTPWire.Kind.open.rawValue
        && reader.number() == 7 && reader.string().map { Array($0) } == content && reader.number() == 1
        && reader.long() == 2 && SFTPAttributes(&reader)?.mode == 0o644 && SFTPAttributes(&reader) != nil
        && reader.byte() == nil, "a packet is another one when it is read again")
  }

  private static func ssh(_ bytes: UnsafeRawBufferPointer) throws {
    var arguments = KeyValues()
    arguments.set("hostname", "h")
    let server = SSHServer(arguments, timeout: 1)
    for isReady in [false, true] {
      var messages = SSHMessages()
      for piece in pieces(of: bytes, bytes.count) { messages.take(piece) }
      if let reason = messages.reason(server, isReady: isReady) {
        try holdMessage(MessageFormat.foreign(reason, limit: 1000))
      }
    }
    // A question is the same when more has arrived behind it.
    for end in 0..<min(bytes.count, 24) {
      guard let begun = SSHAskpass.question(UnsafeRawBufferPointer(rebasing: bytes[..<end]), with: "ab"),
        begun.size > 0
      else { continue }
      let later = SSHAskpass.question(UnsafeRawBufferPointer(rebasing: bytes[...end]), with: "ab")
      try hold(
        later?.size == begun.size && later?.kind == begun.kind,
        "a question of ssh is another one when more has arrived")
    }
  }
}
