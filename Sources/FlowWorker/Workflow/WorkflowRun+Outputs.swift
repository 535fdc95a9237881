internal import FWBase
internal import FWModel
internal import FWVolumes

/// The outputs of the workflow itself.
extension WorkflowRun {
  /// Looks, before the first step, at those outputs that no step declares: a step may make them all the same, and what was
  /// there before does not count.
  func watchOwnOutputs() throws(StepFailure) {
    let declared = Set(resolved.steps.flatMap { $0.files.outputs.map(\.path) })
    let own = resolved.files.outputs.filter { !declared.contains($0.path) }
    guard !own.isEmpty, !resolved.files.isKept else { return }
    var locations = [Volumes.main]
    for worker in workers where !locations.contains(worker.takeUnretainedValue().location) {
      locations.append(worker.takeUnretainedValue().location)
    }
    for location in locations {
      ownOutputs.append(OutputWatch(own, in: try volumes.volume(of: location), isKept: false, isOfRun: true))
    }
    guard restored > 0 else { return }
    // The beginning of the run was in another process. Where nothing is known of it, what is there counts.
    let prints = state.flatMap { state in readable { () throws(StepFailure) in try state.beginning() } } ?? []
    for (at, watch) in ownOutputs.enumerated() { watch.resume(prints.indices.contains(at) ? prints[at] : []) }
  }

  /// Remembers where the outputs that no step declares have been made, and refuses those that nobody has made.
  func findOwnOutputs() throws(StepFailure) {
    for key in ownOutputs.first?.outputs ?? [] {
      // A folder of what steps have made.
      if resolved.steps.contains(where: { $0.files.outputs.contains { $0.isInside(key) } }) { continue }
      // Where it is by what the steps declare, then wherever it may be.
      let first = files.matches(key).flatMap(\.locations)
      let order =
        ownOutputs.filter { first.contains($0.volume.location) }
        + ownOutputs.filter { !first.contains($0.volume.location) }
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
              ? "what is there was there before the run, and no step has changed it (a workflow with \"kept\": true in its "
                + "\"files\" may leave it as it is)"
              : "no step has made it"))
      }
    }
  }
}
