internal import CJansson
internal import FWBase
internal import FWModel
internal import FWVolumes

/// Decides which steps of a run need not run again, because an earlier run with the same state directory has ended
/// them.
///
/// A step is kept if its record fits, and if everything that it waits for is kept. A record fits if the step, its
/// values and the steps that it needs are the same, and if its files are as the step saw them. A file that is another
/// one now is no reason to run the step again if a step behind it has written the file, and if nobody who still has to
/// run needs what the file was: see `FileHistory`.
///
/// The decision has two parts that need each other: a step that is not kept takes along all that wait for it, and it
/// explains fewer changes of files. The parts take turns until nothing changes.
struct Resume {
  /// What the decision is made of.
  struct Run {
    let steps: [Step]
    let workers: [Unmanaged<Worker>]
    let accesses: [StepAccess]
    let graph: StepGraph
    let volumes: Volumes
    let settings: RunSettings
    /// The values before the first step.
    let values: ContextValues
    /// The files that the run has under other keys.
    let sources: [VolumeKey]

    /// The nodes of the graph, each behind those that it waits for.
    var order: some Sequence<Int> { graph.order.lazy.map { Int($0) } }
  }

  /// A step, or an instance of one, that an earlier run has ended and that need not run again.
  struct Kept {
    let place: StepPlace
    let result: StepResult
    /// The value that the function of the step gave.
    let value: JSONValue?
    let files: [StepRecord.KnownPlaces]
  }

  /// What a run takes over.
  enum Restored {
    case ended(Kept)
    /// A step with this number, which has no instances.
    case empty(Int)
  }

  /// A step, or an instance of one, that has a record which fits as far as files are not concerned.
  private struct Candidate {
    let kept: Kept
    let number: Int
    let shownName: String
    /// The keys of files that are others now.
    let changes: [VolumeKey]
    let writes: [VolumeKey]
    /// The writes that do not depend on what was there before.
    let overwrites: [VolumeKey]
    var isKept = true

    var instance: Int { kept.place.instance ?? 0 }
  }

  /// What is known of a step.
  private struct Member {
    /// The candidates of the step.
    var range: Range<Int>
    /// The number of instances; `nil` if it is not known before the step starts.
    var count: Int?
    var isInOrder = false
    /// The steps of which an instance waits for the instance of the same number only.
    var eachNeeds: [Int] = []
    /// The keys that the step has overwritten, or has begun to overwrite, and will overwrite again.
    var overwrites: [VolumeKey] = []
    /// Whether all of the step is kept.
    var isWhole = false
  }

  private let run: Run
  private let state: RunState
  private(set) var facts: StepFacts
  private let listing: RunState.Listing
  /// The steps that earlier runs have begun.
  private let begun: Set<StepIdentity>
  /// The steps that earlier runs have begun without an end.
  private var unended: Set<StepIdentity> = []
  /// In the order of the document.
  private var candidates: [Candidate] = []
  private var members: [Member] = []
  /// The files that steps before the one that is looked at make.
  private var madeBefore = FileHistory()

  /// The most turns of the two parts. Only a workflow that is made for it needs more, and then nothing is kept.
  private static let mostTurns = 100

  init(_ run: Run, _ facts: StepFacts, _ state: RunState) {
    self.run = run
    self.facts = facts
    self.state = state
    listing = state.list()
    begun = state.begunSteps()
  }

  /// Decides, and removes the records of all other steps.
  ///
  /// - Returns: what is kept, each step behind those that it waits for, and what was there before the first step; `nil`
  ///   if nothing is kept.
  mutating func decide() -> (restored: [Restored], beginning: RunState.Beginning)? {
    let beginning = state.beginning()
    let isSameBeginning = beginning.map { $0.sources.isSame(as: run.sources, run.volumes) } ?? false
    findCandidates(isSameBeginning)
    settle()
    var numbers = listing.useless
    var isEnded: Set<Int> = []
    for candidate in candidates where candidate.isKept { isEnded.insert(candidate.number) }
    for (identity, number) in listing.numbers where !isEnded.contains(number) {
      numbers.append(number)
      unended.insert(identity)
    }
    state.forget(numbers)
    state.setBegun(unended)
    guard let beginning, !isEnded.isEmpty else { return nil }
    var restored: [Restored] = []
    for node in run.order where members.indices.contains(node) {
      // It may give an empty list, which a step behind it replaces.
      if members[node].isWhole, members[node].count == 0 { restored.append(.empty(node)) }
      for candidate in candidates[members[node].range] where candidate.isKept {
        restored.append(.ended(candidate.kept))
      }
    }
    return (restored, beginning)
  }

