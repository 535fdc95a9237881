internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWOutput
internal import FWSystem
internal import FWVolumes
/// The outputs of a workflow that no step declares. A step may make them all the same, in any volume; what was there
/// before the run does not count as made.
struct UndeclaredOutputs {
  /// One watch for each volume, with that of the default volume first. The list is empty if there are no such outputs.
  private(set) var watches: [OutputWatch] = []

  init() {}

  /// Finds out which outputs these are, and where they may be made.
  init(of resolved: Workflow.Resolved, _ workers: [Unmanaged<Worker>], _ volumes: Volumes) throws(StepFailure) {
    let declared = Set(resolved.steps.flatMap { $0.files.outputs.map(\.path) })
    let own = resolved.files.outputs.filter { !declared.contains($0.path) }
    guard !own.isEmpty, !resolved.files.isKept else { return }
    var locations = [Volumes.main]
    for worker in workers where !locations.contains(worker.takeUnretainedValue().location) {
      locations.append(worker.takeUnretainedValue().location)
    }
    for location in locations {
      watches.append(OutputWatch(own, in: try volumes.volume(of: location), isKept: false, isOfRun: true))
    }
  }

  /// Takes the state of the outputs that an earlier run with the same state directory has saved before its first step.
  ///
  /// - Parameter fingerprints: the saved states, one for each volume.
  func resume(_ fingerprints: [[UInt64]]) {
    for (at, watch) in watches.enumerated() { watch.resume(fingerprints.indices.contains(at) ? fingerprints[at] : []) }
  }

  /// Adds the outputs to the index with the places where they were made. Throws if one of them was not made.
  func find(besides steps: [Step], _ files: inout FileIndex) throws(StepFailure) {
    for key in watches.first?.outputs ?? [] {
      // A folder is there if it has the declared output of a step in it.
      if steps.contains(where: { $0.files.outputs.contains { $0.isInside(key) } }) { continue }
      // The volumes in which the index has the output come first.
      let first = files.matches(key).flatMap(\.locations)
      let order =
        watches.filter { first.contains($0.volume.location) } + watches.filter { !first.contains($0.volume.location) }
      var isThere = !first.isEmpty
      var made: (key: VolumeKey, location: Location)?
      for watch in order where made == nil {
        let change = try watch.change(of: key)
        if change.isThere { isThere = true }
        made = change.made.map { ($0, watch.volume.location) }
      }
      if let made {
        files.record(made.key, in: [made.location])
      } else {
        throw StepFailure(
          .outputMissing,
          "its output \(key.shown) is missing: "
            + (isThere
              ? "it existed before the run, and no step changed it (set \"kept\": true in the workflow's "
                + "\"files\" to allow this)"
              : "no step has created it"))
      }
    }
  }
}
