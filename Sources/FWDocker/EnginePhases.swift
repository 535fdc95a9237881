internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel
internal import FWOutput
internal import FWSystem

extension EngineCommand {
  /// The ways to run a command.
  enum Kind {
    /// - early: the container, if it was created while the previous command ran.
    /// - body: the description of the container.
    /// - notebook: the files that are put into the container, and the reader of its standard error.
    /// - onStart: is called when the container of the next command may be created.
    case ownContainer(
      early: EarlyContainer?, body: (ContainerSession) throws(StepFailure) -> ByteBuffer, notebook: NotebookConnection?,
      onStart: () -> Void)
    case stepContainer(StepContainer, words: (ContainerSession) throws(StepFailure) -> [String])
    /// No command is run: the containers of the step are removed.
    case removal

    var isOwnContainer: Bool {
      if case .ownContainer = self { return true }
      return false
    }

    /// Why a signal cannot be sent; `nil` if it can.
    func refusal(of number: Int32, to target: SignalTarget, _ session: ContainerSession) -> String? {
      if notebook != nil { return StepFailure.noSignals.reason }
      guard case .stepContainer = self else {
        return ContainerSignals.refusal(
          of: number, to: target, hasInit: session.options.hasInit, isPodman: session.engine.isPodman)
      }
      return StepContainer.refusal(of: number, to: target)
    }

    var notebook: NotebookConnection? {
      if case .ownContainer(_, _, let notebook, _) = self { return notebook }
      return nil
    }
  }

  /// The phases of a command.
  ///
  ///   a container of its own: preparing, creating, populating, attaching, starting, running, draining, inspecting,
  ///   over an exec in the step's:  preparing, creating, startingContainer, creatingExec, opening, running,
  ///   askingStatus, inspecting, over
  ///
  /// `removing` comes before `over` if the end of the containers is waited for, and `searching` if the engine was lost.
  /// `Phase.limit` has the limit of each phase, and `endBecause` the effect of a timeout or a cancellation.
  enum Phase {
    /// The engine is asked for its version, and for the image, which may be pulled or built.
    case preparing
    /// The engine has been asked for the container.
    case creating
    /// The files that are to be in the container before its start are being sent.
    case populating
    /// The engine has been asked for the output and for the next exit of the container, and maybe for a connection of
    /// the standard input. Nothing is missed if the command starts when all of it has been granted.
    case attaching(missing: Set<Promise>)
    /// The container of the step has been asked to start.
    case startingContainer
    /// The engine has been asked for an exec in the container of the step.
    case creatingExec
    /// The container of the step has ended, and the engine is asked why.
    case examining
    /// The container of the command has been asked to start.
    ///
    /// - early: what the engine has reported about the end before its answer to the start. It is believed when that
    ///   answer says that the container was started.
    case starting(early: [Occurrence])
    /// The exec has been asked to start. The engine does not report that it runs. Output proves it, and if there is
    /// none, the engine is asked after a number of seconds.
    case opening(probe: Double)
    case running(Stage, Silence)
    /// The engine has reported the end, and the output has not ended. The status of an exec is not known yet.
    case draining(status: Int32?)
    /// The output of the exec has ended; the engine is asked for its status.
    case askingStatus
    /// The status is known, and the engine is asked for further facts about the end.
    ///
    /// - attempt: the number of the request, from 1.
    case inspecting(status: Int32, attempt: Int)
    /// The engine may get more facts about the end, and is asked again in a moment.
    case pausing(status: Int32, attempt: Int)
    /// The engine was lost, and is asked for the container until the given time of the monotonic clock.
    case searching(until: Double)
    /// The engine was asked for the container in vain, and is asked again in a moment.
    case awaitingEngine(until: Double)
    /// The containers of the step are being removed.
    case removing
    case over
  }

  /// What the engine grants before a container starts.
  enum Promise {
    case output
    case exit
    case input
  }

  /// How far a running command has been asked to end.
  enum Stage {
    case free
    case terminating
    case killing
  }

  /// Whether the engine has reported everything that it should have.
  enum Silence: Equatable {
    case normal
    /// The stream of the output has ended before the end of the command was known. The engine is asked after a number
    /// of seconds.
    case streamless(ask: Double)
    /// The engine says that the command has ended, but has not reported its end.
    case missesEnd
  }

  enum Alarm {
    /// The timeout of the step has passed.
    case timeout
    /// The time has come to ask whether the engine still answers, and whether the command still runs.
    case pulse
    /// The time has come to ask whether the exec runs.
    case probe
    /// The command was asked to end, and has not ended within the grace.
    case kill
    /// The command was killed, or was about to start, and the engine has reported nothing since.
    case gone
    /// No more output has arrived.
    case drain
    /// A command that has ended still sends output.
    case rest
    /// The time has come to ask again how the command ended.
    case inspect
    /// The time has come to contact a lost engine again.
    case search
    /// A lost engine has not answered.
    case loss
    /// The containers have not been removed in time.
    case removal
  }

