package import FWBase
package import FWModel

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
  private var copy: SliceCopy?

  package init(_ placements: [FilePlacement], in volume: FileVolume) {
    left = placements[...]
    self.volume = volume
  }

  /// Copies the next piece. Returns true when all files are at their targets.
  package func advance() throws(StepFailure) -> Bool {
    guard let placement = left.first else { return true }
    guard let copy else {
      copy = try SliceCopy((placement.source, volume), to: (placement.target, volume))
      return false
    }
    guard try copy.advance() else { return false }
    self.copy = nil
    left = left.dropFirst()
    return left.isEmpty
  }
}
