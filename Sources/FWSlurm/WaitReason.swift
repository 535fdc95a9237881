internal import FWBase
internal import FWModel

/// Why a job waits in the queue, as squeue reports it (`%r`): a code, which details may follow after a comma, or a
/// sentence.
///
/// The table has the meaning of each code according to Slurm's page "Job Reason Codes" (job_reason_codes.html), and
/// whether the job may still start. It never starts if its request exceeds a limit that no other job changes. It may
/// start if it waits for other jobs, for nodes, for a time or for a person. A job with a code that is not in the table
/// may start.
struct WaitReason: Equatable {
  /// The text of squeue, which is not empty.
  let text: String

  /// Returns `nil` if the text says nothing: the scheduler has not looked at the job yet, or the job does not wait.
  init?(_ text: String) {
    let shown = MessageFormat.foreign(text)
    if shown.isEmpty || shown.isSame(as: "None") || shown.isSame(as: "(null)") { return nil }
    self.text = shown
  }

  static func == (one: WaitReason, other: WaitReason) -> Bool { one.text.isSame(as: other.text) }

  /// Whether the job cannot start until the request, or a limit of the cluster, is changed.
  var isFinal: Bool { entry?.isFinal ?? false }

  /// The text of squeue with its meaning.
  var shown: String { entry.map { "\(text) (\($0.meaning))" } ?? text }

  /// The remedy.
  var advice: String { entry?.advice ?? WaitReason.patience }

  // MARK: The table

  private struct Entry {
    /// The code, or its beginning and a word that is in the rest of it.
    let code: String
    var part: String?
    let isFinal: Bool
    let meaning: String
    let advice: String

    func covers(_ other: String) -> Bool {
      guard let part else { return other.isSame(as: code) }
      return other.begins(with: code) && other.contains(part)
    }
  }

  /// The remedy if nothing more is known.
  static let patience = "a longer \"queue_timeout\", or another \"partition\""
  private static let less = "ask for less \"time\", fewer \"cpus\" or less \"memory\", or for another \"partition\""

  private var entry: Entry? {
    let code = text.cut(at: ",").map { String($0.before) } ?? text
    return WaitReason.table.first { $0.covers(code) }
  }

