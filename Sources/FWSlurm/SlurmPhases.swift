extension SlurmCommand {
  enum Alarm {
    /// The worker's time limit for getting an allocation has passed.
    case queue
    /// The time has come to ask squeue whether the job has its nodes.
    case start
    /// The node should have ended the command, and has not reported it.
    case answer
    /// The timeout of the step has passed, and no node enforces it.
    case timeout
    /// srun has not ended in time.
    case srun
    /// The time has come to ask the scheduler again.
    case pause
    /// The time for asking the scheduler has passed.
    case scheduler
    /// The kernel does not watch a descriptor of the command, so the time has come to look at it.
    case look
  }

  enum Phase {
    case allocating
    case running
    /// srun is ending, by itself or because it was told to.
    case settling
    /// The scheduler will be asked again in a moment.
    case pausing
    case asking(SchedulerQuery)
    case over
  }

  /// The most frames that are handled in one call, so that other work is not delayed.
  static let framesPerPoll = 64
  static let maxSubmissions = 3

  /// The number of seconds between two looks at what the kernel does not watch.
  static let lookInterval = 0.1
  /// The number of seconds, in addition to the grace, that a node has to end a command and report it, and that srun has
  /// to end.
  static let answerTimeout = 5.0
  static let srunTimeout = 10.0
  /// The number of seconds that an agent waits for a message after the last command, while the output is delivered. If
  /// the task of srun ends before that, srun drops the rest of the output.
  static let deliveryTimeout = 60.0
  /// The number of seconds in which the scheduler is asked how a job has ended: in general, for a job that the library
  /// has ended, and for a job that nobody waits for any longer.
  static let schedulerTimeout = 30.0
  static let endingTimeout = 10.0
  static let urgentTimeout = 3.0
}
