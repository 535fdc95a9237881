package import FWBase
package import FWModel

/// The result of a job, as the runner reports it.
package struct RunnerResult {
  private enum Kind {
    case returned(JSONValue)
    case raised
    case exited(Int32, message: String?)
    case finished
    case failed(why: String, message: String)
  }

  private let kind: Kind
  private let shown: String
  private(set) var exception: RaisedException?

  /// Fails if the line is not a result, or a part of it is missing or has another type.
  init?(_ event: String, _ line: JSONRef, of job: PythonJob) {
    shown = job.shown
    let message = line["message"]?.string
    if let type = line["type"]?.string, let text = line["text"]?.string ?? message {
      exception = RaisedException(type: type, message: text, trace: line["trace"]?.string ?? "")
    }
    switch (job.kind, event) {
    case (.call, "returned"):
      guard let value = line["value"], let kept = JSONValue(keeping: value) else { return nil }
      kind = .returned(kept)
    case (.call, "raised"):
      guard exception != nil else { return nil }
      kind = .raised
    case (.call, "exited"):
      guard let code = line["code"]?.integer, 0...255 ~= code else { return nil }
      kind = .exited(Int32(code), message: message)
    case (.notebook, "finished"): kind = .finished
    case (.notebook, "failed"):
      guard let why = line["why"]?.string, let message else { return nil }
      kind = .failed(why: why, message: message)
    default: return nil
    }
  }

  package var isSuccess: Bool {
    switch kind {
    case .returned, .finished: return true
    case .exited(let code, _): return code == 0
    case .raised, .failed: return false
    }
  }

  /// Puts the result into the end of the command.
  package func apply(to end: inout CommandEnd) {
    end.outcome = .exited
    end.signal = nil
    end.exitCode = 1
    end.exception = exception
    switch kind {
    case .returned(let value):
      end.exitCode = 0
      end.value = value
    case .finished: end.exitCode = 0
    case .raised:
      let raised = exception.map { [$0.type, $0.message].filter { !$0.isEmpty }.joined(separator: ": ") }
      end.explanation = "failed: \(shown) raised \(raised ?? "")"
    case .exited(let code, let message):
      end.exitCode = code
      end.explanation =
        "failed: \(shown) called sys.exit with status \(code)\(message.map { ": \($0)" } ?? "")"
    case .failed(let why, let message):
      switch why {
      case "cell_timeout":
        end.outcome = .timeout
        end.explanation = "was ended: \(message)"
        end.likely = "the cell needs a longer \"cell_timeout\", or it hangs"
      // These failures happen before a cell has run.
      case "kernel_missing", "kernel_start", "parameters", "notebook", "output", "papermill":
        end.outcome = .spawnFailed
        end.exitCode = nil
        end.exception = nil
        end.failure = message
      default: end.explanation = "failed: \(message)"
      }
    }
  }
}

/// The messages of the runner about one job. Each line is checked, because the job's own code shares the process with
/// the runner.
package struct RunnerMessages {
  package private(set) var result: RunnerResult?
  package private(set) var progress: CellProgress?

  package init() {}

  package enum Message {
    case progress(CellProgress)
    case result
    case fault(String)
  }

  package mutating func take(_ event: String, _ line: JSONRef, of job: PythonJob) -> Message {
    guard result == nil else {
      return .fault("it sent \(MessageFormat.quoted(event)) after its result")
    }
    if event == "cell", job.kind == .notebook {
      guard let next = CellProgress(line), next.follows(progress) else {
        return .fault("it sent an invalid message about a cell")
      }
      progress = next
      return .progress(next)
    }
    guard let result = RunnerResult(event, line, of: job) else {
      return .fault("it sent \(MessageFormat.quoted(event)), which is invalid or unexpected here")
    }
    self.result = result
    return .result
  }
}

/// The message of the interpreter about the end of a job's process.
struct RunnerDone {
  let pid: Int32
  let usage: Usage
  let signal: Int32?
  let exitCode: Int32
  /// Whether the job has left no process.
  let isClean: Bool
  /// The processes that the job has left.
  let left: [Int32]

  /// Fails if the line is invalid.
  init?(_ line: JSONRef) {
    guard let pid = line["pid"]?.processNumber, let status = line["status"]?.integer, 0...0xffff ~= status,
      let user = line["user"]?.number, let system = line["system"]?.number, user >= 0, system >= 0,
      let peak = line["peak_bytes"]?.integer, peak >= 0, let isClean = line["clean"]?.boolean
    else { return nil }
    self.pid = pid
    // The status is encoded as wait(2) gives it.
    signal = status & 0x7f != 0 ? Int32(status & 0x7f) : nil
    exitCode = Int32(status >> 8)
    usage = Usage(user: user, system: system, peakMemory: Int(clamping: peak))
    self.isClean = isClean
    var left: [Int32] = []
    line["left"]?.forEachElement { _, process in
      if let pid = process["pid"]?.processNumber { left.append(pid) }
    }
    self.left = left
  }

  package var isSuccess: Bool { signal == nil && exitCode == 0 }

  /// How the process ended, for a message about the job.
  var ending: String { signal.map { "was ended by signal \($0)" } ?? "ended with status \(exitCode)" }

  func left(among survivors: [Survivor]) -> [Survivor] { survivors.filter { left.contains($0.pid) } }
}

extension JSONRef {
  /// The value as a process number; `nil` if no process can have that number.
  var processNumber: Int32? { integer.flatMap { $0 > 0 ? Int32(exactly: $0) : nil } }
}
