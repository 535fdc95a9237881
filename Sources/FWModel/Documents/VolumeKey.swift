package import FWBase

/// The name of a file in a storage volume, relative to the volume's base: bytes, with `/` between components, and with
/// `/` at the end if the key names a folder with everything in it.
///
/// This is the one type for keys and for paths beneath a volume. File systems and protocols compare bytes, and a `/` is
/// a separator whatever byte follows it. `String` compares and splits by canonical characters, so keys become text only
/// in messages.
package struct VolumeKey: Hashable, Sendable {
  /// The key in normal form: no empty component, no `.`, no `..`, and no `/` at the beginning.
  package let bytes: [UInt8]

  private static let slash = UInt8(ascii: "/")

  private init(unchecked bytes: [UInt8]) { self.bytes = bytes }

  /// Brings a key from a document into normal form, or throws why it is no key.
  package init(checking text: String) throws(ValidationError) { try self.init(checking: Array(text.utf8)) }

  init(checking key: [UInt8]) throws(ValidationError) {
    if key.isEmpty { throw ValidationError("expected the key of a file, found an empty string") }
    if key.first == VolumeKey.slash {
      throw ValidationError(
        "the key \(MessageFormat.quoted(bytes: key)) is an absolute path: a key is relative to the base of its volume"
      )
    }
    if key.count > 1024 {
      throw ValidationError("the key \(MessageFormat.quoted(bytes: key)) has more than 1024 bytes")
    }
    if key.contains(0) {
      throw ValidationError("the key \(MessageFormat.quoted(bytes: key)) contains a NUL")
    }
    var bytes: [UInt8] = []
    for part in key.split(separator: VolumeKey.slash) where !part.elementsEqual(".".utf8) {
      if part.elementsEqual("..".utf8) {
        throw ValidationError(
          "the key \(MessageFormat.quoted(bytes: key)) contains \"..\", which could lead out of its volume")
      }
      if part.count > 255 {
        throw ValidationError("the key \(MessageFormat.quoted(bytes: key)) has a part of more than 255 bytes")
      }
      if !bytes.isEmpty { bytes.append(VolumeKey.slash) }
      bytes += part
    }
    if bytes.isEmpty { throw ValidationError("the key \(MessageFormat.quoted(bytes: key)) names no file") }
    if key.last == VolumeKey.slash { bytes.append(VolumeKey.slash) }
    self.bytes = bytes
  }

  /// Makes a key of a name from a storage service; `nil` if it is not in normal form, so that it cannot be a file's.
  package init?(listed bytes: [UInt8]) {
    guard let key = try? VolumeKey(checking: bytes), key.bytes == bytes else { return nil }
    self = key
  }

  // MARK: Components

  package var namesFolder: Bool { bytes.last == VolumeKey.slash }

  /// The key without the `/` at its end, as system calls take it.
  package var path: VolumeKey { namesFolder ? VolumeKey(unchecked: Array(bytes.dropLast())) : self }

  /// The key as that of a folder, with `/` at its end.
  package var folder: VolumeKey { namesFolder ? self : VolumeKey(unchecked: bytes + [VolumeKey.slash]) }

  package var components: [ArraySlice<UInt8>] { bytes.split(separator: VolumeKey.slash) }

  /// The number of folders above the file or folder.
  package var depth: Int { path.bytes.reduce(0) { $0 + ($1 == VolumeKey.slash ? 1 : 0) } }

  /// The last component of the key.
  package var name: [UInt8] { components.last.map { Array($0) } ?? [] }

  /// The folder that holds the file or folder; `nil` if this is the volume's base.
  package var parent: VolumeKey? {
    let path = path.bytes
    return path.lastIndex(of: VolumeKey.slash).map { VolumeKey(unchecked: Array(path[...$0])) }
  }

  /// The key of the first components, of which there are `count`.
  package func prefix(_ count: Int) -> VolumeKey {
    VolumeKey(unchecked: Array(components.prefix(count).joined(separator: [VolumeKey.slash])))
  }

  /// The key of an entry of this folder. The name is one that a directory has.
  package func appending(_ name: [UInt8]) -> VolumeKey { VolumeKey(unchecked: folder.bytes + name) }

  /// The key of an entry of the volume's base.
  package init(inBase name: [UInt8]) { bytes = name }

  /// Whether the key is beneath a folder, and not the folder itself.
  package func isInside(_ folder: VolumeKey) -> Bool {
    let prefix = folder.folder.bytes
    return bytes.count > prefix.count && bytes.starts(with: prefix)
  }

  package static func precedes(_ one: VolumeKey, _ other: VolumeKey) -> Bool {
    one.bytes.lexicographicallyPrecedes(other.bytes)
  }

  // MARK: Text

  /// The key for documents, whose text is UTF-8: U+FFFD stands for bytes that are not.
  package var text: String { String(decoding: bytes, as: UTF8.self) }

  /// The key for messages, in quotes, with `\xFF` for bytes that are not UTF-8.
  package var shown: String { MessageFormat.quoted(bytes: bytes) }

  package func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result { bytes.withCString(body) }
}

/// The place of a version of a file: a volume, or the copy on this machine of a remote volume's files. The files that a
/// run keeps are in a directory that is no volume of the document, and its path is its name.
package struct Location: Hashable, Sendable {
  private let name: Name
  private let kind: Kind

  private enum Kind { case volume, localCopy, stateDirectory }

  package init(_ volume: String, isLocalCopy: Bool = false) {
    name = Name(volume)
    kind = isLocalCopy ? .localCopy : .volume
  }

  package init(stateDirectory path: String) {
    name = Name(path)
    kind = .stateDirectory
  }

  package var isLocalCopy: Bool { kind == .localCopy }

  /// The name of the volume in the document.
  package var volume: String { name.text }

  /// The location as a message names it.
  package var shown: String {
    switch kind {
    case .volume: return "the volume \(MessageFormat.quoted(volume))"
    case .localCopy: return "the local copy of the volume \(MessageFormat.quoted(volume))"
    case .stateDirectory: return "the state directory \(MessageFormat.path(volume))"
    }
  }

  /// The location as a message names it, with the path of its directory.
  package func shown(at path: String) -> String {
    kind == .stateDirectory ? shown : "the directory \(MessageFormat.path(path)) of \(shown)"
  }
}