  private static let table: [Entry] = [
    // Reasons with which a job never starts.
    Entry(
      code: "PartitionTimeLimit", isFinal: true, meaning: "the job's time limit exceeds that of its partition",
      advice: "ask for less \"time\", or for another \"partition\""),
    Entry(
      code: "PartitionConfig", isFinal: true,
      meaning: "the job asks for more than a node of its partition has, or for "
        + "more than the partition allows", advice: less),
    Entry(
      code: "BadConstraints", isFinal: true, meaning: "no node can ever satisfy the job's requirements", advice: less),
    Entry(
      code: "AccountNotAllowed", isFinal: true, meaning: "the partition does not allow the job's account",
      advice: "use another \"account\" or \"partition\""),
    Entry(
      code: "InvalidAccount", isFinal: true, meaning: "the job's account is invalid",
      advice: "use another \"account\""),
    Entry(
      code: "InvalidQOS", isFinal: true, meaning: "the job's quality of service is invalid",
      advice: "use another \"--qos\" in \"extra\""),
    Entry(
      code: "QOSNotAllowed", isFinal: true,
      meaning: "the account or the partition does not allow the job's quality of service",
      advice: "use another \"--qos\" in \"extra\""),
    Entry(
      code: "MaxMemPerLimit", isFinal: true,
      meaning: "the job asks for more memory than a processor or a node may have",
      advice: "ask for less \"memory\" or more \"cpus\""),
    Entry(
      code: "DependencyNeverSatisfied", isFinal: true, meaning: "the job depends on one that has failed",
      advice: "change the \"--dependency\" in \"extra\""),
    Entry(
      code: "ReservationDeleted", isFinal: true, meaning: "the job's reservation does not exist any more",
      advice: "change the \"--reservation\" in \"extra\""),
    Entry(
      code: "DeadLine", isFinal: true, meaning: "the job cannot end before its deadline",
      advice: "ask for less \"time\", or change the \"--deadline\" in \"extra\""),
    Entry(
      code: "AssocMax", part: "PerJob", isFinal: true, meaning: "the job exceeds what its account may use in one job",
      advice: less),
    Entry(
      code: "AssocMax", part: "PerNode", isFinal: true, meaning: "the job exceeds what its account may use on a node",
      advice: less),
    Entry(
      code: "QOSMax", part: "PerJob", isFinal: true,
      meaning: "the job exceeds what its quality of service may use in one job", advice: less),
    Entry(
      code: "QOSMax", part: "PerNode", isFinal: true,
      meaning: "the job exceeds what its quality of service may use on a node", advice: less),
    Entry(
      code: "QOSMin", part: "", isFinal: true, meaning: "the job asks for less than its quality of service requires",
      advice: "ask for more \"cpus\" or \"memory\""),
    // Reasons that may pass.
    Entry(code: "Resources", isFinal: false, meaning: "other jobs use the resources", advice: patience),
    Entry(code: "Priority", isFinal: false, meaning: "jobs with a higher priority wait as well", advice: patience),
    Entry(
      code: "Dependency", isFinal: false, meaning: "the job depends on one that has not ended",
      advice: "a longer \"queue_timeout\""),
    Entry(
      code: "BeginTime", isFinal: false, meaning: "the time at which the job may begin has not come",
      advice: "a longer \"queue_timeout\", or an earlier \"--begin\" in \"extra\""),
    Entry(
      code: "Licenses", isFinal: false, meaning: "other jobs use the licences", advice: "a longer \"queue_timeout\""),
    Entry(
      code: "Reservation", isFinal: false, meaning: "the job's reservation has not begun",
      advice: "a longer \"queue_timeout\""),
    Entry(
      code: "ReqNodeNotAvail", isFinal: false,
      meaning: "a node that the job needs is reserved, in use, down or drained",
      advice: "see sinfo for the nodes; " + patience),
    Entry(
      code: "Nodes", part: "DOWN", isFinal: false, meaning: "they may come back",
      advice: "see sinfo for the nodes; " + patience),
    Entry(
      code: "NodeDown", isFinal: false, meaning: "a node that the job needs is down",
      advice: "see sinfo for the nodes; " + patience),
    Entry(
      code: "PartitionNodeLimit", isFinal: false,
      meaning: "nodes of the partition are down or drained, or the job has another number of nodes than it allows",
      advice: "see sinfo for the nodes; " + patience),
    Entry(
      code: "PartitionDown", isFinal: false, meaning: "the partition starts no jobs at this time",
      advice: "another \"partition\", or a longer \"queue_timeout\""),
    Entry(
      code: "PartitionInactive", isFinal: false, meaning: "the partition starts no jobs at this time",
      advice: "another \"partition\", or a longer \"queue_timeout\""),
    Entry(
      code: "JobHeldUser", isFinal: false, meaning: "the user has held the job",
      advice: "release it with scontrol release"),
    Entry(
      code: "JobHeldAdmin", isFinal: false, meaning: "an administrator has held the job",
      advice: "ask the administrators of the cluster"),
    Entry(
      code: "AssocGrp", part: "", isFinal: false, meaning: "the jobs of the account use all that it may use",
      advice: "a longer \"queue_timeout\", or another \"account\""),
    Entry(
      code: "AssocMax", part: "", isFinal: false, meaning: "the account has as many jobs as it may have",
      advice: "a longer \"queue_timeout\", or fewer \"allocations\""),
    Entry(
      code: "QOS", part: "", isFinal: false, meaning: "a limit of the quality of service is reached",
      advice: "a longer \"queue_timeout\", or fewer \"allocations\""),
  ]
}

/// What is known about the time of a command in the scheduler's queue.
struct QueueWait {
  /// Why the job waits or has waited; `nil` if the scheduler has not said it.
  private(set) var reason: WaitReason?
  /// Whether the worker's time limit for getting an allocation has passed.
  var hasTimedOut = false

  /// Records a reason. Returns it if it is new.
  mutating func note(_ new: WaitReason?) -> WaitReason? {
    guard let new, new != reason else { return nil }
    reason = new
    return new
  }

  /// Explains the end of a command that the library has taken out of the queue. Returns the outcome, because the
  /// scheduler may have said only at the end that the job could never start.
  ///
  /// - Parameters:
  ///   - outcome: the outcome so far; `nil` if the library has not ended the command.
  ///   - limit: the worker's time limit for getting an allocation.
  ///   - hasLeft: whether the job is known to have left the queue.
  func explain(_ end: inout CommandEnd, _ outcome: Outcome?, limit: Double?, job: String?, hasLeft: Bool) -> Outcome? {
    if let reason, outcome == .spawnFailed || (hasTimedOut && reason.isFinal) {
      end.failure = "the scheduler will not start \(job.map { "job \($0)" } ?? "the job"): \(reason.shown)"
      end.likely = reason.advice
      return .spawnFailed
    }
    if hasTimedOut {
      end.explanation =
        "was abandoned because no allocation was granted within the worker's \"queue_timeout\" of "
        + MessageFormat.seconds(limit ?? 0) + (reason.map { "; the scheduler's reason: \($0.shown)" } ?? "")
        + (job.map { "; job \($0) \(hasLeft ? "has left the queue" : "may still be in the queue")" } ?? "")
      end.likely = reason?.advice ?? WaitReason.patience
    }
    return outcome
  }
}
