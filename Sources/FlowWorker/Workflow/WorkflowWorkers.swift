extension Workflow.Resolved {
  /// The worker of each step. What cannot be run is refused before anything is.
  func workers(of pool: Pool, _ volumes: Volumes, _ context: Context) throws(FlowError)
    -> [Unmanaged<Worker>]
  {
    var workers: [Unmanaged<Worker>] = []
    let nowhere = try CText("/")
    for (step, place) in zip(steps, places) {
      let lent = try pool.worker(for: step)
      let worker = lent.takeUnretainedValue()
      let volume = worker.cVolume.string
      guard volumes.spec(volume) != nil else {
        throw FlowError(
          .unknown,
          "step \(step.shownName) is for the worker \(Wording.quoted(worker.cName.string)), whose volume "
            + "\(Wording.quoted(volume)) the configuration does not have; \(volumes.hint(volume))", path: place)
      }
      workers.append(lent)
      do throws(FlowError) {
        _ = try worker.prepare(step, context.snapshot, nowhere, RunSettings())
      } catch where [.stepType, .template, .unknown].contains(error.code) {
        throw FlowError(error.code, error.message, path: place + (error.path ?? ""), position: error.position)
      } catch {
        // It may be right when the steps before it have given their values.
      }
    }
    return workers
  }
}