  // MARK: Records that fit

  private mutating func findCandidates(_ isSameBeginning: Bool) {
    unended = begun.subtracting(listing.numbers.keys)
    guard let context = try? Context(run.values) else { return }
    for (index, step) in run.steps.enumerated() {
      members.append(Member(range: candidates.count..<candidates.count))
      if step.forEach == nil {
        members[index].count = 1
        let identity = StepIdentity(of: step)
        if let value = look(step, StepPlace(index: index), identity, context, isSameBeginning)?.value,
          let argument = step.code.argument
        {
          // Without memory for the value, the steps that use it run again.
          _ = context.set(argument, value)
        }
      } else {
        findInstances(of: step, index, context, isSameBeginning)
      }
      members[index].range = members[index].range.lowerBound..<candidates.count
      for cell in run.accesses[index].writes {
        if case .file(let key, _) = cell { madeBefore.write(key) }
      }
    }
    for step in run.steps.indices {
      for edge in run.graph.edges(from: step) where edge.isEach { members[Int(edge.to)].eachNeeds.append(step) }
    }
  }

  private mutating func findInstances(
    of step: Step, _ index: Int, _ context: Context, _ isSameBeginning: Bool
  ) {
    // Without a list, or with one that the run refuses, nothing is known of the instances.
    guard let forEach = step.forEach, let instances = try? Instances(forEach, context.snapshot),
      let isInOrder = try? run.isInOrder(index, instances)
    else { return }
    members[index].count = instances.count
    members[index].isInOrder = isInOrder
    facts.count(index, step, instances)
    guard let identities = facts.instances[index], !listing.numbers.isEmpty || !unended.isEmpty else { return }
    var gather = step.code.argument.map { _ in Gather(count: instances.count) }
    var found = 0
    for number in 0..<instances.count {
      guard let values = try? instances.values(number) else { return }
      let hash = values.read { StepIdentity.hash(step.cName.string, $0) }
      let identity = identities.identity(of: number, hash: hash)
      guard listing.numbers[identity] != nil || unended.contains(identity),
        let instance = try? step.instance(number, values)
      else { continue }
      let place = StepPlace(index: index, instance: number)
      guard let kept = look(instance, place, identity, context, isSameBeginning) else { continue }
      found += 1
      if let value = kept.value { gather?.add(value, object: nil, for: number) }
    }
    if found == instances.count, let argument = step.code.argument { _ = gather?.finish(argument, into: context) }
  }

  /// Looks whether the record of a step fits.
  private mutating func look(
    _ step: Step, _ place: StepPlace, _ identity: StepIdentity, _ context: Context, _ isSameBeginning: Bool
  ) -> Kept? {
    let overwrites = step.overwrites
    if isSameBeginning, let number = listing.numbers[identity], let record = state.record(number) {
      if let result = fit(record, step, place, context.snapshot) {
        let kept = Kept(place: place, result: result, value: record.value, files: record.files)
        candidates.append(
          Candidate(
            kept: kept, number: number, shownName: step.shownName, changes: record.seen.changes(run.volumes),
            writes: step.files.outputs, overwrites: overwrites))
        return kept
      }
      Log.write(.info, "step \(step.shownName) runs again: the step or its values are not those of the earlier run")
    }
    if unended.contains(identity),
      let key = step.changesInPlace.first(where: { !madeBefore.isExplained($0) })
    {
      facts.changedInPlace[identity] = key
    }
    // The step has begun, or it has ended as something else.
    if listing.numbers[identity] != nil || unended.contains(identity) { members[place.index].overwrites += overwrites }
    return nil
  }

  private func fit(_ record: StepRecord, _ step: Step, _ place: StepPlace, _ values: ContextValues) -> StepResult? {
    let worker = run.workers[place.index].takeUnretainedValue()
    let secrets = run.settings.secrets
    guard record.isOf(step), let volume = try? run.volumes.volume(of: worker.location),
      let path = try? CText(volume.path), let text = try? worker.plan(step, values, path, run.settings),
      let plan = try? JSONText.parse(text.bytes),
      let signature = Signature(
        step, plan: plan, facts.values(of: step, place.index, values, secrets), needs: facts.needs[place.index],
        secrets),
      record.signature.read({ signature.isSame(as: $0) })
    else { return nil }
    return record.result.read { StepResult($0, of: step, by: worker, rundir: secrets.masked(volume.path)) }
  }

  // MARK: The two parts

