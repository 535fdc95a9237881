package import FWBase

/// One run of a step's commands: a step that is tried again has several.
package struct Attempt {
  /// The commands that ran, in order. The last one decides how the attempt ended.
  package let commands: [CommandRecord]
  package private(set) var outcome: Outcome
  package private(set) var returncode: Int32
  package let engine: (any EngineFacts)?
  /// Says why the attempt failed, or what of a success is missing; `nil`: there is nothing to say.
  package private(set) var message: CText?
  package private(set) var explanation: Explanation?
  /// The seconds between this attempt and the next one.
  package var delay: Double?
  private let stdout: [Output]
  private let stderr: [Output]
  private let shownStep: String

  /// - Parameters:
  ///   - total: how many commands the step has.
  ///   - limit: the name of the time limit that has passed. It is made only where a message needs it.
  package init(
    step: Step, commands: [CommandRecord], total: Int, limit: @autoclosure () -> String, engine: (any EngineFacts)?,
    on type: WorkerType,
    path: SearchPath?, _ secrets: Secrets
  ) {
    self.commands = commands
    self.engine = engine
    shownStep = step.shownName
    let last = commands.last
    outcome = last?.end.outcome ?? .exited
    returncode = last?.returncode ?? 0
    if let last, returncode != 0 {
      let position = step.type == .container ? last.index.map { ", command \($0 + 1) of \(total)" } ?? "" : ""
      let why = last.explanation(limit: limit()) + last.gaps + last.lastError
      message = CText(message: "step \(shownStep)\(position) \(why)")
    }
    if returncode == 0, let gap = commands.first(where: { !$0.gaps.isEmpty }) {
      message = CText(message: "step \(shownStep) ended with status 0\(gap.gaps)")
    }
    explanation = last.flatMap { Explanation($0, type: type, step: step.type, path: path, engine: engine, secrets) }
    stdout = commands.flatMap(\.end.stdout.pieces)
    // A command that was not run, or that raised an exception, has not written why: that is added to its standard
    // error.
    stderr = commands.map(\.end).flatMap { end in
      let trace = end.exception.map(\.trace) ?? ""
      return end.stderr.pieces + Output(trace.isEmpty ? end.failure ?? "" : trace).pieces
    }
  }

  func outputs(of stream: Stream) -> [Output] { stream == .stdout ? stdout : stderr }

  /// Gives the attempt as a failure, though its commands have succeeded.
  package func failed(by failure: StepFailure, of step: Step, on type: WorkerType) -> Attempt {
    let record = CommandRecord(index: nil, command: "", CommandEnd(failure: failure, started: 0))
    var attempt = self
    attempt.outcome = failure.outcome
    attempt.returncode = 1
    attempt.message = CText(message: "step \(shownStep) failed: \(failure.reason)")
    attempt.explanation = Explanation(record, type: type, step: step.type, path: nil, engine: nil, Secrets.none)
    return attempt
  }

  /// Adds to the message that the step should have been tried again, and why it was not.
  package mutating func noteNoRetry(_ failure: StepFailure) {
    message = CText(
      message: "\(message?.string ?? "step \(shownStep) failed"); it was not tried again: \(failure.reason)")
  }

  /// Gives the attempt as the last one of a step that was cancelled before the next one began.
  package var cancelled: Attempt {
    var attempt = self
    attempt.outcome = .cancelled
    attempt.delay = nil
    let before = message.map { "; the previous attempt failed: \($0.string)" } ?? ""
    attempt.message = CText(message: "step \(shownStep) was cancelled before the next attempt\(before)")
    return attempt
  }
}

