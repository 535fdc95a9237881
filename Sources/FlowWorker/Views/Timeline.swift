package import FWBase
package import FWModel

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
    /// The number of the step in the workflow, from 0.
    let index: Int
    /// The name of the step, with the values of an instance.
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
  let returncode: Int32
  let message: String?
  /// The facts about a workflow; `nil` for a step by itself.
  let run: RunResult.Facts?
  /// How many steps there are.
  let total: Int
  let started: Double
  let duration: Double

  init(_ result: ExecResult) {
    switch result.content {
    case .step(let step):
      rows = [Timeline.row(step, 0, isRestored: false)]
      copies = []
      run = nil
      total = 1
      started = step.started
      duration = step.duration
    case .run(let run):
      rows = run.steps.enumerated().compactMap { index, step in
        guard case .step(let step) = step.content else { return nil }
        return Timeline.row(step, step.place?.index ?? index, isRestored: step.schedule == nil)
      }
      copies = run.copies
      self.run = run.facts
      total = run.total
      started = run.started
      duration = run.duration
    }
    outcome = result.outcome
    returncode = result.returncode
    message = result.message?.string
  }

  private static func row(_ result: StepResult, _ index: Int, isRestored: Bool) -> Row {
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
      index: index, name: result.shownStep, worker: result.worker, outcome: result.outcome,
      returncode: result.returncode,
      started: result.started, duration: result.duration, message: result.message?.string, isRestored: isRestored,
      commands: bars, result: result)
  }

  /// The steps that were run now, and not by an earlier run.
  var fresh: [Row] { rows.filter { !$0.isRestored } }

  /// The beginning and the seconds of everything that was run now.
  var extent: (origin: Double, span: Double) {
    let starts = fresh.map(\.started) + copies.map { $0.ended - $0.file.duration }
    let origin = starts.min().map { min($0, started) } ?? started
    let end = fresh.map { $0.started + $0.duration }.max() ?? origin
    return (origin, max(1e-6, max(end, started + duration) - origin))
  }

  // MARK: Where time went

  /// One kind of what a run spends its time with.
  enum Phase: String, CaseIterable {
    case running
    case pausing
    case waiting
    case copying
    case other

    var words: String {
      switch self {
      case .running: return "running commands"
      case .pausing: return "pauses before another attempt"
      case .waiting: return "starting and waiting"
      case .copying: return "copying files"
      case .other: return "all else"
      }
    }
  }

  /// The seconds of each phase, whose sum is the duration.
  var spent: [(phase: Phase, seconds: Double)] {
    var seconds: [Phase: Double] = [:]
    for row in fresh {
      let running = min(row.duration, row.commands.reduce(0) { $0 + $1.duration })
      let pauses = min(row.duration - running, row.result.attempts.reduce(0) { $0 + ($1.delay ?? 0) })
      seconds[.running, default: 0] += running
      seconds[.pausing, default: 0] += pauses
      seconds[.waiting, default: 0] += row.duration - running - pauses
    }
    seconds[.copying] = copyingSeconds
    seconds[.other] = max(0, duration - seconds.values.reduce(0, +))
    return Phase.allCases.map { ($0, seconds[$0] ?? 0) }
  }

  /// The seconds in which at least one file was copied.
  private var copyingSeconds: Double {
    var sum = 0.0
    var end = -Double.infinity
    for copy in copies.sorted(by: { $0.ended - $0.file.duration < $1.ended - $1.file.duration }) {
      let began = max(end, copy.ended - copy.file.duration)
      sum += max(0, copy.ended - began)
      end = max(end, copy.ended)
    }
    return sum
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
      var page = Page(of: timeline)
      page.write()
      text = page.buffer()
    default:
      throw FlowError(.unknown, "unknown format \(MessageFormat.quoted(format)): use \"trace\" or \"html\"")
    }
    guard let start = text.take() else { throw .noMemory }
    return start
  }
}
