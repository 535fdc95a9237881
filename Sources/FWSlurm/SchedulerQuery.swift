internal import FWBase
internal import FWModel
internal import FWProcess
internal import Glibc

/// Asks the scheduler what has become of a job, by its name, which no other job has; and ends it, if that is wanted.
final class SchedulerQuery {
  struct Found {
    let job: String
    let state: String
    let reason: String
    let node: String

    /// It has no nodes that could run something, or not yet.
    var isWaiting: Bool { isAlive && state != "RUNNING" }

    /// It may still run something.
    var isAlive: Bool {
      ["PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "REQUEUED", "RESIZING"]
        .contains(state)
    }
  }

  enum Answer {
    /// The last one of that name; `nil`: it knows of none.
    case job(Found?)
    case failed(String)
    /// It did not answer in its time.
    case silence(String)
  }

  private let program: HelperProgram

  /// Seconds.
  private static let timeout = 10.0
  private static let hurriedTimeout = 4.0
  private let limit: Double
  /// Bytes of what it says: one line is wanted.
  private static let longestAnswer = 64 << 10
  /// How often a scheduler that does not answer is asked.
  static let tries = 4

  /// - Parameters:
  ///   - cancels: whether the job is ended, too.
  ///   - isHurried: whether somebody waits for the step to be over.
  init(_ name: String, cancels: Bool, isHurried: Bool) throws(StepFailure) {
    limit = isHurried ? SchedulerQuery.hurriedTimeout : SchedulerQuery.timeout
    var env = KeyValues()
    env.set("FLOWWORKER_JOB", name)
    env.set("LC_ALL", "C")
    let end = cancels ? "scancel --quiet --name=\"$FLOWWORKER_JOB\"; " : ""
    program = try HelperProgram(
      end + "squeue --noheader --states=all --name=\"$FLOWWORKER_JOB\" --format='%i|%T|%r|%N'", env: env,
      for: "a query to the scheduler", outputLimit: SchedulerQuery.longestAnswer, timeout: limit)
  }

  var fd: Int32 { program.fd }

  /// Does what can be done without waiting; `nil`: it is not over.
  func advance() -> Answer? {
    guard let end = program.advance() else { return nil }
    if end.outcome == .timeout { return .silence("squeue did not answer in \(MessageFormat.seconds(limit))") }
    guard end.outcome == .exited, end.exitCode == 0 else {
      let said = MessageFormat.foreign(String(decoding: end.stderr.bytes, as: UTF8.self))
      return .failed(said.isEmpty ? "squeue failed" : said)
    }
    let lines = String(decoding: end.stdout.bytes, as: UTF8.self).pieces(at: "\n")
    return .job(lines.last.flatMap(SchedulerQuery.read))
  }

  private static func read(_ line: Substring) -> Found? {
    let parts = line.pieces(at: "|", keepingEmpty: true).map(String.init)
    guard parts.count == 4 else { return nil }
    return Found(job: parts[0], state: parts[1], reason: parts[2], node: parts[3])
  }
}
