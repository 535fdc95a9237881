extension SlurmCommand {
  enum Alarm {
    /// The worker's time for an allocation has passed.
    case queue
    /// squeue is asked whether the job has been given its nodes.
    case start
    /// The node should have ended the command, and has not said so.
    case answer
    /// The step's own time has passed, where no node keeps it.
    case timeout
    /// srun has not ended.
    case srun
    /// The scheduler is asked again.
    case pause
    /// The scheduler has been asked for long enough.
    case scheduler
  }

  enum Phase {
    case arriving
    case running
    /// srun is ending, by itself or ended.
    case settling
    /// The scheduler is asked again in a moment.
    case pausing
    case asking(SchedulerQuery)
    case over
  }

  /// Frames that are taken before others have their turn.
  static let framesPerPoll = 64
  static let maxSubmissions = 3

  /// Seconds, beside the grace, that a node has to end a command and to say so; and that srun has to end.
  static let answerTimeout = 5.0
  static let srunTimeout = 10.0
  /// Seconds that an agent waits for a word after the last command, whose output is on its way: where the task of srun
  /// ends before that has come, srun drops it.
  static let deliveryTimeout = 60.0
  /// Seconds in which the scheduler is asked how a job has ended; the shorter times are for a job that the library has
  /// ended, and for one that nobody waits for any longer.
  static let schedulerTimeout = 30.0
  static let endingTimeout = 10.0
  static let hurry = 3.0
}
