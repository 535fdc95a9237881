internal import FWBase

/// What srun, and the scheduler through it, say on its standard error. No line is a command's: these go by the link.
struct SchedulerMessages {
  /// The last ones.
  private(set) var lines: [String] = []
  private(set) var job: String?
  private var rest: [UInt8] = []
  /// Lines about the queue that nobody has been told of.
  private var queued: [String] = []

  private static let kept = 40
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
    if lines.count > SchedulerMessages.kept { lines.removeFirst() }
    // "srun: job 13 queued and waiting for resources", "srun: job 13 has been allocated resources"
    guard let number = line.without(prefix: "srun: job ")?.pieces(at: " ").first,
      number.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 })
    else { return }
    job = String(number)
    if let said = line.without(prefix: "srun: ") { queued.append(String(said)) }
  }

  mutating func takeQueued() -> String? { queued.isEmpty ? nil : queued.removeFirst() }

  /// The scheduler's own words about why something did not go on.
  static func reason(in lines: [String]) -> String? {
    let errors = lines.filter { $0.contains("error: ") && !$0.contains("task 0: ") }
    let line = errors.last ?? lines.first
    return line.map { line in
      var text = Substring(line)
      for prefix in ["srun: ", "error: ", "fatal: "] { text = text.without(prefix: prefix) ?? text }
      return String(text)
    }
  }

  /// The state of a job that was ended, where they tell it: "*** STEP 5.0 ON n1 CANCELLED AT 2026-… DUE TO TIME LIMIT ***".
  static func state(in lines: [String]) -> String? {
    for line in lines where line.contains(" CANCELLED AT ") || line.contains("ode failure") {
      if line.contains("TIME LIMIT") { return "TIMEOUT" }
      if line.contains("PREEMPTION") { return "PREEMPTED" }
      if line.contains("NODE FAILURE") || line.contains("ode failure") { return "NODE_FAIL" }
    }
    return lines.contains { $0.contains(" CANCELLED AT ") } ? "CANCELLED" : nil
  }

  /// Whether a line about the queue says that the job has its nodes, which may have to be made ready.
  static func tellOfAllocation(_ line: String) -> Bool { line.contains("has been allocated resources") }

  /// Whether they say that memory ran out.
  static func tellOfMemory(_ lines: [String]) -> Bool {
    lines.contains {
      $0.contains("exceeded memory limit") || $0.contains("Exceeded job memory limit") || $0.contains("oom-kill")
        || $0.contains("oom_kill") || $0.contains("Out Of Memory") || $0.contains("out-of-memory")
    }
  }

  /// Whether the request may have been taken although its answer was lost.
  static func tellOfLostAnswer(_ lines: [String]) -> Bool {
    lines.contains { $0.contains("Socket timed out") || $0.contains("Zero Bytes were transmitted") }
  }

  /// Whether the controller could not be reached, and no request has arrived.
  static func tellOfSilence(_ lines: [String]) -> Bool {
    lines.contains {
      $0.contains("Unable to contact slurm controller") || $0.contains("Unable to establish controller machine")
        || $0.contains("configuration source")
    }
  }
}
