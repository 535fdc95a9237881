internal import CSystem
package import FWBase
package import FWModel
internal import FWSystem
internal import Glibc

/// A file that a run has under another key, because the parameter that names it has a `target`.
package struct FilePlacement {
  package let source: VolumeKey
  package let target: VolumeKey

  package init(source: VolumeKey, target: VolumeKey) {
    self.source = source
    self.target = target
  }
}

/// Copies files of a local directory to other keys in it, piece by piece.
package final class FilePlacements {
  private let volume: FileVolume
  private var left: ArraySlice<FilePlacement>
  private var copy: (content: Descriptor, facts: fws_file, part: PartFile, offset: Int64)?

  /// The number of bytes that are copied at once. A disk needs some milliseconds for them.
  private static let piece = 4 << 20

  package init(_ placements: [FilePlacement], in volume: FileVolume) {
    left = placements[...]
    self.volume = volume
  }

  /// Copies the next piece. Returns true when all files are at their targets.
  package func advance() throws(StepFailure) -> Bool {
    guard let placement = left.first else { return true }
    guard var current = copy else {
      let (content, facts) = try volume.read(placement.source)
      let part = try PartFile(placement.target, in: volume)
      // A link may lead from one to the other. The file is then already there.
      if part.isSameFile(as: facts) {
        left = left.dropFirst()
        return left.isEmpty
      }
      let isCloned = facts.size > 0 && fws_clone(content.number, part.fd)
      copy = (content, facts, part, isCloned ? facts.size : 0)
      return false
    }
    let (content, facts, part, offset) = current
    if offset < facts.size {
      let count = fws_copy_piece(
        content.number, offset, part.fd, Int(min(Int64(FilePlacements.piece), facts.size - offset)))
      if count < 0 {
        throw StepFailure(
          volume: "the key \(placement.source.shown) of \(volume.location.shown) cannot be copied to its target "
            + placement.target.shown, errno)
      }
      current.offset += Int64(count)
      copy = current
      if count > 0 { return false }
    }
    if let change = volume.change(of: content, since: facts, placement.source) { throw change }
    try part.publish(size: facts.size, mode: facts.mode)
    copy = nil
    left = left.dropFirst()
    return left.isEmpty
  }
}
