internal import FWBase

/// The packets of SFTP version 3 (draft-ietf-secsh-filexfer-02). A packet is its length, its kind, the number of the
/// request, and fields; numbers are big-endian, and a string is its length and its bytes.
enum SFTPWire {
  static let version: UInt32 = 3

  /// The longest packet that is accepted, in bytes. OpenSSH has the same limit.
  static let longestPacket = 256 * 1024
  /// The longest handle, as the draft has it.
  static let longestHandle = 256

  enum Kind: UInt8 {
    case initialize = 1
    case version = 2
    case open = 3
    case close = 4
    case read = 5
    case write = 6
    case lstat = 7
    case fstat = 8
    case setstat = 9
    case openFolder = 11
    case readFolder = 12
    case remove = 13
    case makeFolder = 14
    case rename = 18
    case status = 101
    case handle = 102
    case data = 103
    case names = 104
    case attributes = 105
    case extended = 200
    case extendedReply = 201
  }

  /// How a file is opened.
  enum Access: UInt32 {
    case read = 0x01
    /// The file is created, and must not exist.
    case create = 0x2A
  }

  /// An extension that OpenSSH and other servers offer.
  enum Extension: String, CaseIterable {
    /// Renames over an existing file.
    case posixRename = "posix-rename@openssh.com"
    /// Tells the longest read and write.
    case limits = "limits@openssh.com"
  }

  /// A field of a request.
  enum Field {
    case number(UInt32)
    case long(UInt64)
    case string([UInt8])
    /// Attributes with nothing but permissions.
    case mode(UInt32)
    /// Attributes without any.
    case noAttributes

    var size: Int {
      switch self {
      case .number, .noAttributes: return 4
      case .long, .mode: return 8
      case .string(let bytes): return 4 + bytes.count
      }
    }
  }

  /// The flags of attributes.
  fileprivate enum Has {
    static let size: UInt32 = 0x1
    static let owner: UInt32 = 0x2
    static let permissions: UInt32 = 0x4
    static let times: UInt32 = 0x8
    static let extended: UInt32 = 0x8000_0000
  }

  /// The number of bytes of a request before its fields.
  static let headSize = 9

  /// Appends a request.
  ///
  /// - Parameter contentSize: the size of a string that the caller appends as the last field.
  static func append(
    _ kind: Kind, _ id: UInt32, _ fields: [Field], contentSize: Int? = nil, to bytes: inout ByteBuffer
  ) {
    let size = fields.reduce(5) { $0 + $1.size } + (contentSize.map { 4 + $0 } ?? 0)
    bytes.append(number: UInt32(clamping: size))
    bytes.append(byte: kind.rawValue)
    bytes.append(number: id)
    for field in fields {
      switch field {
      case .number(let value): bytes.append(number: value)
      case .long(let value): withUnsafeBytes(of: value.bigEndian) { bytes.append($0) }
      case .string(let text):
        bytes.append(number: UInt32(clamping: text.count))
        text.withUnsafeBytes { bytes.append($0) }
      case .mode(let mode):
        bytes.append(number: Has.permissions)
        bytes.append(number: mode)
      case .noAttributes: bytes.append(number: 0)
      }
    }
    if let contentSize { bytes.append(number: UInt32(clamping: contentSize)) }
  }
}

/// The answer to a request.
enum SFTPAnswer {
  case status(SFTPStatus)
  case handle([UInt8])
  /// The bytes are valid until the handler of the answer returns.
  case data(UnsafeRawBufferPointer)
  case names([SFTPEntry])
  case attributes(SFTPAttributes)
  case extended([UInt64])

  /// Reads the fields of an answer. The result is `nil` if they do not have their form.
  init?(_ kind: SFTPWire.Kind, _ fields: inout SFTPReader) {
    switch kind {
    case .status:
      guard let code = fields.number() else { return nil }
      // Servers of older versions send neither a message nor its language.
      let message = fields.string().map { String(decoding: $0, as: UTF8.self) } ?? ""
      self = .status(SFTPStatus(code: code, message: message))
    case .handle:
      guard let handle = fields.string(), handle.count <= SFTPWire.longestHandle else { return nil }
      self = .handle(Array(handle))
    case .data:
      guard let data = fields.string() else { return nil }
      self = .data(data)
    case .names:
      guard let entries = SFTPEntry.list(&fields) else { return nil }
      self = .names(entries)
    case .attributes:
      guard let attributes = SFTPAttributes(&fields) else { return nil }
      self = .attributes(attributes)
    case .extendedReply:
      var numbers: [UInt64] = []
      while numbers.count < 8, let number = fields.long() { numbers.append(number) }
      self = .extended(numbers)
    default: return nil
    }
  }
}

