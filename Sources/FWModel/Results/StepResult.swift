package import FWBase

/// What happened when a step was run: the content of an `ExecResult`.
package struct StepResult {
  /// The name of the step, as C text.
  let cStep: CText
  package var step: String { cStep.string }
  package let worker: String
  package let workerType: WorkerType
  /// The directory in which the commands ran, as the host or the volume names it; `nil` for a step that was not
  /// started.
  package let rundir: String?
  /// The beginning in seconds since 1970.
  package let started: Double
  /// The seconds of all attempts and of the pauses between them.
  package let duration: Double
  /// The attempts before the last one. The last one decides how the step ended.
  package let attempts: [Attempt]
  package private(set) var last: Attempt
  /// Facts that are worth knowing whether the step has failed or not.
  package private(set) var notes: [String]
  /// Which step of its workflow this is; `nil` for a step that was run by itself.
  package private(set) var place: StepPlace?
  /// The values of an instance of a step with `foreach`, by their names; `nil` if it is no instance.
  package let values: JSONValue?
  /// When and where the workflow ran the step; `nil` for a step that was run by itself.
  package private(set) var schedule: StepSchedule?

  package init(
    step: Step, worker: String, _ type: WorkerType, rundir: String?, attempts: [Attempt], last: Attempt,
    started: Double, duration: Double
  ) {
    cStep = step.cName
    values = step.values
    self.worker = worker
    workerType = type
    self.rundir = rundir
    self.attempts = attempts
    self.last = last
    self.started = started
    self.duration = duration
    notes = last.commands.flatMap(\.end.notes)
    if step.type == .container, step.commands.isEmpty, last.commands.isEmpty {
      notes.append("the step has no commands, so nothing was run")
    }
  }

  /// Gives the result with one more note.
  package func noted(_ note: String) -> StepResult {
    var result = self
    result.notes.append(note)
    return result
  }

  /// Gives the result as that of a step of a workflow.
  package func placed(at place: StepPlace, _ schedule: StepSchedule?) -> StepResult {
    var result = self
    result.place = place
    result.schedule = schedule
    return result
  }

  /// The name of the step without quotes. That of an instance has its values, such as `align (sample "a")`.
  package var shownStep: String {
    values.map { step + " (" + ForEach.shown($0) + ")" } ?? step
  }

  package var outcome: Outcome { last.outcome }
  package var returncode: Int32 { last.returncode }
  /// Says why the step failed, as C text; `nil`: there is nothing to say.
  package var message: CText? { last.message }

  /// Gives the result as a failure, of the step's files or values, though its commands have succeeded.
  package func failed(by failure: StepFailure, of step: Step) -> StepResult {
    var result = self
    result.last = last.failed(by: failure, of: step, on: workerType)
    return result
  }

  /// The result of a step that was not run: all that is known of it is one end.
  package init(
    step: Step, worker: String, _ type: WorkerType, end: CommandEnd, limit: String, started: Double, duration: Double
  ) {
    let record = CommandRecord(index: nil, command: "", end)
    let attempt = Attempt(
      step: step, commands: [record], total: 0, limit: limit, engine: nil, on: type, path: nil, Secrets.none)
    self.init(
      step: step, worker: worker, type, rundir: nil, attempts: [], last: attempt, started: started, duration: duration)
  }
}
