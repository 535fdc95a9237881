internal import FWBase
internal import FWModel

/// What a step shares with the other steps of its workflow, as far as it is known before the run.
struct StepAccess: Sendable {
  /// A piece of the state that the steps of a workflow share.
  enum Cell: Sendable {
    /// A file, or a folder with everything in it. The file systems of volumes decide which of the two a key is, so two
    /// keys overlap if they are equal or if one is a folder above the other.
    ///
    /// - tag: a number for the key's template and the values that its step runs over; `untagged` if the key is the same
    ///   in all instances of its step. Where steps write, cells with one tag are one key only in instances of one
    ///   number.
    case file(VolumeKey, tag: Int32)
    /// Any file, where the keys of a step are not known.
    case allFiles(tag: Int32 = untagged)
    /// A value of the context.
    case name(Name)
    /// All values of the context.
    case allNames

    static let untagged: Int32 = 0

    static func file(_ key: VolumeKey) -> Cell { .file(key, tag: untagged) }

    var tag: Int32 {
      switch self {
      case .file(_, let tag), .allFiles(let tag): return tag
      case .name, .allNames: return Cell.untagged
      }
    }
  }

  var reads: [Cell] = []
  var writes: [Cell] = []
  /// Why the step waits for all steps before it, and all steps behind wait for it; `nil`: it does not.
  var barrier: String?
  /// The numbers of the steps that the document names in `after`.
  var after: [Int] = []

  /// The keys of files that a step looks for in the volumes, or that it makes there. Notebooks are not among these.
  struct Key: Sendable {
    /// The key; only a folder in which it is somewhere, or all files, if it is not known before the run.
    let cell: Cell
    let isKnown: Bool

    init(_ cell: Cell, isKnown: Bool = true) {
      self.cell = cell
      self.isKnown = isKnown
    }
  }

  /// These two lists are empty if the run has one volume.
  var looksFor: [Key] = []
  var makes: [Key] = []
}