  private mutating func settle() {
    for _ in 0..<Resume.mostTurns {
      dropDependents()
      if !dropChanged() { return }
    }
    for index in candidates.indices { candidates[index].isKept = false }
  }

  private mutating func drop(_ index: Int, of step: Int, _ reason: String) {
    guard candidates[index].isKept else { return }
    candidates[index].isKept = false
    members[step].overwrites += candidates[index].overwrites
    Log.write(.info, "step \(candidates[index].shownName) runs again: \(reason)")
  }

  /// Drops what waits for something that is not kept.
  private mutating func dropDependents() {
    let reason = "a step that it waits for runs again"
    var isDirty = [Bool](repeating: false, count: run.graph.nodeCount)
    for node in run.order {
      guard members.indices.contains(node) else {
        if isDirty[node] { for edge in run.graph.edges(from: node) { isDirty[Int(edge.to)] = true } }
        continue
      }
      let member = members[node]
      var next = 0
      var kept = 0
      for index in member.range where candidates[index].isKept {
        let instance = candidates[index].instance
        let isAlone = member.isInOrder && instance != next
        if isDirty[node] || isAlone || !member.eachNeeds.allSatisfy({ isKept($0, instance) }) {
          drop(index, of: node, reason)
        } else {
          next = instance + 1
          kept += 1
        }
      }
      members[node].isWhole = !isDirty[node] && member.count == kept
      if members[node].isWhole { continue }
      for edge in run.graph.edges(from: node) where !edge.isEach { isDirty[Int(edge.to)] = true }
    }
  }

  private func isKept(_ step: Int, _ instance: Int) -> Bool {
    if members[step].isWhole { return true }
    let own = candidates[members[step].range]
    let found = own.lowerBound { $0.instance < instance }
    return own.indices.contains(found) && own[found].instance == instance && own[found].isKept
  }

  /// Drops steps whose files have changed. Gives whether there were any.
  private mutating func dropChanged() -> Bool {
    var history = FileHistory()
    var isChanged = false
    for step in members.indices.reversed() {
      if !members[step].isWhole {
        for key in members[step].overwrites { history.write(key) }
        history.need(run.accesses[step])
      }
      for index in members[step].range.reversed() where candidates[index].isKept {
        if let key = candidates[index].changes.first(where: { !history.isExplained($0) }) {
          drop(index, of: step, "its file \(key.shown) is another one now")
          isChanged = true
        } else {
          for key in candidates[index].writes { history.write(key) }
        }
      }
    }
    return isChanged
  }
}

/// What happens to files behind a place in the document, while the document is walked through from its end.
struct FileHistory {
  private enum Change {
    /// A step that is kept has written the file, or one that runs again overwrites it.
    case written
    /// A step that runs again reads the file.
    case needed
  }

  /// For each key the next change behind the place, with a number that is the greater the nearer the change is.
  private var changes: [VolumeKey: (number: Int, change: Change)] = [:]
  /// What concerns all files.
  private var all: (number: Int, change: Change)?
  private var last = 0

  mutating func write(_ key: VolumeKey) { note(key, .written) }

  mutating func need(_ access: StepAccess) {
    if access.barrier != nil { note(nil, .needed) }
    for cell in access.reads {
      switch cell {
      case .file(let key, _): note(key, .needed)
      case .allFiles: note(nil, .needed)
      case .name, .allNames: break
      }
    }
  }

  /// - Parameter key: `nil` for all files.
  private mutating func note(_ key: VolumeKey?, _ change: Change) {
    last += 1
    if let key { changes[key.path] = (last, change) } else { all = (last, change) }
  }

  /// Whether a file may be another one at the end of the run than at this place.
  func isExplained(_ key: VolumeKey) -> Bool {
    var nearest = all
    var at: VolumeKey? = key.path
    while let path = at {
      if let found = changes[path], found.number > nearest?.number ?? 0 { nearest = found }
      at = path.parent?.path
    }
    return nearest?.change == .written
  }
}

extension Step {
  /// The outputs whose content does not depend on what was there before the step.
  fileprivate var overwrites: [VolumeKey] {
    if files.isKept { return [] }
    return files.outputs.filter { output in !files.inputs.contains { $0.overlaps(output) } }
  }

  /// The inputs that the step changes.
  fileprivate var changesInPlace: [VolumeKey] {
    files.inputs.filter { input in files.outputs.contains { $0.overlaps(input) } }
  }
}

extension VolumeKey {
  fileprivate func overlaps(_ other: VolumeKey) -> Bool {
    path == other.path || isInside(other) || other.isInside(self)
  }
}
