/// Watches whether a job has its nodes although its agent has not reported. srun does not say that if the nodes were
/// free at once, or are still being made ready, so squeue is asked from time to time.
struct StartWatch {
  enum Decision {
    /// The job has to be checked again after a number of seconds.
    case wait(Double)
    /// The job is not in the queue, and its agent has not reported in time.
    case late
  }

  /// The number of seconds in which an agent has to report after its job is known to have left the queue.
  let limit: Double
  /// The running query.
  private(set) var query: SchedulerQuery?
  /// The facts that squeue has reported of a job that has left the queue; `.some(nil)` if it has no such job.
  private(set) var info: SchedulerQuery.JobInfo??
  private var interval: Double

  /// The longest time between two queries in seconds. Jobs may wait for days, and there may be many of them.
  private static let longestInterval = 300.0

  init(limit: Double) {
    self.limit = limit
    interval = limit
  }

  /// Checks the job after the time of the last decision has passed.
  mutating func check(for job: String) -> Decision? {
    if info != nil { return .late }
    // If no process or descriptor can be created, squeue is asked later.
    query = try? SchedulerQuery(job, cancels: false, isUrgent: false)
    return query == nil ? next() : nil
  }

  mutating func take(_ answer: SchedulerQuery.Answer) -> Decision {
    query = nil
    guard case .job(let info) = answer else { return next() }
    if let info, info.isWaiting { return next() }
    // A job that squeue does not have may not have been submitted by srun yet. It gets the same time.
    self.info = .some(info)
    return .wait(limit)
  }

  private mutating func next() -> Decision {
    interval = min(interval * 2, max(limit, StartWatch.longestInterval))
    return .wait(interval)
  }
}
