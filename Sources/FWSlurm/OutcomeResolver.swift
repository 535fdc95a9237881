internal import FWBase
internal import FWModel

/// Determines how a command ended from the end of its job, because the status of the command may not have arrived. The
/// sources in their order of precedence are: a reason of the library itself; the end of the job by the scheduler; the
/// command's own status. Otherwise the status is unknown.
struct OutcomeResolver {
  let agent: ClusterFacts
  let wasReady: Bool
  let info: SchedulerQuery.JobInfo?
  /// Why the scheduler could not be asked; `nil` if it was.
  let failure: String?
  let reason: Outcome?
  /// Whether the command's own status is known.
  let isKnown: Bool
  /// The watch of a job that had left the queue and whose agent did not report in time; `nil` for any other job.
  let late: StartWatch?
  let options: SlurmOptions
  let settings: RunSettings

  private var job: String { agent.job.map { "job \($0)" } ?? "the job" }
  private var node: String { agent.node.map { " on the node \($0)" } ?? "" }
  private var reasonText: String { SchedulerMessages.reason(in: agent.messages).map { ": \($0)" } ?? "" }

  func resolve(in end: inout CommandEnd) {
    if let late { return resolveSilence(late, in: &end) }
    if let reason {
      end.outcome = reason
      return
    }
    guard wasReady else { return resolveRefusal(in: &end) }
    let state = SchedulerMessages.state(in: agent.messages) ?? info?.state ?? ""
    if SchedulerMessages.reportMemoryLimit(agent.messages) || state == "OUT_OF_MEMORY" {
      end.outcome = .oom
      end.outOfMemory = .yes
      let limit = options.memory.map { " of \($0) bytes" } ?? ""
      end.explanation =
        "was ended by the scheduler because \(job)\(node) used more memory than its "
        + "allocation\(limit)\(reasonText)"
      return
    }
    switch state {
    case "TIMEOUT", "DEADLINE":
      end.outcome = .timeout
      let limit = options.time.map { " of \($0) s" } ?? ""
      end.explanation = "was ended by the scheduler because the time\(limit) of \(job) had passed\(reasonText)"
      end.likely = "the step needs an allocation with more \"time\""
    case "NODE_FAIL", "BOOT_FAIL":
      fail("\(job): the node \(agent.node ?? info?.node ?? "") failed\(reasonText)", in: &end)
    case "PREEMPTED": fail("\(job) was preempted: another job took its place\(node)\(reasonText)", in: &end)
    case "CANCELLED": fail("\(job) was cancelled by somebody else\(reasonText)", in: &end)
    default:
      if isKnown {
        // The agent was asked to end the command, and the scheduler does not say by whom.
        if end.outcome == .cancelled { fail("\(job) was ended by the scheduler\(node)\(reasonText)", in: &end) }
        // A success would mean that all output has arrived.
        if end.outcome == .exited, let code = end.exitCode, settings.isSuccess(code), !end.incomplete.isEmpty {
          fail(
            "the command ended with status \(code), but the connection to \(job)\(node) was lost before all output had "
              + "arrived\(reasonText)", in: &end)
        }
        return
      }
      end.outcome = .statusUnknown
      let answer = info.map { "the scheduler reports \($0.state)\($0.reason == "None" ? "" : " (\($0.reason))")" }
      let why = failure.map { "the scheduler could not be asked (\($0))" } ?? answer ?? "the scheduler has forgotten it"
      end.explanation =
        "ended with an unknown status: the connection to \(job)\(node) was lost, and \(why)\(reasonText)"
    }
  }

  private func resolveSilence(_ late: StartWatch, in end: inout CommandEnd) {
    let time = "within the worker's \"start_timeout\" of \(MessageFormat.seconds(late.limit))"
    guard let info = late.info, let info else {
      return fail("the scheduler has no job for the step: srun submitted none \(time)\(reasonText)", in: &end)
    }
    let node = info.node.isEmpty ? "" : " on the node \(MessageFormat.foreign(info.node))"
    let state = MessageFormat.foreign(info.state)
    fail(
      "job \(MessageFormat.foreign(info.job)) is \(state)\(node), and its agent sent nothing \(time)\(reasonText)",
      in: &end)
  }

  /// Resolves the end of a command that got no allocation.
  private func resolveRefusal(in end: inout CommandEnd) {
    if SchedulerMessages.reportNoController(agent.messages) || SchedulerMessages.reportLostAnswer(agent.messages) {
      return fail("the scheduler does not answer\(reasonText)", in: &end)
    }
    if info?.state == "CANCELLED" {
      return fail("\(job) was cancelled by somebody else while it waited\(reasonText)", in: &end)
    }
    end.outcome = .spawnFailed
    if info == nil || agent.messages.contains(where: { $0.contains("Unable to allocate resources") }) {
      end.failure = "the scheduler refused the allocation\(reasonText)"
      end.likely = "the worker's options ask for what the cluster does not have or does not allow"
    } else {
      end.failure = "the agent did not start in the allocation of \(job)\(node)\(reasonText)"
    }
  }

  private func fail(_ reason: String, in end: inout CommandEnd) {
    end.outcome = .engineFailed
    end.failure = reason
  }
}
