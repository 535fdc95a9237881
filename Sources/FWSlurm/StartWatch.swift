/// Watches a job whose agent has not reported, by asking squeue from time to time: whether the job has its nodes, which
/// srun does not say if they were free at once or are still being made ready, and otherwise why it waits.
struct StartWatch {
  enum Decision {
    /// The job has to be checked again after a number of seconds.
    case wait(Double)
    /// The job is not in the queue, and its agent has not reported in time.
    case late
    /// The job will never start.
    case never(WaitReason)
  }

  /// The number of seconds in which an agent has to report after its job is known to have left the queue.
  let limit: Double
  /// The running query.
  private(set) var query: SchedulerQuery?
  /// The facts that squeue has reported of a job that has left the queue; `.some(nil)` if it has no such job.
  private(set) var info: SchedulerQuery.JobInfo??
  /// Why the job waits, as squeue reported last.
  private(set) var reason: WaitReason?
  /// Whether srun has said that the job is in the queue.
  private var isQueued = false
  /// Whether the time for the next look is reserved.
  private var hasReserved = false
  private var interval: Double

  /// The number of seconds until a job is looked at that srun has reported as queued. By then the scheduler has
  /// compared the request with the limits of the partition.
  static let firstLook = 1.0
  /// The number of seconds until a reason with which the job never starts is looked at again.
  private static let confirmation = 1.0
  /// The number of seconds between the first two queries. The time doubles up to the longest one, because jobs may wait
  /// for days, and there may be many of them.
  private static let firstInterval = 10.0
  private static let longestInterval = 300.0

  init(limit: Double) {
    self.limit = limit
    interval = min(limit, StartWatch.firstInterval)
  }

  /// Notes that srun has said that the job is in the queue. Returns whether this is new.
  mutating func noteQueued() -> Bool {
    defer { isQueued = true }
    return !isQueued
  }

  /// Checks the job after the time of the last decision has passed.
  mutating func check(for job: String, in allocations: Allocations) -> Decision? {
    if info != nil { return .late }
    if !hasReserved {
      hasReserved = true
      let delay = allocations.reserveLook()
      if delay > 0 { return .wait(delay) }
    }
    hasReserved = false
    // If no process or descriptor can be created, squeue is asked later.
    query = try? SchedulerQuery(job, cancels: false, isUrgent: false)
    return query == nil ? next() : nil
  }

  mutating func take(_ answer: SchedulerQuery.Answer) -> Decision {
    query = nil
    guard case .job(let info) = answer else { return next() }
    guard let info, info.isWaiting else {
      // A job that squeue does not have may not have been submitted by srun yet. It gets the same time.
      self.info = .some(info)
      return .wait(limit)
    }
    let before = reason
    reason = info.isPending ? info.waitReason : nil
    // Limits may be changed, and nodes may come back, so one look is not enough.
    guard let reason, reason.isFinal else { return next() }
    return reason == before ? .never(reason) : .wait(StartWatch.confirmation)
  }

  private mutating func next() -> Decision {
    defer { interval = min(interval * 2, max(limit, StartWatch.longestInterval)) }
    return .wait(interval)
  }
}
