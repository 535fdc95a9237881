internal import FWBase
internal import FWExecution
internal import FWModel

/// What the steps of a run take while they run: places of workers with a limit, and resources of the pool or of the run.
final class RunResources {
  /// What has become of a request for a step.
  enum Taking {
    /// The step takes nothing, and can start.
    case nothing
    case grant(Grant)
    /// The step has to wait for this.
    case held(StepSchedule.Hold)
  }

  /// A number for each step, from 0. The steps of a class ask for the same, so if one of them has to wait, all have to.
  /// The steps of class 0 take nothing.
  let classes: [Int]
  /// The request of each class; `nil` for class 0.
  private var requests: [SlotRequest?] = [nil]
  /// `nil` if no step takes anything.
  private var client: LedgerClient?

  /// Throws if a step could never start.
  init(_ pool: Pool, _ totals: ResourceTotals, _ resolved: Workflow.Resolved, _ workers: [Unmanaged<Worker>])
    throws(FlowError)
  {
    var numbers: [ObjectIdentifier: Int] = [:]
    var classes: [Int] = []
    classes.reserveCapacity(resolved.steps.count)
    for ((step, pointer), lent) in zip(zip(resolved.steps, resolved.pointers), workers) {
      let limit = lent.takeUnretainedValue().limit
      var number = 0
      if limit != nil || !step.resources.isEmpty {
        let client = client ?? LedgerClient(pool.ledger, totals)
        self.client = client
        do throws(FlowError) {
          if let request = try client.request(for: step, limit) {
            number = numbers[ObjectIdentifier(request)] ?? requests.count
            if number == requests.count {
              numbers[ObjectIdentifier(request)] = number
              requests.append(request)
            }
          }
        } catch { throw FlowError(error.code, error.message, path: pointer + (error.path ?? "")) }
      }
      classes.append(number)
    }
    self.classes = classes
    if requests.count == 1 { client = nil }
  }

  /// The descriptor that can be read when it is worth trying again what was held. -1: nothing is ever held.
  var fd: Int32 { client?.fd ?? -1 }

  /// Begins a round of starts. What is held and not asked for in a round is left to other runs.
  func beginRound() { client?.beginRound() }

  func endRound() { client?.endRound() }

  /// Takes what a step needs. The grant is for the `StepRun`, or is given back by being freed.
  func take(for step: Int) -> Taking {
    guard let client, classes.indices.contains(step), let request = requests[classes[step]] else { return .nothing }
    if let grant = client.acquire(request) { return .grant(grant) }
    return .held(request.held)
  }
}

extension ResourceTotals {
  /// The variables of all resources with ids that a run's steps have.
  func indexedVariables(over pool: Pool) throws(FlowError) -> [IndexedVariable]? {
    do throws(ValidationError) {
      let all = try variables(over: pool.indexedVariables)
      return all.isEmpty ? nil : all
    } catch { throw error.inside(ResourceTotals.key).error(in: nil) }
  }
}
