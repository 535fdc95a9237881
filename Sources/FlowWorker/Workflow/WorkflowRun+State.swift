internal import FWBase
internal import FWModel
internal import FWVolumes

/// What a run keeps in its state directory, and takes from there.
extension WorkflowRun {
  /// Takes over the steps that a host before has run, as long as all is as it was.
  func resume() {
    guard let state else { return }
    while index < resolved.steps.count, let worker, let record = readable({ () throws(StepFailure) in try state.read(index) }) {
      let step = resolved.steps[index]
      guard let volume = try? volumes.volume(of: worker.location),
        let signature = Signature(step, worker, context, rundir: volume.path, volumes, record.files, volume, settings),
        signature.isSame(as: record.signature),
        let result = record.result.read({ StepResult($0, of: step, by: worker) })
      else { break }
      files = record.files
      if let argument = step.code.argument, let value = record.value { context.set(argument, value) }
      keep(result)
      index += 1
    }
    restored = index
    readable { () throws(StepFailure) in try state.forget(from: index) }
  }

  /// `nil` where the directory cannot be used, which the run's result tells.
  @discardableResult
  func readable<T>(_ body: () throws(StepFailure) -> T?) -> T? {
    do throws(StepFailure) { return try body() } catch {
      stateFailure = stateFailure ?? error
      return nil
    }
  }

  /// Remembers a step that has ended well, and gives its result with a note where that could not be. A directory that cannot
  /// be written to does not end the run, whose work would be lost; but the run has failed in the end.
  func remember(_ result: StepResult, _ before: Context) -> StepResult {
    guard let state, let worker, let volume = try? volumes.volume(of: worker.location) else { return result }
    let step = resolved.steps[index]
    var value: JSONValue?
    if let argument = step.code.argument {
      // A secret is in no file, and what JSON does not have would be something else the next time.
      if let object = result.last.commands.last?.end.object {
        return result.noted(
          "its value is \(MessageFormat.foreign(secrets.masked(object.kind))), which JSON has not: the state directory does not have the step, "
            + "and another run runs it again")
      }
      guard !secrets.contains(argument), let given = context.snapshot[argument] else { return result }
      value = JSONValue(keeping: given)
    }
    // What is to be read again cannot be masked: a step whose value or files have a secret in them is run again.
    if let value, secrets.isIn(value) { return result }
    if files.all.contains(where: { secrets.isIn($0.key.text) }) { return result }
    guard stateFailure == nil,
      let signature = Signature(step, worker, before, rundir: volume.path, volumes, files, volume, settings)
    else { return result }
    do throws(StepFailure) { try state.record(index, signature, result, value, files) } catch { stateFailure = error }
    return result
  }
}
