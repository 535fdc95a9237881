package import FWBase

/// What happened when a workflow was run: the content of an `ExecResult`.
package struct RunResult {
  package let facts: Facts
  /// The results of the steps that were run, now or by an earlier run with the same state directory, in the order of
  /// the document and then of the instances. Each is an `ExecResult`, because a host may ask for it by itself.
  package let steps: [ExecResult]
  /// The position in `steps` of the step that failed first in time; `nil` if none failed.
  package let failed: Int?
  /// How many steps and instances have succeeded, also those whose results were not kept.
  package let succeeded: Int
  /// How many steps the workflow has.
  package let total: Int
  /// How many steps and instances were run by an earlier run with the same state directory.
  package let restored: Int
  package let outcome: Outcome
  package let returncode: Int32
  package let message: CText?
  /// The beginning in seconds since 1970, and the seconds of the whole run.
  package let started: Double
  package let duration: Double
  /// The values that the steps could refer to, without secrets.
  let context: JSONValue?
  package let copies: [Copy]
  /// The outputs of all steps, one after the other.
  private let stdout: [Output]
  private let stderr: [Output]

  /// What somebody who looks at a run later has to be told about it. Secrets are masked in all of it.
  package struct Facts {
    /// The name that the template of the workflow has.
    package let name: String?
    /// The directory of the default volume; `nil` if that is no directory, or if nothing has needed it.
    package let rundir: String?
    /// The directory that saves how far the run is.
    package let state: String?
    /// The values of all parameters at the beginning; those of secrets are three stars.
    package let arguments: JSONValue?
    /// The most steps that the run allowed at once.
    package let jobs: Int
    /// The steps that did not begin, or not all of whose instances did.
    package let notRun: [NotRun]

    package init(
      name: String?, rundir: String?, state: String?, arguments: JSONValue?, jobs: Int, notRun: [NotRun]
    ) {
      self.name = name
      self.rundir = rundir
      self.state = state
      self.arguments = arguments
      self.jobs = jobs
      self.notRun = notRun
    }

    /// The names of the steps of which nothing began.
    package var notReached: [String] { notRun.filter { $0.isWhole }.map(\.step) }
  }

  /// A step that did not begin, or of which some instances did not.
  package struct NotRun {
    package let step: String
    package let index: Int
    /// The number of instances that did not begin; `nil` for a step without `foreach`, or if their number is not known.
    package let instances: Int?
    /// Whether nothing of the step began.
    package let isWhole: Bool
    package let reason: String

    package init(step: String, index: Int, instances: Int?, isWhole: Bool, reason: String) {
      self.step = step
      self.index = index
      self.instances = instances
      self.isWhole = isWhole
      self.reason = reason
    }
  }

  /// A file that was copied for a step, or for the workflow as a whole (-1).
  package struct Copy {
    package let step: Int
    /// The number of the instance of the step; `nil` if it has none.
    package let instance: Int?
    package let file: CopiedFile
    /// The end of the copy in seconds since 1970.
    package let ended: Double

    package init(step: Int, instance: Int?, file: CopiedFile, ended: Double) {
      self.step = step
      self.instance = instance
      self.file = file
      self.ended = ended
    }
  }

  /// - Parameters:
  ///   - failed: the position in `steps` of the step that failed first.
  ///   - failure: why the run itself failed; `nil`: it did not, though a step may have.
  ///   - unkept: why the state directory does not have all of the run. Then a run whose steps succeeded has failed.
  package init(
    _ facts: Facts, steps: [ExecResult], failed: Int?, succeeded: Int, total: Int, restored: Int,
    failure: StepFailure?, started: Double, duration: Double, context: JSONValue?, copies: [Copy], unkept: StepFailure?
  ) {
    self.facts = facts
    self.steps = steps
    self.failed = failed
    self.succeeded = succeeded
    self.total = total
    self.restored = restored
    self.started = started
    self.duration = duration
    self.context = context
    self.copies = copies
    stdout = steps.flatMap { $0.outputs(of: .stdout) }
    stderr = steps.flatMap { $0.outputs(of: .stderr) }
    // A run without a failure has what its last step says, such as a note about output that may be missing.
    let deciding = failed.flatMap { steps.indices.contains($0) ? steps[$0] : nil } ?? steps.last
    var outcome = failure?.outcome ?? deciding?.outcome ?? .exited
    var returncode = failure == nil ? deciding?.returncode ?? 0 : 1
    var explanation = failure.map { "the workflow failed: \($0.reason)" } ?? deciding?.message?.string
    if let unkept {
      if returncode == 0 {
        (outcome, returncode, explanation) = (unkept.outcome, 1, "the steps succeeded, but the workflow failed")
      }
      explanation =
        "\(explanation ?? ""); its state could not be stored, so another run begins from an earlier "
        + "step: \(unkept.reason)"
    }
    self.outcome = outcome
    self.returncode = returncode
    message = explanation.map { CText(message: $0) }
  }

  func outputs(of stream: Stream) -> [Output] { stream == .stdout ? stdout : stderr }

  func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("version", 1)
      writer.member("name", facts.name)
      writer.member("rundir", facts.rundir)
      writer.member("state", facts.state)
      writer.member("arguments") { writer in
        guard let arguments = facts.arguments else { return writer.null() }
        arguments.read { writer.value($0) }
      }
      writer.member("returncode", Int(returncode))
      writer.member("outcome", "\(outcome.name)")
      writer.member("message", message?.string)
      writer.member("started", started)
      writer.member("duration", duration)
      writer.member("total", total)
      writer.member("succeeded", succeeded)
      writer.member("restored", restored)
      writer.member("jobs", facts.jobs)
      writer.member("failed", failed)
      writer.member("context") { writer in
        guard let context else { return writer.null() }
        context.read { writer.value($0) }
      }
      writer.member("not_reached") { writer in writer.array(facts.notReached) { $0.string($1) } }
      writer.member("not_run") { writer in
        writer.array(facts.notRun) { writer, step in
          writer.object { writer in
            writer.member("step", step.step)
            writer.member("index", step.index)
            writer.member("instances", step.instances)
            writer.member("reason", step.reason)
          }
        }
      }
      writer.member("steps") { writer in
        writer.array(steps) { writer, step in
          if case .step(let result) = step.content { result.write(to: &writer) } else { writer.null() }
        }
      }
      writer.member("copies") { writer in
        writer.array(copies) { writer, copy in
          writer.object { writer in
            writer.member("step", copy.step < 0 ? nil : copy.step)
            writer.member("instance", copy.instance)
            copy.file.writeMembers(to: &writer)
            writer.member("ended", copy.ended)
          }
        }
      }
    }
  }
}

/// A file that was copied from one volume to another.
package struct CopiedFile {
  package let key: VolumeKey
  package let from: Location
  package let to: Location
  package let bytes: Int64
  /// The seconds that the copy took.
  package let duration: Double

  package init(key: VolumeKey, from: Location, to: Location, bytes: Int64, duration: Double) {
    self.key = key
    self.from = from
    self.to = to
    self.bytes = bytes
    self.duration = duration
  }
}

extension CopiedFile {
  package func writeMembers(to writer: inout JSONWriter) {
    writer.member("key", key.text)
    writer.member("from", from.volume)
    writer.member("to", to.volume)
    writer.member("bytes", Int(bytes))
    writer.member("duration", duration)
  }
}

extension CopiedFile {
  /// The file with secrets masked in its names.
  package func masked(by secrets: Secrets) -> CopiedFile {
    guard secrets.isIn(key.text) else { return self }
    let shown = VolumeKey(inBase: Array(secrets.masked(key.text).utf8))
    return CopiedFile(key: shown, from: from, to: to, bytes: bytes, duration: duration)
  }
}
