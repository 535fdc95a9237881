internal import CSystem
internal import FWBase
internal import FWModel
internal import FWSystem
internal import Glibc

extension FileVolume {
  /// The failure for a file that has changed while it was read; `nil` if it has not.
  func change(of file: Descriptor, since facts: fws_file, _ key: VolumeKey) -> StepFailure? {
    var now = fws_file()
    let error = fws_file_facts(file.number, &now)
    if error == 0, now.size == facts.size, now.changed == facts.changed { return nil }
    return StepFailure(
      volume: "the key \(key.shown) of \(location.shown) changed while it was copied: a process is still "
        + "writing to it")
  }
}

/// A copy of a file to a place in a local directory, piece by piece.
final class SliceCopy {
  typealias Place = (key: VolumeKey, volume: FileVolume)
  private let source: Place
  private let target: Place
  private let content: Descriptor
  private let facts: fws_file
  private let part: PartFile?
  private var offset: Int64 = 0

  /// The number of bytes that are copied at once. A disk needs some milliseconds for them.
  private static let piece = 4 << 20

  init(_ source: Place, to target: Place) throws(StepFailure) {
    self.source = source
    self.target = target
    (content, facts) = try source.volume.read(source.key)
    let part = try PartFile(target.key, in: target.volume)
    self.part = part.isSameFile(as: facts) ? nil : part
    if let part = self.part, facts.size > 0, fws_clone(content.number, part.fd) { offset = facts.size }
  }

  /// The number of bytes to copy; `nil` if both places are the same file, by their paths or by links.
  var size: Int64? { part == nil ? nil : facts.size }

  /// Copies the next piece. Returns true when the copy is complete and has its name.
  func advance() throws(StepFailure) -> Bool {
    guard let part else { return true }
    if offset < facts.size {
      let count = fws_copy_piece(content.number, offset, part.fd, Int(min(Int64(SliceCopy.piece), facts.size - offset)))
      if count < 0 { throw failure(errno) }
      offset += Int64(count)
      if count > 0 { return false }
    }
    if let change = source.volume.change(of: content, since: facts, source.key) { throw change }
    try part.publish(size: facts.size, mode: facts.mode)
    return true
  }

  private func failure(_ code: Int32) -> StepFailure {
    let place =
      source.key == target.key ? target.volume.location.shown : "its target \(target.key.shown)"
    return StepFailure(
      volume: "the key \(source.key.shown) cannot be copied from \(source.volume.location.shown) to \(place)", code)
  }
}
