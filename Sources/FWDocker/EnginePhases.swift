internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel
internal import FWOutput
internal import FWSystem

extension EngineCommand {
  /// How a command is run.
  enum Kind {
    /// - early: the container, if it was created while the command before ran.
    /// - body: what is to be created.
    /// - notebook: what is put into the container, and listens to the standard error.
    /// - onStart: the time to create the container of the next command.
    case ownContainer(
      early: EarlyContainer?, body: (ContainerSession) throws(StepFailure) -> ByteBuffer, notebook: NotebookTalk?,
      onStart: () -> Void)
    case stepContainer(StepContainer, words: (ContainerSession) throws(StepFailure) -> [String])
    /// The containers are removed, and nothing else is done.
    case removal

    var isOwnContainer: Bool {
      if case .ownContainer = self { return true }
      return false
    }

    var notebook: NotebookTalk? {
      if case .ownContainer(_, _, let notebook, _) = self { return notebook }
      return nil
    }
  }

  /// Where a command is.
  ///
  ///   a container of its own: preparing, creating, populating, attaching, starting, running, draining, inspecting, over
  ///   an exec in the step's:  preparing, creating, startingContainer, creatingExec, opening, running, askingStatus,
  ///                           inspecting, over
  ///
  /// `removing` comes before `over` where the end of the containers is waited for, and `searching` where the engine was
  /// lost. `Phase.limit` says what ends each phase at the latest, `endBecause` what a timeout or a cancel does to it.
  enum Phase {
    /// The engine is asked for its version, and for the image, which may be pulled or built.
    case preparing
    /// The engine has been asked for the container.
    case creating
    /// The files that are to be in the container before its start are being sent.
    case populating
    /// The engine has been asked for the output and for the next exit of the container. Nothing is missed if the
    /// command starts when both have been granted.
    case attaching(hasOutput: Bool, hasExit: Bool)
    /// The container of the step has been asked to start.
    case startingContainer
    /// The engine has been asked for an exec in the container of the step.
    case creatingExec
    /// The container of the step has ended, and the engine is asked why.
    case examining
    /// The container of the command has been asked to start.
    case starting
    /// The exec has been asked to start. The engine does not tell by itself that it runs: output shows it, and after so
    /// many seconds without any the engine is asked.
    case opening(probe: Double)
    case running(Stage, Silence)
    /// The engine has told of the end, and the output has not ended. The status of an exec is not known yet.
    case draining(status: Int32?)
    /// The output of the exec has ended; the engine is asked for its status.
    case askingStatus
    /// The status is known; the engine is asked for what else it knows of the end.
    ///
    /// - look: how often the engine has been asked, from 1.
    case inspecting(status: Int32, look: Int)
    /// The engine may learn more of the end, and is asked again in a moment.
    case pausing(status: Int32, look: Int)
    /// The engine was lost, and is asked for the container until the given time of the monotonic clock.
    case searching(until: Double)
    /// The engine was asked for the container in vain, and is asked again in a moment.
    case awaitingEngine(until: Double)
    /// The containers of the step are being removed.
    case removing
    case over
  }

  /// How far a running command has been asked to end.
  enum Stage {
    case free
    case terminating
    case killing
  }

  /// Whether the engine has told all that it should have.
  enum Silence {
    case normal
    /// The engine says that the command runs no more, and has not told of its end.
    case missesEnd
  }

  enum Alarm {
    /// The time of the step has passed.
    case timeout
    /// The engine is asked whether it is there, and whether the command runs.
    case pulse
    /// The engine is asked whether the exec runs.
    case probe
    /// The command was asked to end, and has not ended in the grace.
    case kill
    /// The command was killed, or was to be started, and nothing is told of it.
    case gone
    /// Nothing more has come of the output.
    case drain
    /// There is still more to come of a command that has ended.
    case rest
    /// The engine is asked again how the command ended.
    case look
    /// An engine that was lost is asked again.
    case search
    /// Nothing has been heard of an engine that was lost.
    case loss
    /// The containers have not gone.
    case removal
  }

