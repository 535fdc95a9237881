internal import FWBase
internal import FWModel

/// What the end of a job says about the end of a command, whose own status may not have come through. In this order: what
/// we ourselves wanted; what the scheduler did to the job; the command's own status; that nobody knows.
struct OutcomeResolver {
  let agent: ClusterFacts
  let wasReady: Bool
  let found: SchedulerQuery.Found?
  /// Why the scheduler could not be asked.
  let failure: String?
  let reason: Outcome?
  /// The command's own status is known.
  let isKnown: Bool
  /// The agent of a job that was out of the queue did not come.
  let late: StartWatch?
  let options: SlurmOptions

  private var job: String { agent.job.map { "job \($0)" } ?? "the job" }
  private var node: String { agent.node.map { " on the node \($0)" } ?? "" }
  private var said: String { SchedulerMessages.reason(in: agent.messages).map { ": \($0)" } ?? "" }

  func resolve(in end: inout CommandEnd) {
    if let late { return tellOfSilence(late, in: &end) }
    if let reason {
      end.outcome = reason
      return
    }
    guard wasReady else { return tellOfRefusal(in: &end) }
    let state = SchedulerMessages.state(in: agent.messages) ?? found?.state ?? ""
    if SchedulerMessages.tellOfMemory(agent.messages) || state == "OUT_OF_MEMORY" {
      end.outcome = .oom
      end.outOfMemory = .yes
      let limit = options.memory.map { " of \($0) bytes" } ?? ""
      end.explanation =
        "was ended by the scheduler because \(job)\(node) used more memory than its "
        + "allocation\(limit)\(said)"
      return
    }
    switch state {
    case "TIMEOUT", "DEADLINE":
      end.outcome = .timeout
      let limit = options.time.map { " of \($0) s" } ?? ""
      end.explanation = "was ended by the scheduler because the time\(limit) of \(job) had passed\(said)"
    case "NODE_FAIL", "BOOT_FAIL": fail("\(job): the node \(agent.node ?? found?.node ?? "") failed\(said)", in: &end)
    case "PREEMPTED": fail("\(job) was preempted: another job took its place\(node)\(said)", in: &end)
    case "CANCELLED": fail("\(job) was cancelled by somebody else\(said)", in: &end)
    default:
      if isKnown {
        // Its agent was asked to end it, and nobody says by whom.
        if end.outcome == .cancelled { fail("\(job) was ended by the scheduler\(node)\(said)", in: &end) }
        // A success would say that all of its output is here.
        if end.outcome == .exited, end.exitCode == 0, !end.incomplete.isEmpty {
          fail(
            "the command ended with status 0, but the connection to \(job)\(node) was lost before all output had "
              + "arrived\(said)", in: &end)
        }
        return
      }
      end.outcome = .statusUnknown
      let told = found.map { "the scheduler reports \($0.state)\($0.reason == "None" ? "" : " (\($0.reason))")" }
      let why = failure.map { "the scheduler could not be asked (\($0))" } ?? told ?? "the scheduler has forgotten it"
      end.explanation = "ended with an unknown status: the connection to \(job)\(node) was lost, and \(why)\(said)"
    }
  }

  private func tellOfSilence(_ late: StartWatch, in end: inout CommandEnd) {
    let time = "within the worker's \"start_timeout\" of \(MessageFormat.seconds(late.limit))"
    guard let seen = late.found, let seen else {
      return fail("the scheduler has no job for the step: srun submitted none \(time)\(said)", in: &end)
    }
    let node = seen.node.isEmpty ? "" : " on the node \(MessageFormat.foreign(seen.node))"
    let state = MessageFormat.foreign(seen.state)
    fail(
      "job \(MessageFormat.foreign(seen.job)) is \(state)\(node), and its agent sent nothing \(time)\(said)", in: &end)
  }

  /// There was no allocation.
  private func tellOfRefusal(in end: inout CommandEnd) {
    if SchedulerMessages.tellOfSilence(agent.messages) || SchedulerMessages.tellOfLostAnswer(agent.messages) {
      return fail("the scheduler does not answer\(said)", in: &end)
    }
    if found?.state == "CANCELLED" {
      return fail("\(job) was cancelled by somebody else while it waited\(said)", in: &end)
    }
    end.outcome = .spawnFailed
    end.failure =
      found == nil || agent.messages.contains { $0.contains("Unable to allocate resources") }
      ? "the scheduler refused the allocation\(said)"
      : "the agent did not start in the allocation of \(job)\(node)\(said)"
  }

  private func fail(_ reason: String, in end: inout CommandEnd) {
    end.outcome = .engineFailed
    end.failure = reason
  }
}
