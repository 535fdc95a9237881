internal import FWBase
internal import FWExecution
internal import FWModel

/// What the state directory saves of a step, as far as it is known when the step begins.
struct StepMemory {
  let identity: StepIdentity
  /// The document of the step's plan.
  let plan: JSONValue
  /// The values that the step's function may use; `nil` if the step is none.
  let values: JSONValue?
  let needs: UInt64
  /// What the result of the step has to say, because an earlier run has begun the step; `nil` if there is nothing.
  let note: String?
  /// The value that an instance has given.
  var given: JSONValue?
}

/// What the records of a run's steps say of each step, whatever happens in the run.
struct StepFacts {
  /// A hash of the steps that each step needs. Without it, a step that declares no files would be kept although a step
  /// before it was removed or has another place.
  private(set) var needs: [UInt64]
  private let used: [ValueReads]
  /// The identities of instances, by the number of their step.
  private(set) var instances: [Int: InstanceIdentities] = [:]
  /// The files that steps change in place and that an earlier run may have changed so: no step makes them anew.
  var changedInPlace: [StepIdentity: VolumeKey] = [:]

  init(_ run: Resume.Run) {
    used = run.accesses.map { ValueReads($0) }
    needs = Array(repeating: 0, count: run.graph.nodeCount)
    let given = Set(run.steps.compactMap { $0.code.argument.map { Name($0) } })
    for (index, step) in run.steps.enumerated() {
      // Lists that steps give are known later. If one changes, the step that gave it has run again.
      guard let forEach = step.forEach, !forEach.contextNames.contains(where: { given.contains(Name($0)) }),
        let all = try? Instances(forEach, run.values)
      else { continue }
      count(index, step, all)
    }
    for node in run.order {
      let isStep = run.steps.indices.contains(node)
      let name = isStep ? StepFacts.mixed(StepIdentity.hash(run.steps[node].cName.string, nil)) : needs[node]
      let whole = isStep ? name &+ (instances[node]?.total ?? 0) : name
      for edge in run.graph.edges(from: node) where edge.isNeeded {
        needs[Int(edge.to)] &+= edge.isEach ? name : whole
      }
    }
  }

  /// The hash of a name, so that sums of hashes of similar names differ.
  private static func mixed(_ hash: UInt64) -> UInt64 {
    let product = (hash ^ hash >> 32) &* 0x9e37_79b9_7f4a_7c15
    return product ^ product >> 29
  }

  /// What the state directory saves of a step that begins; `nil` if there is no memory for it.
  ///
  /// - Parameters:
  ///   - values: the values that the step begins with.
  ///   - settings: the settings of the run.
  func memory(
    of task: WorkflowRun.StepTask, _ values: ContextValues, _ path: CText, _ settings: RunSettings
  ) -> StepMemory? {
    let (step, index) = (task.step, task.place.index)
    // The plan is made as the next run makes it to compare: without the resources that the step has got this time.
    guard let text = try? task.worker.plan(step, values, path, settings), let plan = try? JSONText.parse(text.bytes),
      let identity = identity(of: step, task.place)
    else { return nil }
    var used: JSONValue?
    if step.type == .code {
      used = self.values(of: step, index, values, settings.secrets)
      if used == nil { return nil }
    }
    let note = changedInPlace[identity].map { key in
      "an earlier run began this step and did not complete it. The step changes its input \(key.shown) in place, and "
        + "no earlier step makes it anew: the file may have been changed twice"
    }
    return StepMemory(identity: identity, plan: plan, values: used, needs: needs[index], note: note)
  }

  /// Takes the instances of a step when they are known.
  mutating func count(_ index: Int, _ step: Step, _ all: Instances) {
    if instances[index] == nil { instances[index] = try? InstanceIdentities(step, all) }
  }

  private func identity(of step: Step, _ place: StepPlace) -> StepIdentity? {
    guard let instance = place.instance else { return StepIdentity(of: step) }
    guard let values = step.values, let identities = instances[place.index] else { return nil }
    return identities.identity(of: instance, hash: values.read { StepIdentity.hash(step.cName.string, $0) })
  }

  /// The values that the function of a step may use; `nil` for other steps, whose plans have the values.
  func values(of step: Step, _ index: Int, _ values: ContextValues, _ secrets: Secrets) -> JSONValue? {
    step.type == .code ? used[index].now(in: values.seen(by: step), besides: secrets.names) : nil
  }
}

extension Resume.Run {
  /// Whether the instances of a step run one after the other.
  func isInOrder(_ index: Int, _ instances: Instances) throws(FlowError) -> Bool {
    try steps[index].checkKeys(of: instances, areLooking: graph.isLooking(index)) || accesses[index].barrier != nil
  }
}

extension ValueReads {
  /// The values that a step uses, by what is known of it before the run.
  fileprivate init(_ access: StepAccess) {
    var names: [Name] = []
    for cell in access.reads {
      switch cell {
      case .allNames:
        self = .all
        return
      case .name(let name): names.append(name)
      case .file, .allFiles: break
      }
    }
    self = .names(names)
  }
}
