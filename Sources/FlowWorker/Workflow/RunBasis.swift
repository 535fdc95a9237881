internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWVolumes

/// Everything about a run that is known before it begins. It is made without opening a volume, and without starting or
/// asking anything, so a plan needs no more.
struct RunBasis {
  let resolved: Workflow.Resolved
  /// The context that the steps see. Its values are copied into the host's context.
  let context: Context
  /// The pool keeps the workers alive.
  let workers: [Unmanaged<Worker>]
  /// The settings of each step, with what is secret in the run.
  let settings: RunSettings
  /// What each step shares with the others.
  let accesses: [StepAccess]
  let graph: StepGraph
  /// What the steps take while they run.
  let resources: RunResources
  /// The instances of the steps with `foreach` whose lists are known, and whether they run in order.
  let instances: [Int: (Instances, Bool)]

  /// The steps that run while nothing else does, each with the reason.
  var barriers: [Int: String] {
    var barriers: [Int: String] = [:]
    for (index, access) in accesses.enumerated() { barriers[index] = access.barrier }
    return barriers
  }

  /// Throws, with secrets hidden, if one of the steps can never run or if steps wait for each other.
  ///
  /// - Parameter options: those of the host.
  init(
    _ workflow: Workflow, _ pool: Pool, _ arguments: ContextValues, _ volumes: Volumes, _ options: WorkflowOptions
  ) throws(FlowError) {
    do throws(FlowError) {
      resolved = try workflow.resolved(arguments)
      context = try Context(ContextValues(resolved.values, arguments.function))
      workers = try resolved.workers(of: pool, volumes)
    } catch {
      throw try Secrets(workflow.secretNames(pool), envs: [], [arguments]).masked(error)
    }
    let names = resolved.secretNames(workers)
    let values = context.snapshot
    var settings = options.settings
    settings.indexedVariables = try options.resources.indexedVariables(over: pool)
    settings.secrets = try Secrets(names, envs: resolved.environments(workers), [arguments, values])
    self.settings = settings
    do throws(FlowError) {
      try resolved.check(workers, values, settings, items: workflow.items)
      resources = try RunResources(pool, options.resources, resolved, workers)
      let searches = resolved.searches(workers, volumes)
      accesses = try resolved.accesses(
        workers, values, secrets: names, items: workflow.items, hasVolumes: searches != nil)
      graph = try StepGraph(
        accesses, names: resolved.steps.map(\.cName.string), pointers: resolved.pointers, searches: searches)
      instances = try resolved.instances(accesses, graph, values, settings.secrets)
    } catch {
      throw settings.secrets.masked(error)
    }
  }
}

extension Workflow.Resolved {
  /// What each step shares with the others.
  ///
  /// - Parameters:
  ///   - context: the values at the beginning of the run.
  ///   - items: all steps of the document.
  ///   - hasVolumes: whether the run has several volumes.
  fileprivate func accesses(
    _ workers: [Unmanaged<Worker>], _ context: ContextValues, secrets: Set<Name>, items: [Workflow.Item],
    hasVolumes: Bool
  ) throws(FlowError) -> [StepAccess] {
    var reader = AccessReader(
      steps, stepNames: items.map(\.name), context, secrets: secrets, hasVolumes: hasVolumes)
    var accesses: [StepAccess] = []
    accesses.reserveCapacity(steps.count)
    for (number, (step, lent)) in zip(steps, workers).enumerated() {
      do throws(FlowError) {
        accesses.append(try reader.access(of: step, number, lent.takeUnretainedValue()))
      } catch {
        throw FlowError(error.code, error.message, path: pointers[number] + (error.path ?? ""))
      }
    }
    return accesses
  }

  /// Where the steps look for files; `nil` if there is one volume, so that they all find the same.
  fileprivate func searches(_ workers: [Unmanaged<Worker>], _ volumes: Volumes) -> SearchBasis? {
    guard volumes.locations.count > 1 else { return nil }
    var numbers: [Location: Int32] = [:]
    for (number, location) in volumes.locations.enumerated() { numbers[location] = Int32(clamping: number) }
    var starts = volumes.locations.flatMap { location in
      (volumes.spec(location)?.files ?? []).map { SearchBasis.Start(key: $0, isLookedFor: false) }
    }
    starts += placements.map { SearchBasis.Start(key: $0.source, isLookedFor: true) }
    starts += placements.map { SearchBasis.Start(key: $0.target, isLookedFor: false) }
    starts += files.inputs.map { SearchBasis.Start(key: $0, isLookedFor: true) }
    return SearchBasis(
      volumes: workers.map { numbers[$0.takeUnretainedValue().location] ?? -2 }, starts: starts)
  }

  /// Counts the instances of all steps whose lists are known before the run, and checks their keys.
  fileprivate func instances(
    _ accesses: [StepAccess], _ graph: StepGraph, _ context: ContextValues, _ secrets: Secrets
  ) throws(FlowError) -> [Int: (Instances, Bool)] {
    var known: [Int: (Instances, Bool)] = [:]
    var given: Set<Name> = []
    for (number, step) in steps.enumerated() {
      if let forEach = step.forEach, !forEach.contextNames.contains(where: { given.contains(Name($0)) }) {
        do throws(FlowError) {
          known[number] = try step.instances(
            of: forEach, context, secrets, areInOrder: accesses[number].barrier != nil,
            areLooking: graph.isLooking(number))
        } catch {
          throw FlowError(error.code, error.message, path: pointers[number] + (error.path ?? ""))
        }
      }
      if let argument = step.code.argument { given.insert(Name(argument)) }
    }
    return known
  }
}

extension Step {
  /// Counts the instances of the step, and checks their keys. Says whether the instances run in order.
  ///
  /// - Parameters:
  ///   - areInOrder: whether they do so whatever their keys are.
  ///   - areLooking: whether they may look for their inputs in several volumes.
  func instances(
    of forEach: ForEach, _ context: ContextValues, _ secrets: Secrets, areInOrder: Bool, areLooking: Bool
  ) throws(FlowError) -> (Instances, Bool) {
    let all: Instances
    do throws(FlowError) {
      all = try Instances(forEach, context)
      try all.check(secrets)
    } catch { throw FlowError(error.code, "step \(shownName): \(error.message)", path: error.path) }
    return (all, try checkKeys(of: all, areLooking: areLooking) || areInOrder)
  }
}