  /// Something that happens to a command.
  enum Occurrence {
    case alarm(Alarm)
    case cancelled
    // What the engine has said, in the order in which it came.
    case prepared(StepFailure?)
    case pinged(EngineReply)
    case created(StepFailure?)
    case populated(EngineReply)
    case containerStarted(EngineReply)
    case execCreated(EngineReply)
    /// The output of the container will come.
    case attached
    /// The exit of the container will be told.
    case exitPromised
    case started(EngineReply)
    /// So many bytes of the stream of output.
    case output(Int)
    case outputEnded(EngineReply)
    case exited(EngineReply, ContainerExit?)
    case signalled(EngineReply, before: EndingSignal?)
    /// Whether an exec that was asked to start runs.
    case probed(EngineReply, ExecState?)
    /// Whether the command runs still; the status where the engine tells it.
    case pulse(EngineReply, hasEnded: Bool, status: Int64?)
    /// How an exec has ended.
    case execEnded(EngineReply, ExecState?)
    /// What the engine knows of the end of the container.
    case inspected(EngineReply, ContainerState?)
    /// Why the container of the step has ended.
    case examined(ContainerState?)
    /// Whether the container is there, after the engine was lost.
    case found(EngineReply, ContainerState?)
    case removed
  }
}

extension EngineCommand.Phase {
  /// The engine is expected to tell something of the command.
  var isActive: Bool {
    switch self {
    case .searching, .awaitingEngine, .removing, .over: return false
    default: return true
    }
  }

  /// What the limits depend on.
  struct Circumstances {
    /// Seconds that the engine may take to answer.
    let timeout: Double
    /// Seconds between TERM and KILL.
    let grace: Double
    /// The command was asked to end.
    let isToEnd: Bool
    /// The engine has left a request without an answer.
    let isEngineSilent: Bool
  }

  /// What ends the phase at the latest.
  func limit(_ now: Circumstances) -> PhaseLimit<EngineCommand.Alarm> {
    typealias Limit = PhaseLimit<EngineCommand.Alarm>
    let rest = Limit.alarm(.rest, in: now.isToEnd ? EngineCommand.shortTimeout : now.timeout)
    switch self {
    // An image may take its time: the engine is asked now and then whether it is there.
    case .preparing: return .alarm(.pulse, in: now.timeout)
    case .creating, .populating, .attaching, .startingContainer, .creatingExec, .examining: return .request
    // A command that is to end is ended when its start has been answered. An engine may not answer.
    case .starting: return now.isToEnd ? .alarm(.gone, in: EngineCommand.killTimeout) : .request
    case .opening(let interval):
      let probe = Limit.alarm(.probe, in: interval)
      return now.isToEnd ? probe.and(.gone, in: EngineCommand.killTimeout) : probe
    // A command may be silent for days: the engine is asked now and then. One that hangs does not answer.
    case .running(let stage, let silence):
      let interval = silence == .normal ? now.timeout : min(EngineCommand.missInterval, now.timeout)
      let pulse = Limit.alarm(.pulse, in: interval)
      switch stage {
      case .free: return pulse
      case .terminating: return pulse.and(.kill, in: now.grace)
      case .killing: return pulse.and(.gone, in: EngineCommand.killTimeout)
      }
    case .draining: return rest.and(.drain, in: EngineCommand.drainTimeout)
    case .askingStatus, .inspecting: return rest
    case .pausing: return rest.and(.look, in: EngineCommand.lookInterval)
    // An engine may accept a connection, and say nothing.
    case .searching: return .alarm(.loss, in: EngineCommand.lossTimeout + EngineCommand.lossInterval)
    case .awaitingEngine:
      let search = Limit.alarm(.search, in: EngineCommand.lossInterval)
      return search.and(.loss, in: EngineCommand.lossTimeout)
    case .removing:
      return .alarm(.removal, in: now.isEngineSilent ? EngineCommand.shortTimeout : EngineCommand.removalTimeout)
    case .over: return .final
    }
  }
}

extension EngineCommand {
  /// Seconds. What is killed is gone at once, unless the engine is in trouble.
  fileprivate static let killTimeout = 5.0
  /// Seconds for the containers to be removed; and where the engine has left requests without an answer.
  static let removalTimeout = 15.0
  static let shortTimeout = 5.0
  /// Seconds without output between the end of a command and the end of its output.
  fileprivate static let drainTimeout = 5.0
  /// Seconds until an engine that seems to have missed the end is asked again.
  fileprivate static let missInterval = 5.0
  /// Seconds. An engine that was lost may come back; whether the container ran on is seen then.
  static let lossTimeout = 2.0
  fileprivate static let lossInterval = 0.2
  /// Seconds until the engine is asked whether an exec runs.
  static let firstProbe = 0.05
  static let longestProbe = 0.4
  /// Seconds until the engine is asked again how a command ended.
  fileprivate static let lookInterval = 0.04
}
