/// Whether a job has been given its nodes while nothing has come from its agent. srun does not tell that, where the nodes were free
/// at once, or are still being made ready: so squeue is asked, now and then.
struct StartWatch {
  enum Decision {
    /// Look again in so many seconds.
    case wait(Double)
    /// It is not in the queue, and its agent has had its time.
    case late
  }

  /// Seconds that an agent has from the moment on in which its job is known to be out of the queue.
  let limit: Double
  /// Under way.
  private(set) var query: SchedulerQuery?
  /// What squeue said of the job that is out of the queue; `.some(nil)`: it knows of none.
  private(set) var found: SchedulerQuery.Found??
  private var interval: Double

  /// Seconds between two questions, at most: jobs may wait for days, and there may be many of them.
  private static let longestInterval = 300.0

  init(limit: Double) {
    self.limit = limit
    interval = limit
  }

  /// The time that was given by the last decision has passed.
  mutating func look(for job: String) -> Decision? {
    if found != nil { return .late }
    // Without a process, or descriptors, it is asked later.
    query = try? SchedulerQuery(job, cancels: false, isHurried: false)
    return query == nil ? next() : nil
  }

  mutating func take(_ answer: SchedulerQuery.Answer) -> Decision {
    query = nil
    guard case .job(let found) = answer else { return next() }
    if let found, found.isWaiting { return next() }
    // One that it does not know may be one that srun has not handed in yet: it has the same time for that.
    self.found = .some(found)
    return .wait(limit)
  }

  private mutating func next() -> Decision {
    interval = min(interval * 2, max(limit, StartWatch.longestInterval))
    return .wait(interval)
  }
}
