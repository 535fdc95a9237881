internal import FWBase
internal import FWModel

/// What a step shares with other steps: what it reads and what it writes.
struct StepAccess {
  /// A part of the state that the steps of a workflow share.
  enum Cell {
    case file(VolumeKey)
    case name(Name)
    case allNames
  }

  var reads: [Cell] = []
  var writes: [Cell] = []
  /// Why nothing may run at the same time as the step; `nil` if something may.
  var barrier: String?
  /// The numbers of the steps that the document names in `after`.
  var after: [Int] = []
}
