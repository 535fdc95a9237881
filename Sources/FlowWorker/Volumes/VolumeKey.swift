/// Names of files in a storage volume: `/` between their parts, relative to the volume's base, and with `/` at the end
/// where they stand for a folder with all that is in it.
enum VolumeKey {
  /// The key in its one form, or why it is none.
  static func checked(_ key: String) throws(Refusal) -> String {
    if key.isEmpty { throw Refusal("an empty string stands where the key of a file is needed") }
    if key.utf8.first == UInt8(ascii: "/") {
      throw Refusal("the key \(Wording.quoted(key)) is an absolute path: a key is relative to the base of its volume")
    }
    if key.utf8.count > 1024 { throw Refusal("the key \(Wording.quoted(key)) has more than 1024 bytes") }
    var parts: [Substring] = []
    for part in key.split(separator: "/", omittingEmptySubsequences: true) where part != "." {
      if part == ".." {
        throw Refusal("the key \(Wording.quoted(key)) has \"..\" in it, which would lead out of its volume")
      }
      if part.utf8.count > 255 { throw Refusal("the key \(Wording.quoted(key)) has a part of more than 255 bytes") }
      parts.append(part)
    }
    if parts.isEmpty { throw Refusal("the key \(Wording.quoted(key)) names no file") }
    return parts.joined(separator: "/") + (key.hasSuffix("/") ? "/" : "")
  }

  static func isFolder(_ key: String) -> Bool { key.utf8.last == UInt8(ascii: "/") }

  /// The folder of a key, with its `/`; `nil`: the volume's base.
  static func parent(of key: String) -> String? {
    let path = isFolder(key) ? key.dropLast() : Substring(key)
    return path.lastIndex(of: "/").map { String(path[...$0]) }
  }

  /// Without the `/` at its end.
  static func path(_ key: String) -> String { isFolder(key) ? String(key.dropLast()) : key }
}
