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

/// A copy of a file from one local directory to another, piece by piece.
final class SliceCopy {
  private let key: VolumeKey
  private let source: FileVolume
  private let target: FileVolume
  private let content: Descriptor
  private let facts: fws_file
  private let part: PartFile?
  private let done: (Int64) -> CopiedFile
  private var offset: Int64 = 0
  /// The copy, when it is complete; `nil` if the file did not have to be copied.
  private(set) var copied: CopiedFile?

  /// The number of bytes that are copied at once. A disk needs some milliseconds for them.
  private static let piece = 4 << 20

  init(_ file: VolumeFile, _ source: FileVolume, _ target: FileVolume, _ done: @escaping (Int64) -> CopiedFile)
    throws(StepFailure)
  {
    key = file.key
    self.source = source
    self.target = target
    self.done = done
    (content, facts) = try source.read(file.key)
    let part = try PartFile(file.key, in: target)
    // Two volumes may be the same directory, by their paths or by links. The file is then already there.
    self.part = part.isSameFile(as: facts) ? nil : part
    if let part = self.part, facts.size > 0, fws_clone(content.number, part.fd) { offset = facts.size }
  }

  /// Copies the next piece. Returns true when the copy is complete and has its name.
  func advance() throws(StepFailure) -> Bool {
    guard let part else { return true }
    if offset < facts.size {
      let count = fws_copy_piece(content.number, offset, part.fd, min(SliceCopy.piece, Int(facts.size - offset)))
      if count < 0 {
        throw StepFailure(
          volume: "the key \(key.shown) cannot be copied from \(source.location.shown) to \(target.location.shown)",
          errno)
      }
      offset += Int64(count)
      if count > 0 { return false }
    }
    if let change = source.change(of: content, since: facts, key) { throw change }
    try part.publish(size: facts.size, mode: facts.mode)
    copied = done(facts.size)
    return true
  }
}
