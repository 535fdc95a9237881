internal import FWExecution
internal import FWOutput
internal import FWSystem
internal import FWBase
internal import FWModel
internal import FWVolumes

/// The work of a run: the workflow for one set of arguments, without references.
extension Workflow {
  struct Resolved {
    var steps: [Step] = []
    /// The JSON pointer of each step in the document.
    var pointers: [String] = []
    var files = FilesDocument()
    /// The files that the run has under other keys.
    let placements: [FilePlacement]
    /// The values that commands may refer to.
    var values: JSONValue
    /// The name that the template has.
    var name: String?
    /// The values of all parameters: what the host has given, and the defaults.
    var arguments: JSONValue
  }
}

extension Workflow.Resolved {
  /// Finds the worker of each step.
  func workers(of pool: Pool, _ volumes: Volumes) throws(FlowError) -> [Unmanaged<Worker>] {
    var workers: [Unmanaged<Worker>] = []
    for (step, pointer) in zip(steps, pointers) {
      let lent = try pool.worker(for: step)
      let worker = lent.takeUnretainedValue()
      let volume = worker.cVolume.string
      guard volumes.spec(Location(volume)) != nil else {
        throw FlowError(
          .unknown,
          "step \(step.shownName) runs on the worker \(MessageFormat.quoted(worker.cName.string)) with the volume "
            + "\(MessageFormat.quoted(volume)), which the configuration does not have; \(volumes.hint(volume))",
          path: pointer)
      }
      workers.append(lent)
    }
    return workers
  }

  /// Throws, before anything of the workflow runs, if one of its steps can never run. A step is planned only when it
  /// begins, with the values that the steps before it have given.
  ///
  /// A name that arguments have made is in every event and result, and so it must not have a secret in it.
  func check(
    _ workers: [Unmanaged<Worker>], _ values: ContextValues, _ settings: RunSettings, items: [Workflow.Item]
  ) throws(FlowError) {
    let secrets = settings.secrets
    for ((step, pointer), item) in zip(zip(steps, pointers), items)
    where !item.name.isSame(as: step.cName.string) && secrets.isIn(step.cName.string) {
      throw FlowError(
        .document, "the name of a step has a secret in it: names are shown, so refer to another parameter",
        path: pointer + "/name")
    }
    var given: Set<Name> = []
    for ((step, pointer), lent) in zip(zip(steps, pointers), workers) {
      do throws(FlowError) {
        try lent.takeUnretainedValue().check(step, values, settings, given: given)
      } catch {
        throw FlowError(error.code, error.message, path: pointer + (error.path ?? ""), position: error.position)
      }
      if let argument = step.code.argument { given.insert(Name(argument)) }
    }
  }

  /// The names of everything that a step or worker calls secret.
  func secretNames(_ workers: [Unmanaged<Worker>]) -> Set<Name> {
    var names: Set<Name> = []
    for worker in Workflow.Resolved.distinct(workers) { for name in worker.secrets { names.insert(Name(name)) } }
    for step in steps { for name in step.secrets { names.insert(Name(name)) } }
    return names
  }

  func environments(_ workers: [Unmanaged<Worker>]) -> [KeyValues] {
    Workflow.Resolved.distinct(workers).map(\.env) + steps.map(\.env).filter { !$0.isEmpty }
  }

  /// Gives each worker once, however many steps it has.
  private static func distinct(_ workers: [Unmanaged<Worker>]) -> [Worker] {
    var seen: Set<ObjectIdentifier> = []
    return workers.map { $0.takeUnretainedValue() }.filter { seen.insert(ObjectIdentifier($0)).inserted }
  }
}

extension Workflow {
  /// The names of everything that a step or worker calls secret, for a workflow whose steps cannot be read.
  func secretNames(_ pool: Pool) -> Set<Name> {
    var names: Set<Name> = []
    for item in items {
      for secret in item.secrets + (pool.worker(forStepNamed: Name(item.name))?.secrets ?? []) {
        names.insert(Name(secret))
      }
    }
    return names
  }
}

extension Worker {
  /// The volume that has the files of the worker's steps.
  var location: Location { Location(cVolume.string) }
}
