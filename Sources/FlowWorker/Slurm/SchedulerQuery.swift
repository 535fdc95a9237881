internal import CFlowShims
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

  private let launcher: ProcessLauncher
  private let command: any RunningCommand
  private var readiness = ReadinessFD()
  private var unheard = EventQueue()

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
    guard let worker = try? SubprocessWorker(helperWith: env), let root = try? CText("/") else {
      throw .noMemory
    }
    var settings = RunSettings()
    settings.outputLimit = SchedulerQuery.longestAnswer
    launcher = try ProcessLauncher(worker, settings, env: env, rundir: root)
    var text = ByteBuffer()
    if cancels { text.append("scancel --quiet --name=\"$FLOWWORKER_JOB\"; " as StaticString) }
    text.append("squeue --noheader --states=all --name=\"$FLOWWORKER_JOB\" --format='%i|%T|%r|%N'" as StaticString)
    text.append(byte: 0)
    command = try launcher.start(
      UnsafeRawBufferPointer(rebasing: text.bytes.dropLast()), isLast: true, timeout: limit, events: nil)
    guard readiness.open() else { throw StepFailure("no descriptor for a question to the scheduler could be had") }
    readiness.watch(command.waiting)
  }

  var fd: Int32 { readiness.epoll }

  /// Does what can be done without waiting; `nil`: it is not over.
  func advance() -> Answer? {
    let ready = command.waiting.poll(0)
    guard ready.isAny, let end = command.advance(ready, &readiness, &unheard) else { return nil }
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
