internal import FWBase

/// The messages of srun, and of the scheduler through srun, on srun's standard error. The output of commands goes over
/// the link and is never among them.
struct SchedulerMessages {
  /// The last lines.
  private(set) var lines: [String] = []
  private(set) var job: String?
  private var rest: [UInt8] = []
  /// The lines about the queue that have not been reported yet.
  private var queued: [String] = []

  private static let maxLines = 40
  private static let longestLine = 4096

  mutating func take(_ bytes: UnsafeRawBufferPointer) {
    for byte in bytes {
      if byte == UInt8(ascii: "\n") {
        finish()
      } else if rest.count < SchedulerMessages.longestLine {
        rest.append(byte)
      }
    }
  }

  mutating func finish() {
    let line = MessageFormat.foreign(String(decoding: rest, as: UTF8.self), limit: 4096)
    rest.removeAll()
    if !line.isEmpty { add(line) }
  }

  mutating func add(_ line: String) {
    lines.append(line)
    if lines.count > SchedulerMessages.maxLines { lines.removeFirst() }
    // The lines about the queue are "srun: job 13 queued and waiting for resources" and "srun: job 13 has been
    // allocated resources".
    guard let number = line.without(prefix: "srun: job ")?.pieces(at: " ").first,
      number.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 })
    else { return }
    job = String(number)
    if let text = line.without(prefix: "srun: ") { queued.append(String(text)) }
  }

  mutating func takeQueued() -> String? { queued.isEmpty ? nil : queued.removeFirst() }

  /// The scheduler's own reason for a failure.
  static func reason(in lines: [String]) -> String? {
    let errors = lines.filter { $0.contains("error: ") && !$0.contains("task 0: ") }
    let line = errors.last ?? lines.first
    return line.map { line in
      var text = Substring(line)
      for prefix in ["srun: ", "error: ", "fatal: "] { text = text.without(prefix: prefix) ?? text }
      return String(text)
    }
  }

  /// The state of a job that was ended, if the lines name it: "*** STEP 5.0 ON n1 CANCELLED AT 2026-… DUE TO TIME LIMIT
  /// ***".
  static func state(in lines: [String]) -> String? {
    for line in lines where line.contains(" CANCELLED AT ") || line.contains("ode failure") {
      if line.contains("TIME LIMIT") { return "TIMEOUT" }
      if line.contains("PREEMPTION") { return "PREEMPTED" }
      if line.contains("NODE FAILURE") || line.contains("ode failure") { return "NODE_FAIL" }
    }
    return lines.contains { $0.contains(" CANCELLED AT ") } ? "CANCELLED" : nil
  }

  /// Whether a line about the queue says that the job has its nodes, which may still have to be made ready.
  static func reportsAllocation(_ line: String) -> Bool { line.contains("has been allocated resources") }

  /// Whether the lines say that the memory limit was exceeded.
  static func reportMemoryLimit(_ lines: [String]) -> Bool {
    lines.contains {
      $0.contains("exceeded memory limit") || $0.contains("Exceeded job memory limit") || $0.contains("oom-kill")
        || $0.contains("oom_kill") || $0.contains("Out Of Memory") || $0.contains("out-of-memory")
    }
  }

  /// Whether the scheduler may have received the request although its answer was lost.
  static func reportLostAnswer(_ lines: [String]) -> Bool {
    lines.contains { $0.contains("Socket timed out") || $0.contains("Zero Bytes were transmitted") }
  }

  /// Whether the controller could not be reached, so that no request has arrived.
  static func reportNoController(_ lines: [String]) -> Bool {
    lines.contains {
      $0.contains("Unable to contact slurm controller") || $0.contains("Unable to establish controller machine")
        || $0.contains("configuration source")
    }
  }
}
