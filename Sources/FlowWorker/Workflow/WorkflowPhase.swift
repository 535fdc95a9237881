internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWOutput
internal import FWSystem
internal import FWVolumes
extension WorkflowRun {
  /// One thing that goes on in a run.
  enum Phase {
    /// The inputs of the workflow are brought into the run directory.
    case inputs(Transfers)
    /// The inputs of a step are brought to where its worker runs.
    case fetch(StepTask, Transfers)
    /// The commands of a step run.
    case run(StepTask, StepRun)
    /// A step had nothing to run. Its result is taken at the next turn: one turn of the host ends at most one step,
    /// however many of such steps follow each other.
    case skip(StepTask, StepRun)
    /// The outputs of a step are brought to the volume of its worker.
    case store(StepTask, StepResult, Transfers)
    /// The outputs of the workflow are brought into the run directory.
    case outputs(Transfers)

    /// Every phase waits in one of these ways, so a phase cannot be without a wake-up, a deadline and an answer to a
    /// cancel.
    enum Wait {
      /// The descriptor of the transfers wakes the phase, and so does the run's timer: at the deadline, and at a
      /// cancel. Both are found in `interruption`, which ends the transfers.
      case transfers(Transfers)
      /// The descriptors of the step wake the phase. The step has the deadline among its settings, and is told of a
      /// cancel.
      case step(StepRun)
      /// The run's timer wakes the phase at once: it has been stopped.
      case turn
    }

    var wait: Wait {
      switch self {
      case .inputs(let transfers), .fetch(_, let transfers), .store(_, _, let transfers), .outputs(let transfers):
        return .transfers(transfers)
      case .run(_, let run): return .step(run)
      case .skip: return .turn
      }
    }
  }

  /// A step that is in flight.
  package struct StepTask {
    /// Its number in the workflow.
    let index: Int
    let step: Step
    let worker: Worker
    /// Where the worker has the files.
    let volume: FileVolume
    /// Tells whether the step makes its outputs.
    let outputs: OutputWatch
    /// What the state directory compares: the document of the step's plan, and the values that the plan was made with.
    /// `nil`: nothing is remembered.
    var plan: (document: JSONValue, values: ContextValues)?
  }

  /// What `follow` decides.
  enum Next {
    /// The phase has still to wait.
    case wait
    case phase(Phase)
    /// The run is over, and has its report.
    case end
  }
}
