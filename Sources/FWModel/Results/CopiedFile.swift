package import FWBase

/// A file that was copied from one volume to another.
package struct CopiedFile {
  package let key: VolumeKey
  package let from: Location
  package let to: Location
  package let bytes: Int64
  /// The seconds that the copy took.
  package let duration: Double

  package init(key: VolumeKey, from: Location, to: Location, bytes: Int64, duration: Double) {
    self.key = key
    self.from = from
    self.to = to
    self.bytes = bytes
    self.duration = duration
  }
}

extension CopiedFile {
  package func writeMembers(to writer: inout JSONWriter) {
    writer.member("key", key.text)
    writer.member("from", from.volume)
    writer.member("to", to.volume)
    writer.member("bytes", Int(bytes))
    writer.member("duration", duration)
  }
}

extension CopiedFile {
  /// The file with secrets masked in its names.
  package func masked(by secrets: Secrets) -> CopiedFile {
    guard secrets.isIn(key.text) else { return self }
    let shown = VolumeKey(inBase: Array(secrets.masked(key.text).utf8))
    return CopiedFile(key: shown, from: from, to: to, bytes: bytes, duration: duration)
  }
}
