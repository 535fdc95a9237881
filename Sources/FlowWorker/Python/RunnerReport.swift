/// What the runner says that a job came to.
struct RunnerReport {
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

  init?(_ event: String, _ line: JSONRef, of job: PythonJob) {
    shown = job.shown
    let message = line["message"]?.string
    if let type = line["type"]?.string {
      let text = line["text"]?.string ?? message ?? ""
      exception = RaisedException(type: type, message: text, trace: line["trace"]?.string ?? "")
    }
    switch event {
    case "returned":
      guard let value = line["value"], let kept = JSONValue(keeping: value) else { return nil }
      kind = .returned(kept)
    case "raised": kind = .raised
    case "exited": kind = .exited(Int32(truncatingIfNeeded: line["code"]?.integer ?? 1) & 0xff, message: message)
    case "finished": kind = .finished
    case "failed": kind = .failed(why: line["why"]?.string ?? "", message: message ?? "")
    default: return nil
    }
  }

  /// Says it in the end of the step's command.
  func tell(in end: inout CommandEnd) {
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
      let raised = exception.map { "\($0.type): \($0.message)" } ?? ""
      end.explanation = "failed: \(shown) raised \(raised)"
    case .exited(let code, let message):
      end.exitCode = code
      end.explanation =
        "failed: \(shown) ended with sys.exit and status \(code)\(message.map { ": \($0)" } ?? "")"
    case .failed(let why, let message):
      switch why {
      case "cell_timeout":
        end.outcome = .timeout
        end.explanation = "was ended: \(message)"
      // Nothing of the notebook has run.
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

/// What the interpreter says of a job's process, when that has ended.
struct RunnerDone {
  let usage: Usage
  let signal: Int32?
  let exitCode: Int32
  /// Nothing is left of the job.
  let isClean: Bool
  /// The processes that it left.
  let left: [Int32]

  init(_ line: JSONRef) {
    // As wait(2) encodes it.
    let status = Int32(truncatingIfNeeded: line["status"]?.integer ?? 0)
    signal = status & 0x7f != 0 ? status & 0x7f : nil
    exitCode = (status >> 8) & 0xff
    usage = Usage(
      user: line["user"]?.number ?? 0, system: line["system"]?.number ?? 0,
      peakMemory: line["peak_bytes"]?.integer.map { Int(clamping: $0) })
    isClean = line["clean"]?.boolean ?? false
    var left: [Int32] = []
    line["left"]?.forEachElement { _, process in
      if let pid = process["pid"]?.integer.flatMap({ Int32(exactly: $0) }) { left.append(pid) }
    }
    self.left = left
  }

  /// Of a job that has said nothing of its end.
  func explanation(of job: PythonJob) -> String {
    if let signal { return "failed: the process of \(job.shown) was ended by signal \(signal)" }
    return "failed: \(job.shown) ended its process, with status \(exitCode), before it had given a result"
  }

  func left(among survivors: [Survivor]) -> [Survivor] { survivors.filter { left.contains($0.pid) } }
}

/// How far a notebook is.
struct CellProgress {
  /// From 1, among all cells.
  let cell: Int
  let of: Int
  let state: String

  init(_ line: JSONRef) {
    cell = Int(clamping: line["cell"]?.integer ?? 0)
    of = Int(clamping: line["of"]?.integer ?? 0)
    state = line["state"]?.string ?? ""
  }
}