struct SFTPStatus {
  let code: UInt32
  let message: String

  static let ok: UInt32 = 0
  static let endOfFile: UInt32 = 1
  static let noFile: UInt32 = 2

  /// The reason that a message shows. The texts of servers are as short as "Failure".
  var shown: String {
    let text = MessageFormat.foreign(message)
    switch code {
    case 3: return "permission denied"
    case 4 where text.isEmpty || text.isSame(as: "Failure"):
      return "the server says only that it failed (a full disk, a quota, or a name that something else has)"
    default: return text.isEmpty ? "SFTP status \(code)" : text
    }
  }
}

/// What a server tells about a file.
struct SFTPAttributes {
  private(set) var size: Int64?
  private(set) var permissions: UInt32?

  enum Kind {
    case file
    case folder
    case link
    case other
  }

  init?(_ fields: inout SFTPReader) {
    guard let flags = fields.number() else { return nil }
    if flags & SFTPWire.Has.size != 0 {
      guard let size = fields.long().flatMap({ Int64(exactly: $0) }) else { return nil }
      self.size = size
    }
    if flags & SFTPWire.Has.owner != 0 {
      guard fields.long() != nil else { return nil }
    }
    if flags & SFTPWire.Has.permissions != 0 {
      guard let permissions = fields.number() else { return nil }
      self.permissions = permissions
    }
    if flags & SFTPWire.Has.times != 0 {
      guard fields.long() != nil else { return nil }
    }
    if flags & SFTPWire.Has.extended != 0 {
      guard let count = fields.number() else { return nil }
      for _ in 0..<count { guard fields.string() != nil, fields.string() != nil else { return nil } }
    }
  }

  /// The kind of the file, which version 3 has in the permissions only; `nil` if the server does not tell it.
  var kind: Kind? {
    guard let permissions, permissions & 0o170000 != 0 else { return nil }
    switch permissions & 0o170000 {
    case 0o100000: return .file
    case 0o040000: return .folder
    case 0o120000: return .link
    default: return .other
    }
  }

  var mode: UInt32 { permissions.map { $0 & 0o777 } ?? 0o644 }
}

/// An entry of a folder.
struct SFTPEntry {
  let name: [UInt8]
  let attributes: SFTPAttributes

  static func list(_ fields: inout SFTPReader) -> [SFTPEntry]? {
    guard let count = fields.number() else { return nil }
    var entries: [SFTPEntry] = []
    // A count that is not true ends with the packet.
    for _ in 0..<count {
      guard let name = fields.string(), fields.string() != nil, let attributes = SFTPAttributes(&fields) else {
        return nil
      }
      entries.append(SFTPEntry(name: Array(name), attributes: attributes))
    }
    return entries
  }
}

/// Reads the fields of a packet one after the other; each is `nil` if the packet is too short for it.
struct SFTPReader {
  private var rest: UnsafeRawBufferPointer

  init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

  private mutating func take(_ count: Int) -> UnsafeRawBufferPointer? {
    guard count <= rest.count else { return nil }
    defer { rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count)) }
    return UnsafeRawBufferPointer(rebasing: rest.prefix(count))
  }

  mutating func byte() -> UInt8? { take(1)?.first }

  mutating func number() -> UInt32? { take(4).map { UInt32(bigEndian: $0.loadUnaligned(as: UInt32.self)) } }

  mutating func long() -> UInt64? { take(8).map { UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)) } }

  mutating func string() -> UnsafeRawBufferPointer? { number().flatMap { take(Int($0)) } }
}

extension ByteBuffer {
  fileprivate mutating func append(number: UInt32) { withUnsafeBytes(of: number.bigEndian) { append($0) } }
}
