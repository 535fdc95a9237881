package import FWBase
package import FWModel

/// A piece of the state that the steps of a workflow share.
package enum Cell: Sendable {
  /// A file, or a folder with everything in it. The file systems of volumes decide which of the two a key is, so two
  /// keys overlap if they are equal or if one is a folder above the other.
  ///
  /// - tag: the number of the key's template and of the values that its step runs over; `Cell.untagged` if the key is
  ///   the same in all instances of its step. Two cells with one tag are one key only in instances with one number.
  case file(VolumeKey, tag: Int32)
  /// A value of the context.
  case name(Name)
  /// All values of the context.
  case allNames

  package static let untagged: Int32 = 0

  package static func file(_ key: VolumeKey) -> Cell { .file(key, tag: untagged) }

  var tag: Int32 {
    if case .file(_, let tag) = self { return tag }
    return Cell.untagged
  }
}

/// What a step shares with the other steps of its workflow, as far as it is known before the run.
package struct StepAccess: Sendable {
  package var reads: [Cell] = []
  package var writes: [Cell] = []
  /// Why the step waits for all steps before it, and all steps behind wait for it; `nil`: it does not.
  package var barrier: String?
  /// The numbers of the steps that the step's `after` names.
  package var after: [Int] = []

  package init() {}
}
