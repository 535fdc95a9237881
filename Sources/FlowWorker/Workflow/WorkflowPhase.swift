internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWOutput
internal import FWSystem
internal import FWVolumes

extension WorkflowRun {
  /// What goes on in a run at one time.
  enum Phase {
    /// Commands of an earlier run with the same state directory, whose host has died, are being ended.
    case late(Timer)
    /// The files of parameters with a `target` are brought into the run directory.
    case sources(Transfers)
    /// These files are copied to their targets.
    case place(FilePlacements)
    /// The inputs of the workflow are brought into the run directory.
    case inputs(Transfers)
    /// The inputs of a step have to be copied, and other files are being copied.
    case awaitFetch(StepTask)
    /// The inputs of a step are brought to where its worker runs.
    case fetch(StepTask, Transfers)
    /// The commands of a step run.
    case run(StepTask, StepRun)
    /// A step has no commands. Its result is taken when the run advances next, so each advance ends at most one step,
    /// even if many steps without commands follow each other.
    case skip(StepTask, StepRun)
    /// The outputs of a step have to be copied, and other files are being copied.
    case awaitStore(StepTask, StepResult, [VolumeKey])
    /// The outputs of a step are brought to the volume of its worker.
    case store(StepTask, StepResult, Transfers)
    /// The outputs of the workflow are brought into the run directory.
    case outputs(Transfers)

    /// What a phase waits for. Every phase waits in one of these ways, so each has something that wakes it, a deadline,
    /// and an answer to a cancel.
    enum Wait {
      /// The descriptor of the transfers wakes the phase, and so does the run's timer, at the deadline and at a cancel.
      /// `interruption` then finds out which of the two it was, and the transfers end.
      case transfers(Transfers)
      /// The descriptors of the step wake the phase. The settings of the step have the deadline, and a cancel is passed
      /// on to the step.
      case step(StepRun)
      /// The run's timer has been stopped, so it wakes the phase at once.
      case immediate
      /// The phase looks again when this timer is over.
      case timer(Timer)
      /// The end of the transfers that go on wakes the phase. They have their own answer to a cancel.
      case turn
    }

    var wait: Wait {
      switch self {
      case .sources(let transfers), .inputs(let transfers), .fetch(_, let transfers), .store(_, _, let transfers),
        .outputs(let transfers):
        return .transfers(transfers)
      case .run(_, let run): return .step(run)
      case .place, .skip: return .immediate
      case .late(let timer): return .timer(timer)
      case .awaitFetch, .awaitStore: return .turn
      }
    }
  }

  /// A step that is in flight.
  struct StepTask {
    let place: StepPlace
    /// When and where the step runs.
    let schedule: StepSchedule
    let step: Step
    let worker: Worker
    /// The volume in which the worker has the step's files.
    let volume: FileVolume
    /// The watch that tells whether the step makes its outputs.
    let outputs: OutputWatch
    /// What the step has taken, which its `StepRun` gives back.
    let grant: Grant?
    /// What the state directory saves of the step; `nil` if it saves nothing.
    var memory: StepMemory?
  }

  /// The decision of `follow`.
  enum Next {
    /// The phase still has to wait.
    case wait
    case phase(Phase)
    /// The step of the slot is over, or the run is.
    case end
  }

  /// A place for a step that runs. A run has as many as it has `jobs`; the work before and after all steps is done in
  /// the first one.
  final class Slot {
    let lane: Int
    var phase: Phase
    /// The descriptor that the run watches for the phase; -1: none.
    var watched: Int32 = -1
    /// Whether the step of the phase adds its descriptors to those that the run watches.
    var hasRing = false
    /// Whether it waits for its turn to copy files.
    var isInCopyQueue = false

    init(lane: Int, phase: Phase) {
      self.lane = lane
      self.phase = phase
    }
  }
}
