internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWVolumes
internal import CSystem

/// The files of the workflow itself: before the first step, and after the last one.
extension WorkflowRun {
  func begin() -> Next {
    // The steps that an earlier run has ended had the files at their targets.
    guard record.restored == 0, !resolved.placements.isEmpty else { return prepare() }
    do throws(StepFailure) {
      let transfers = Transfers(volumes, known)
      transfers.prepare(try volumes.volume(of: Volumes.main), inputs: resolved.placements.map(\.source), [])
      return .phase(.sources(transfers))
    } catch { return finish(error) }
  }

  /// Copies files to their targets for some milliseconds.
  func place(_ placements: FilePlacements) -> Next {
    do throws(StepFailure) {
      let end = fws_monotonic() + 0.005
      repeat {
        if let interruption { throw interruption }
        guard try placements.advance() else { continue }
        let location = try volumes.volume(of: Volumes.main).location
        for placement in resolved.placements { known.files.record(placement.target, in: [location]) }
        return prepare()
      } while fws_monotonic() < end
      return .wait
    } catch { return finish(error) }
  }

  func prepare() -> Next {
    do throws(StepFailure) {
      undeclared = try UndeclaredOutputs(of: resolved, workers, volumes)
      guard record.restored == 0 else {
        // An earlier process began the run.
        undeclared.resume(beginning?.outputs ?? [])
        return beginSteps()
      }
      guard !resolved.files.inputs.isEmpty || !undeclared.watches.isEmpty else { return beginSteps() }
      let transfers = Transfers(volumes, known)
      transfers.prepare(try volumes.volume(of: Volumes.main), inputs: resolved.files.inputs, undeclared.watches)
      return .phase(.inputs(transfers))
    } catch { return finish(error) }
  }

  func beginSteps() -> Next {
    stage = .steps
    if record.restored == 0 {
      state?.begin(
        resolved.placements.map(\.source), in: try? volumes.volume(of: Volumes.main), known.files, undeclared.watches)
    }
    return .end
  }

  /// Collects the outputs of the workflow in the run directory, wherever they were made, when all steps have succeeded.
  func collect() -> Next {
    stage = .ending
    guard !resolved.files.outputs.isEmpty else { return finish(nil) }
    do throws(StepFailure) {
      try undeclared.find(besides: resolved.steps, &known.files)
      let transfers = Transfers(volumes, known)
      transfers.prepare(try volumes.volume(of: Volumes.main), inputs: resolved.files.outputs, [])
      return .phase(.outputs(transfers))
    } catch { return finish(error) }
  }
}
