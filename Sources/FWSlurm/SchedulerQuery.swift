internal import FWBase
internal import FWModel
internal import FWProcess
internal import Glibc

/// Asks the scheduler for the state of a job by its name, which is unique, and ends the job if that is wanted.
final class SchedulerQuery {
  struct JobInfo {
    let job: String
    let state: String
    let reason: String
    let node: String

    /// Whether the job has no usable nodes yet.
    var isWaiting: Bool { isAlive && state != "RUNNING" }

    var isPending: Bool { state == "PENDING" }

    /// Why the job waits, or waited before it was cancelled; `nil` if squeue does not say.
    var waitReason: WaitReason? { WaitReason(reason) }

    /// Whether the job may still run something.
    var isAlive: Bool {
      ["PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "REQUEUED", "RESIZING"]
        .contains(state)
    }
  }

  enum Answer {
    /// The last job of that name; `nil` if the scheduler has none.
    case job(JobInfo?)
    case failed(String)
    /// The scheduler did not answer in time.
    case silence(String)
  }

  private let program: HelperProgram

  /// The time limits of a query, in seconds: the usual one, and the one if somebody waits for the step to end.
  private static let timeout = 10.0
  private static let urgentTimeout = 4.0
  private let limit: Double
  /// The longest answer in bytes. One line is expected.
  private static let longestAnswer = 64 << 10
  /// The number of times that a scheduler whose answer is not usable is asked.
  static let tries = 4

  /// - Parameters:
  ///   - cancels: whether the job is ended as well.
  ///   - isUrgent: whether somebody waits for the step to end.
  init(_ name: String, cancels: Bool, isUrgent: Bool) throws(StepFailure) {
    limit = isUrgent ? SchedulerQuery.urgentTimeout : SchedulerQuery.timeout
    var env = KeyValues()
    env.set("FLOWWORKER_JOB", name)
    env.set("LC_ALL", "C")
    let end = cancels ? "scancel --quiet --name=\"$FLOWWORKER_JOB\"; " : ""
    program = try HelperProgram(
      end + "squeue --noheader --states=all --name=\"$FLOWWORKER_JOB\" --format='%i|%T|%r|%N'", env: env,
      for: "a query to the scheduler", outputLimit: SchedulerQuery.longestAnswer, timeout: limit)
  }

  var fd: Int32 { program.fd }

  /// Does all work that needs no waiting; `nil` if the query has not ended.
  func advance() -> Answer? {
    guard let end = program.advance() else { return nil }
    if end.outcome == .timeout { return .silence("squeue did not answer in \(MessageFormat.seconds(limit))") }
    guard end.outcome == .exited, end.exitCode == 0 else {
      let errorText = MessageFormat.foreign(String(decoding: end.stderr.bytes, as: UTF8.self))
      return .failed(errorText.isEmpty ? "squeue failed" : errorText)
    }
    let lines = String(decoding: end.stdout.bytes, as: UTF8.self).pieces(at: "\n")
    return .job(lines.last.flatMap(SchedulerQuery.read))
  }

  static func read(_ line: Substring) -> JobInfo? {
    let parts = line.pieces(at: "|", keepingEmpty: true).map(String.init)
    guard parts.count == 4 else { return nil }
    return JobInfo(job: parts[0], state: parts[1], reason: parts[2], node: parts[3])
  }
}