  /// Something that happens to a command.
  enum Occurrence {
    case alarm(Alarm)
    case cancelled
    // The other cases are answers of the engine, in the order in which they arrive.
    case prepared(StepFailure?)
    case pinged(EngineReply)
    case created(StepFailure?)
    case populated(EngineReply)
    case containerStarted(EngineReply)
    case execCreated(EngineReply)
    /// The output of the command is being streamed.
    case attached
    /// The connection has room for more of the standard input.
    case inputWanted
    /// The standard input cannot be read to its end.
    case inputFailed
    /// The engine will report the exit of the container.
    case exitPromised
    /// The standard input can be sent over the connection that it has of its own.
    case inputAttached
    /// That connection has ended.
    case inputEnded(EngineReply)
    case started(EngineReply)
    /// A number of bytes of output has arrived.
    case output(Int)
    case outputEnded(EngineReply)
    case exited(EngineReply, ContainerExit?)
    /// The answer to a signal that was to end the command.
    case signalled(EngineReply, EndingSignal)
    /// The answer to a signal that the host has sent.
    case hostSignalled(EngineReply, Int32)
    /// The answer to whether an exec that was asked to start runs.
    case probed(EngineReply, ExecState?)
    /// The answer to whether the command still runs, with the status if the engine has it.
    case pulse(EngineReply, hasEnded: Bool, status: Int64?)
    /// The answer to how an exec has ended.
    case execEnded(EngineReply, ExecState?)
    /// The facts of the engine about the end of the container.
    case inspected(EngineReply, ContainerState?)
    /// The answer to why the container of the step has ended.
    case examined(ContainerState?)
    /// The answer to whether the container exists, after the engine was lost.
    case found(EngineReply, ContainerState?)
    case removed
  }
}

extension EngineCommand.Phase {
  /// Whether the engine is expected to report something about the command.
  var isActive: Bool {
    switch self {
    case .searching, .awaitingEngine, .removing, .over: return false
    default: return true
    }
  }

  /// The facts that limits depend on.
  struct Circumstances {
    /// The number of seconds that the engine may take to answer.
    let timeout: Double
    /// The number of seconds between TERM and KILL.
    let grace: Double
    /// Whether the command was asked to end.
    let isToEnd: Bool
    /// Whether the engine has left a request without an answer.
    let isEngineSilent: Bool
  }

  /// The limit of the phase.
  func limit(_ now: Circumstances) -> PhaseLimit<EngineCommand.Alarm> {
    typealias Limit = PhaseLimit<EngineCommand.Alarm>
    let rest = Limit.alarm(.rest, in: now.isToEnd ? EngineCommand.shortTimeout : now.timeout)
    switch self {
    // Getting an image may take long, so the engine is asked regularly whether it still answers.
    case .preparing: return .alarm(.pulse, in: now.timeout)
    case .creating, .populating, .attaching, .startingContainer, .creatingExec, .examining: return .request
    // A command that has to end is ended when the start request has been answered. The alarm is for an engine that does
    // not answer.
    case .starting: return now.isToEnd ? .alarm(.gone, in: EngineCommand.killTimeout) : .request
    case .opening(let interval):
      let probe = Limit.alarm(.probe, in: interval)
      return now.isToEnd ? probe.and(.gone, in: EngineCommand.killTimeout) : probe
    // A command may be silent for days, so the engine is asked regularly. An engine that hangs does not answer.
    case .running(let stage, let silence):
      let interval =
        switch silence {
        case .normal: now.timeout
        case .streamless(let interval): interval
        case .missesEnd: min(EngineCommand.missInterval, now.timeout)
        }
      let pulse = Limit.alarm(.pulse, in: interval)
      switch stage {
      case .free: return pulse
      case .terminating: return pulse.and(.kill, in: now.grace)
      case .killing: return pulse.and(.gone, in: EngineCommand.killTimeout)
      }
    case .draining: return rest.and(.drain, in: EngineCommand.drainTimeout)
    case .askingStatus, .inspecting: return rest
    case .pausing: return rest.and(.inspect, in: EngineCommand.inspectInterval)
    // An engine may accept a connection and not answer.
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
  /// The number of seconds after a KILL in which the end has to be reported. The end usually comes at once, unless the
  /// engine has a problem.
  fileprivate static let killTimeout = 5.0
  /// The number of seconds for the removal of the containers: usually, and if the engine has left requests without an
  /// answer.
  static let removalTimeout = 15.0
  static let shortTimeout = 5.0
  /// The number of seconds without output after which the output of a command that has ended counts as ended.
  fileprivate static let drainTimeout = 5.0
  /// The number of seconds until an engine that seems to have missed the end is asked again, and for the report of an
  /// end that broke the stream.
  static let missInterval = 5.0
  /// The number of seconds in which a lost engine may come back, and the interval of the attempts. Whether the
  /// container kept running is determined then.
  static let lossTimeout = 2.0
  fileprivate static let lossInterval = 0.2
  /// The number of seconds until the engine is asked whether a command runs: at first, and at most.
  static let firstProbe = 0.05
  static let longestProbe = 0.4
  /// The number of seconds until the engine is asked again how a command ended.
  fileprivate static let inspectInterval = 0.04
}