/// What happened to one command.
package struct CommandRecord {
  /// The number of the command in the step, from 0; `nil` if the record is about the step as a whole.
  package let index: Int?
  /// The text of the command after substitution, as C text; `nil` if there was no memory for it.
  package let cCommand: CText?
  package let end: CommandEnd
  /// The commands between which the step was ended; `nil` if it was ended while a command ran, or not at all.
  private let position: String?
  /// The exit codes of a success.
  private let codes: ExitCodes

  package init(
    index: Int?, command: String, _ end: CommandEnd, position: String? = nil, codes: ExitCodes? = nil
  ) {
    self.position = position
    self.codes = codes ?? .zero
    self.index = index
    cCommand = try? CText(command)
    self.end = end
  }

  package var command: String { cCommand?.string ?? "" }

  package var returncode: Int32 {
    let own = end.signal.map { 0 - $0 } ?? end.exitCode ?? 1
    switch end.outcome {
    case .exited:
      // The return code of a success is 0, and that of a failure is not, whatever the codes are.
      return codes.contains(own) ? 0 : own == 0 ? 1 : own
    case .signaled, .oom: return own
    // A command that was ended has not succeeded, even if it exits with status 0 when it gets the signal.
    case .timeout, .cancelled: return own == 0 ? 1 : own
    case .spawnFailed, .engineFailed, .outputMissing, .statusUnknown, .inputMissing, .volumeFailed: return 1
    }
  }

  /// The most characters of what an exception or another program says, and of the library's own sentences with names in
  /// them. They are shortened here, after they have been masked, because a part of a secret that was cut could not be
  /// found.
  private static let longestExplanation = 300
  private static let longestFailure = 1000
  /// Whether the command is longer than one argument of a program may be.
  private var isLong: Bool { command.utf8.count >= 128 * 1024 }

  /// The part of a message that follows the command's number in the step.
  func explanation(limit: String) -> String {
    let shown = MessageFormat.quoted(command, limit: 100) + (end.position.map { ", \($0)" } ?? "")
    if let explanation = end.explanation {
      return MessageFormat.foreign(explanation, limit: CommandRecord.longestExplanation)
    }
    let failure = end.failure.map { MessageFormat.foreign($0, limit: CommandRecord.longestFailure) } ?? ""
    switch end.outcome {
    case .exited:
      let code = end.exitCode ?? 1
      if end.container != nil, code != 0 { return "exited with status \(code): \(shown)" }
      let unexecutable = isLong ? " (not executable, or longer than the system allows)" : " (not executable)"
      let hint =
        code == 127
        ? " (command not found)"
        : code == 126 ? unexecutable : code == 0 ? " (success codes: \(codes.shown))" : ""
      return "exited with status \(code)\(hint): \(shown)"
    case .signaled:
      let number = end.signal ?? 0
      let likely = end.outOfMemory != .likely ? "" : "; its container had probably run out of memory"
      return "was ended by signal \(number)\(CommandRecord.signalName(number))\(likely): \(shown)"
    case .oom:
      let what = end.treeLimits == nil ? "its container" : "it"
      return "was ended because \(what) ran out of memory: \(shown)"
    case .timeout:
      if let position { return "was ended \(position) because \(limit) had passed: \(shown)" }
      return "was ended because \(limit) had passed\(ending): \(shown)"
    case .cancelled:
      if let position { return "was cancelled \(position): \(shown)" }
      return "was ended because the step was cancelled\(ending): \(shown)"
    case .statusUnknown:
      return "ended with an unknown status: "
        + "\(end.loss ?? "its monitor process was killed"): \(shown)"
    case .spawnFailed, .inputMissing: return "could not be started: \(failure)"
    case .outputMissing, .volumeFailed: return "failed: \(failure)"
    case .engineFailed:
      return "\(end.container == nil && end.pid == nil ? "could not be run" : "was not completed"): \(failure)"
    }
  }

  /// Says why files with the whole output are missing or incomplete; `nil`: they are not.
  package var spillError: String? {
    let errors = [end.stdout.fileError, end.stderr.fileError].compactMap { $0 }
    return errors.isEmpty ? nil : Set(errors).sorted().joined(separator: "; ")
  }

  /// The part of a message about output that may be missing.
  var gaps: String {
    let cut =
      [(Stream.stdout, end.stdout), (.stderr, end.stderr)].filter { $0.1.isExhausted }.map { stream, output in
        "; memory ran out: \(output.count) of \(output.written) bytes of \(stream.name) are kept"
      }.joined() + (spillError.map { "; \($0)" } ?? "")
    if end.incomplete.isEmpty { return cut }
    let names = end.incomplete.map { "\($0.name)" }.joined(separator: " and ")
    return "\(cut); output may be missing: the end of \(names) was not seen\(end.unread.map { " (\($0))" } ?? "")"
  }

  /// The part of a message that quotes the last line of the command's standard error, which mostly says why the command
  /// failed. The message of an exception has the reason already, and a host that has cancelled needs none.
  var lastError: String {
    guard end.explanation == nil, end.outcome != .cancelled, let line = end.stderr.lastLine else { return "" }
    return "; last line of stderr: \(MessageFormat.foreign(line, limit: CommandRecord.longestExplanation))"
  }

  /// The part of a message about processes that had to be killed, and about those that could not be.
  private var ending: String {
    var killed = end.endedBy == .kill ? ["the command"] : []
    killed += end.survivors.filter { $0.endedBy == .kill }.map { "\($0.name) (\($0.pid))" }
    let kills = killed.isEmpty ? "" : "; KILL was needed for \(killed.prefix(5).joined(separator: ", "))"
    return kills + (end.isEnded ? "" : "; some of its processes could not be ended")
  }

  private static func signalName(_ number: Int32) -> String {
    switch number {
    case 1: return " (HUP)"
    case 2: return " (INT)"
    case 3: return " (QUIT)"
    case 4: return " (ILL)"
    case 6: return " (ABRT)"
    case 7: return " (BUS)"
    case 8: return " (FPE)"
    case 9: return " (KILL)"
    case 11: return " (SEGV)"
    case 13: return " (PIPE)"
    case 14: return " (ALRM)"
    case 15: return " (TERM)"
    case 24: return " (XCPU)"
    case 25: return " (XFSZ)"
    default: return ""
    }
  }
}

/// The outputs of a step in a workflow. What one attempt has left must not be taken for an output of the next one.
package protocol AttemptOutputs: AnyObject {
  /// Records the outputs that exist, before the next attempt begins.
  func beginAgain()

  /// The seconds until a change since the record can be seen; `nil` if it can be seen now.
  var unsettled: Double? { get }
}
