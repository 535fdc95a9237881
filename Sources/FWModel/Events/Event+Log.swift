internal import FWBase

/// The lines of the log that events are. Output is none, because there may be gigabytes of it.
extension Event.Content {
  /// - Parameters:
  ///   - step: `nil` if the event is about the workflow.
  ///   - command: the number of the command, from 0.
  func log(step: Step?, command: Int32) {
    switch self {
    case .stepStarted(let worker, let type, _):
      Log.write(.info, "\(shown(step)) started on the \(type.name) worker \(MessageFormat.quoted(worker))")
    // `EventQueue.begin` writes the beginning of a command, of which there is no event if nobody takes events.
    case .commandStarted, .output: break
    case .commandEnded(let record):
      Log.write(
        .debug, "\(shown(step)): command \(command + 1) ended after \(time(record.end.duration)): \(record.ending)")
    case .retry(let attempt, let delay):
      Log.write(
        .warning,
        "\(attempt.message?.string ?? "\(shown(step)) failed"); it is tried again in \(MessageFormat.seconds(delay))")
    case .stepEnded(let result):
      for note in result.notes { Log.write(.warning, "\(shown(step)): \(MessageFormat.foreign(note, limit: 1000))") }
      // The message begins with the name of the step.
      let message = result.message?.string
      Log.write(
        level(result.outcome, result.returncode, message),
        message ?? "\(shown(step)) ended with return code \(result.returncode) after \(time(result.duration))")
    case .progress(let image, let progress):
      Log.write(
        .debug,
        "\(shown(step)): image \(MessageFormat.quoted(image)): \(MessageFormat.foreign(progress.status))")
    case .cell(let progress):
      Log.write(.debug, "\(shown(step)): cell \(progress.cell) of \(progress.of) \(progress.state)")
    case .queue(let job, let status):
      Log.write(
        .info,
        "\(shown(step)) waits in the queue\(job.map { " as job \(MessageFormat.foreign($0))" } ?? ""): "
          + MessageFormat.foreign(status))
    case .runStarted(let steps):
      Log.write(.info, "the workflow started: \(steps.count == 1 ? "1 step" : "\(steps.count) steps")")
    case .runEnded(let result):
      let message = result.message?.string
      Log.write(
        level(result.outcome, result.returncode, message),
        "the workflow ended with return code \(result.returncode) after \(time(result.duration))"
          + (message.map { ": \($0)" } ?? ""))
    case .fileCopied(let file):
      Log.write(
        .debug,
        "\(step == nil ? "the workflow" : shown(step)): the file \(MessageFormat.path(file.key.text)) was copied from "
          + "\(MessageFormat.quoted(file.from.volume)) to \(MessageFormat.quoted(file.to.volume)) "
          + "in \(time(file.duration)): \(file.bytes) bytes")
    case .stepRestored: Log.write(.info, "\(shown(step)) is not run: an earlier run has completed it")
    }
  }
}

extension EventQueue {
  /// Writes the beginning of a command.
  func logCommand(_ command: Int, _ text: String) {
    Log.write(
      .debug, "\(shown(position.source)): command \(command + 1) begins: \(MessageFormat.quoted(text, limit: 100))")
  }
}

/// How important the end of a step or of a workflow is. What the host has cancelled is no failure.
private func level(_ outcome: Outcome, _ returncode: Int32, _ message: String?) -> Log.Level {
  if outcome == .cancelled { return .info }
  return returncode != 0 ? .error : message != nil ? .warning : .info
}

private func shown(_ step: Step?) -> String { "step \(step?.shownName ?? "\"\"")" }

/// A time in whole milliseconds.
private func time(_ seconds: Double) -> String { MessageFormat.seconds((seconds * 1000).rounded() / 1000) }

extension CommandRecord {
  fileprivate var ending: String {
    let process = end.pid.map { " (process \($0))" } ?? end.container.map { " (container \($0))" } ?? ""
    if let code = end.exitCode, end.outcome == .exited { return "exited with status \(code)\(process)" }
    return "\(end.outcome.name)" + (end.signal.map { ", signal \($0)" } ?? "") + process
  }
}
