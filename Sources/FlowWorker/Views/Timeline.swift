package import FWBase
package import FWModel
internal import Glibc

/// The content of a view, for a step and for a workflow: when each command ran, and how it ended.
struct Timeline {
  struct Bar {
    let name: String
    let outcome: Outcome
    let returncode: Int32
    let started: Double
    let duration: Double
    let usage: Usage?
  }

  struct Row {
    let name: String
    let worker: String
    let outcome: Outcome
    let returncode: Int32
    let started: Double
    let duration: Double
    let message: String?
    let isRestored: Bool
    /// The commands of all attempts, in their order.
    let commands: [Bar]
    let result: StepResult
  }

  let rows: [Row]
  let copies: [RunResult.Copy]
  let outcome: Outcome
  let message: String?
  /// The number of steps that were not reached.
  let missing: Int
  let started: Double
  let duration: Double

  init(_ result: ExecResult) {
    switch result.content {
    case .step(let step):
      rows = [Timeline.row(step, isRestored: false)]
      copies = []
      missing = 0
      started = step.started
      duration = step.duration
    case .run(let run):
      rows = run.steps.enumerated().compactMap { index, step in
        guard case .step(let step) = step.content else { return nil }
        return Timeline.row(step, isRestored: index < run.restored)
      }
      copies = run.copies
      missing = run.total - run.steps.count
      started = run.started
      duration = run.duration
    }
    outcome = result.outcome
    message = result.message?.string
  }

  private static func row(_ result: StepResult, isRestored: Bool) -> Row {
    var bars: [Bar] = []
    for attempt in result.attempts + [result.last] {
      for command in attempt.commands where command.end.started > 0 && !command.command.isEmpty {
        bars.append(
          Bar(
            name: command.command, outcome: command.end.outcome, returncode: command.returncode,
            started: command.end.started, duration: command.end.duration, usage: command.end.usage))
      }
    }
    return Row(
      name: result.step, worker: result.worker, outcome: result.outcome, returncode: result.returncode,
      started: result.started, duration: result.duration, message: result.message?.string, isRestored: isRestored,
      commands: bars, result: result)
  }
}

extension ExecResult {
  /// A view of the result, as text with a NUL behind it. The caller frees the text.
  package func view(as format: String) throws(FlowError) -> UnsafeMutablePointer<UInt8> {
    let timeline = Timeline(self)
    var text: ByteBuffer
    switch format {
    case "trace": text = timeline.trace()
    case "html":
      var page = Page()
      page.write(timeline)
      text = page.buffer()
    default:
      throw FlowError(.unknown, "unknown format \(MessageFormat.quoted(format)): use \"trace\" or \"html\"")
    }
    guard let start = text.take() else { throw .noMemory }
    return start
  }
}
