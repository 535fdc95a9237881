@testable import FWBase
@testable import FWModel
@testable import FWPython
@testable import FWSlurm

// What Slurm's programs say, and what Python interpreters send.

extension Reader {
  static let clusters: [Reader] = [Reader("slurm", { try slurm($0) })]

  static let interpreters: [Reader] = [Reader("runner", { try runner($0) })]

  private static func slurm(_ bytes: UnsafeRawBufferPointer) throws {
    func read(_ pieces: [UnsafeRawBufferPointer]) -> SchedulerMessages {
      var messages = SchedulerMessages()
      for piece in pieces { messages.take(piece) }
      messages.finish()
      return messages
    }
    var whole = read([bytes])
    var cut = read(pieces(of: bytes, bytes.count))
    try hold(whole.lines == cut.lines && whole.job == cut.job, "the messages of srun are others in pieces")
    while let line = whole.takeQueued() {
      try hold(cut.takeQueued() == line, "the lines about the queue are others in pieces")
      try holdMessage(line)
      _ = SchedulerMessages.reportsAllocation(line)
    }
    for line in whole.lines { try holdMessage(line, limit: 4097) }
    if let job = whole.job {
      try hold(job.utf8.allSatisfy { (0x30...0x39).contains($0) }, "the number of a job: \(job)")
    }
    _ = SchedulerMessages.reason(in: whole.lines)
    _ = SchedulerMessages.state(in: whole.lines)
    _ = SchedulerMessages.reportMemoryLimit(whole.lines)
    _ = SchedulerMessages.reportLostAnswer(whole.lines)
    _ = SchedulerMessages.reportNoController(whole.lines)
    for line in String(decoding: bytes, as: UTF8.self).pieces(at: "\n") {
      guard let job = SchedulerQuery.read(line) else { continue }
      _ = (job.isWaiting, job.isPending, job.isAlive)
      if let reason = job.waitReason {
        try holdMessage(reason.shown)
        try holdMessage(reason.advice)
        try hold(WaitReason(reason.text) == reason, "the reason of a job is another one when it is read again")
      }
    }
  }

  /// The lines of an interpreter. The first byte chooses the job.
  private static func runner(_ bytes: UnsafeRawBufferPointer) throws {
    var choices = Choices(bytes)
    let job = choices.next(below: 2) == 0 ? call : notebook
    var messages = RunnerMessages()
    for line in choices.rest.split(separator: UInt8(ascii: "\n")) {
      guard let value = try? JSONText.parse(UnsafeRawBufferPointer(rebasing: line)) else { continue }
      try value.read { json in
        if let done = RunnerDone(json) {
          try hold(done.pid > 0 && (0...255).contains(done.exitCode), "the end of a process")
          try hold(done.left.allSatisfy { $0 > 0 } && (done.signal ?? 1) > 0, "the processes that a job has left")
          try holdMessage(done.ending)
        }
        let before = messages.progress
        switch messages.take(json["event"]?.string ?? "", json, of: job) {
        case .fault(let why): try holdMessage(why)
        case .progress(let progress): try hold(progress.follows(before), "progress that does not follow")
        case .result: try hold(messages.result != nil, "a result that is none")
        }
      }
    }
    guard let result = messages.result else { return }
    var end = CommandEnd(outcome: .exited, started: 0)
    result.apply(to: &end)
    if let failure = end.failure { _ = FlowError(.ended, failure) }
    try hold(!result.isSuccess || end.exitCode == 0 && end.outcome == .exited, "a success is none")
    try hold(result.isSuccess || end.exitCode != 0 || end.outcome != .exited, "a failure is a success")
  }

  private static let call: PythonJob = {
    do {
      let step = try lend(#"{"name": "s", "action": {"func": "os:getcwd", "arg": "x"}}"#) { try Step($0) }
      guard let job = PythonJob.call(step.code, nil) else { fatalError("no job") }
      return job
    } catch { fatalError("\(error)") }
  }()

  private static let notebook: PythonJob = {
    do {
      let step = try lend(#"{"name": "s", "action": {"notebook": "n.ipynb"}}"#) { try Step($0) }
      return try PythonJob.notebook(step, PythonOptions(), nil, .none)
    } catch { fatalError("\(error)") }
  }()
}
