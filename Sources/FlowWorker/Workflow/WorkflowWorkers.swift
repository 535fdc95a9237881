internal import FWBase
internal import FWModel
internal import FWVolumes

extension Worker {
  /// The volume that its steps have their files in.
  var location: Location { Location(cVolume.string) }
}

extension Workflow.Resolved {
  /// The worker of each step.
  func workers(of pool: Pool, _ volumes: Volumes) throws(FlowError) -> [Unmanaged<Worker>] {
    var workers: [Unmanaged<Worker>] = []
    for (step, pointer) in zip(steps, pointers) {
      let lent = try pool.worker(for: step)
      let worker = lent.takeUnretainedValue()
      let volume = worker.cVolume.string
      guard volumes.spec(Location(volume)) != nil else {
        throw FlowError(
          .unknown,
          "step \(step.shownName) is for the worker \(MessageFormat.quoted(worker.cName.string)), whose volume "
            + "\(MessageFormat.quoted(volume)) the configuration does not have; \(volumes.hint(volume))", path: pointer)
      }
      workers.append(lent)
    }
    return workers
  }

  /// Refuses what cannot be run, before anything is.
  func check(_ workers: [Unmanaged<Worker>], _ context: Context, _ settings: RunSettings) throws(FlowError) {
    let nowhere = try CText("/")
    for ((step, pointer), lent) in zip(zip(steps, pointers), workers) {
      let worker = lent.takeUnretainedValue()
      do throws(FlowError) {
        _ = try worker.prepare(step, context.snapshot, nowhere, settings)
      } catch where [.stepType, .template, .unknown].contains(error.code) {
        throw FlowError(error.code, error.message, path: pointer + (error.path ?? ""), position: error.position)
      } catch {
        // It may be right when the steps before it have given their values.
      }
    }
  }

  /// What any step or worker calls secret.
  func secretNames(_ workers: [Unmanaged<Worker>]) -> Set<Name> {
    var names: Set<Name> = []
    for worker in Workflow.Resolved.distinct(workers) { for name in worker.secrets { names.insert(Name(name)) } }
    for step in steps { for name in step.secrets { names.insert(Name(name)) } }
    return names
  }

  func environments(_ workers: [Unmanaged<Worker>]) -> [KeyValues] {
    Workflow.Resolved.distinct(workers).map(\.env) + steps.map(\.env).filter { !$0.isEmpty }
  }

  /// A worker that has many steps is looked at once.
  private static func distinct(_ workers: [Unmanaged<Worker>]) -> [Worker] {
    var seen: Set<ObjectIdentifier> = []
    return workers.map { $0.takeUnretainedValue() }.filter { seen.insert(ObjectIdentifier($0)).inserted }
  }
}

extension Workflow {
  /// What any step or worker calls secret, for a workflow whose steps cannot be read.
  func secretNames(_ pool: Pool) -> Set<Name> {
    var names: Set<Name> = []
    for item in items {
      for secret in item.secrets + (pool.worker(forStepNamed: Name(item.name))?.secrets ?? []) { names.insert(Name(secret)) }
    }
    return names
  }
}
