import Testing

@testable import FWModel
@testable import FlowWorker

/// Random runs, in which `Scheduler` has to say at each turn what `PlainSchedule` says.
///
/// What the runs notice was tried by changes of `Scheduler` and `ReadyHeap`, one at a time: another order of the heap,
/// a class that is not held or stays held, an instance behind a failed one that starts in a step whose instances run in
/// order, an order that is taken for a need and a need for an order, a step that was left out and keeps others
/// waiting, instances of an earlier run that start again or hide those before them.
@Suite struct SchedulerTests {
  @Test("a random run starts what the plain rules start, in their order, and leaves no slot idle", arguments: 0..<20)
  func randomRuns(part: Int) throws {
    for seed in UInt64(part * 40)..<UInt64(part * 40 + 40) {
      var run = RandomRun(seed: seed)
      let fault = try run.run(withRestored: seed % 3 == 0)
      #expect(fault == nil, "seed \(seed): \(fault ?? "")")
      if fault != nil { return }
    }
  }
}

extension SchedulerTests {
  /// Random runs hardly ever come to this.
  @Test("an instance that waited for its turn alone starts when the one before it is left out")
  func turnOfTheNext() throws {
    let cell = StepAccess.Cell.file(try VolumeKey(checking: "a"), tag: 1)
    let (make, use) = (StepAccess(writes: [cell]), StepAccess(reads: [cell]))
    var scheduler = Scheduler(
      try StepGraph([make, use], names: ["make", "use"]), isMany: [true, true], classes: [0, 0], isSerial: false)
    func started() -> [StepPlace] {
      var places: [StepPlace] = []
      while let next = scheduler.first() {
        switch next {
        case .expand(let step): scheduler.expand(step, count: 4, isInOrder: step == 1)
        case .start(let place):
          _ = scheduler.start(place)
          places.append(place)
        }
      }
      scheduler.endRound()
      return places
    }
    func end(_ step: Int, _ instance: Int, isSuccess: Bool = true) {
      let isOver = scheduler.end(StepPlace(index: step, instance: instance), isSuccess: isSuccess)
      #expect(!isOver)
    }
    let first = started()
    #expect(first == (0..<4).map { StepPlace(index: 0, instance: $0) })
    end(0, 0)
    let second = started()
    #expect(second == [StepPlace(index: 1, instance: 0)])
    end(0, 2)
    end(1, 0)
    let none = started()
    #expect(none.isEmpty)
    end(0, 1, isSuccess: false)
    let last = started()
    #expect(last == [StepPlace(index: 1, instance: 2)])
  }
}

/// One random run of steps that do nothing.
private struct RandomRun {
  private var random: Random
  private var accesses: [StepAccess] = []
  private var isMany: [Bool] = []
  private var groups: [Int] = []
  /// The number of values of each list that steps run over. Steps with the same list have as many instances.
  private var counts: [Int] = []
  private var lists: [Int] = []
  private let jobs: Int
  private let isToStop: Bool

  init(seed: UInt64) {
    random = Random(seed: seed)
    jobs = [1, 2, 3, 5, 100][random.below(5)]
    isToStop = random.isLucky(20)
    counts = (0..<3).map { _ in [0, 1, 3, 4, 7][random.below(5)] }
    let many = random.below(100)
    let groupCount = 1 + random.below(4)
    for index in 0..<(1 + random.below(18)) {
      isMany.append(random.isLucky(many))
      lists.append(random.below(counts.count))
      groups.append(random.below(groupCount))
      accesses.append(access(index))
    }
  }

  /// Few files, some of which are one for each value of a list: steps wait for steps, and instances for instances.
  private mutating func access(_ index: Int) -> StepAccess {
    var access = StepAccess()
    if random.isLucky(4) { access.barrier = "it declares no files" }
    for _ in 0..<random.below(3) { access.reads.append(cell(index)) }
    for _ in 0..<random.below(3) { access.writes.append(cell(index)) }
    if index > 0, random.isLucky(8) { access.after = [random.below(index)] }
    return access
  }

  private mutating func cell(_ index: Int) -> StepAccess.Cell {
    let key = ["a", "b", "c", "d"][random.below(4)]
    let name = isMany[index] ? "list\(lists[index])/\(key)" : random.isLucky(20) ? "list\(random.below(3))/\(key)" : key
    guard let found = try? VolumeKey(checking: name) else { return .allNames }
    return .file(found, tag: isMany[index] && !random.isLucky(15) ? Int32(lists[index] + 1) : StepAccess.Cell.untagged)
  }

  /// Gives what is wrong; `nil` if nothing is.
  mutating func run(withRestored: Bool) throws -> String? {
    let graph = try StepGraph(accesses, names: accesses.indices.map { "s\($0)" })
    var scheduler = Scheduler(graph, isMany: isMany, classes: groups, isSerial: jobs == 1)
    var plain = PlainSchedule(graph, isMany: isMany, groups: groups, isSerial: jobs == 1)
    if withRestored, let fault = restore(graph, &scheduler, &plain) { return fault }
    var running: [StepPlace] = []
    /// How many things had happened when each node was over.
    var overAt = [Int?](repeating: nil, count: graph.nodeCount)
    var happened = 0
    /// The turn in which each step could start.
    var readyAt = [Int?](repeating: nil, count: graph.stepCount)
    var holds: [Int: StepSchedule.Hold] = [:]
    var hasFailed = false
    for turn in 1... {
      plain.held = []
      while running.count < jobs, !(hasFailed && isToStop) {
        note(plain, &overAt, &happened)
        for step in readyAt.indices where readyAt[step] == nil && plain.hasStart(step) { readyAt[step] = turn }
        let (first, expected) = (scheduler.first(), plain.first)
        if "\(String(describing: first))" != "\(String(describing: expected))" {
          return "turn \(turn): \(String(describing: first)) is first and not \(String(describing: expected))"
        }
        switch first {
        case nil: break
        case .expand(let step):
          if random.isLucky(10) {
            scheduler.refuse(step)
            plain.refuse(step)
            let place = StepPlace(index: step)
            _ = scheduler.start(place)
            plain.set(place, .failed)
            hasFailed = true
            guard scheduler.end(place, isSuccess: false) else {
              return "turn \(turn): \(place) was refused and is not over"
            }
            scheduler.finish(step)
          } else {
            expand(step, &scheduler, &plain)
          }
          continue
        case .start(let place):
          let step = place.index
          if !running.isEmpty, random.isLucky(15) {
            let hold: StepSchedule.Hold = random.isLucky(50) ? .limit : .resources
            scheduler.hold(step, for: hold)
            plain.held.insert(groups[step])
            holds[step] = hold
            continue
          }
          let facts = scheduler.start(place)
          let needs = sources(of: step, graph)
          let isRight = facts.after.map { needs.contains($0.index) } ?? needs.isEmpty
          if !isRight {
            return
              "turn \(turn): step \(step) has come after \(String(describing: facts.after)) and not one of \(needs)"
          }
          if let after = facts.after, overAt[after.index] != needs.compactMap({ overAt[$0] }).max() {
            return "turn \(turn): step \(after.index) was not the last that step \(step) has waited for"
          }
          if !isMany[step], facts.held != holds[step] ?? (readyAt[step] == turn ? nil : .jobs) {
            return "turn \(turn): step \(step) was held up by \(String(describing: facts.held))"
          }
          plain.set(place, .running)
          running.append(place)
          // A step that cannot be started ends at once.
          if random.isLucky(5), let fault = end(running.removeLast(), false, &scheduler, &plain) { return fault }
          hasFailed = hasFailed || plain.nodes[step].instances?.contains(.failed) == true
          continue
        }
        break
      }
      scheduler.endRound()
      if let fault = compare(scheduler, plain, graph) { return "turn \(turn): \(fault)" }
      if running.isEmpty { break }
      for _ in 0..<(1 + random.below(3)) where !running.isEmpty {
        let isSuccess = random.isLucky(88)
        hasFailed = hasFailed || !isSuccess
        if let fault = end(running.remove(at: random.below(running.count)), isSuccess, &scheduler, &plain) {
          return fault
        }
        note(plain, &overAt, &happened)
      }
    }
    let isAllOver = plain.nodes.allSatisfy(\.isOver)
    return isAllOver || hasFailed && isToStop ? nil : "the run has ended before all steps were over"
  }

  private func note(_ plain: PlainSchedule, _ overAt: inout [Int?], _ happened: inout Int) {
    happened += 1
    for node in overAt.indices where overAt[node] == nil && plain.nodes[node].isOver { overAt[node] = happened }
  }

  private mutating func expand(_ step: Int, _ scheduler: inout Scheduler, _ plain: inout PlainSchedule) {
    let count = counts[lists[step]]
    let isInOrder = random.isLucky(40)
    scheduler.expand(step, count: count, isInOrder: isInOrder)
    plain.expand(step, count: count, isInOrder: isInOrder)
    if count == 0 { scheduler.finish(step) }
  }

  private func end(
    _ place: StepPlace, _ isSuccess: Bool, _ scheduler: inout Scheduler, _ plain: inout PlainSchedule
  ) -> String? {
    plain.set(place, isSuccess ? .done : .failed)
    let isOver = scheduler.end(place, isSuccess: isSuccess)
    if isOver { scheduler.finish(place.index) }
    return isOver == plain.nodes[place.index].isOver ? nil : "the end of \(place) was told wrong"
  }

  /// Takes over steps and instances that an earlier run has ended, each behind all that it waits for.
  private mutating func restore(
    _ graph: StepGraph, _ scheduler: inout Scheduler, _ plain: inout PlainSchedule
  ) -> String? {
    for node in graph.order where Int(node) < graph.stepCount {
      let step = Int(node)
      if random.isLucky(30) || !plain.hasStart(step) { continue }
      if isMany[step] { expand(step, &scheduler, &plain) }
      for number in plain.nodes[step].instances?.indices ?? 0..<0 {
        guard plain.isRestorable(step, number), !random.isLucky(25) else { continue }
        let place = StepPlace(index: step, instance: isMany[step] ? number : nil)
        plain.set(place, .done)
        let isOver = scheduler.restore(place)
        if isOver { scheduler.finish(step) }
        if isOver != plain.nodes[step].isOver { return "the end of \(place), which was restored, was told wrong" }
      }
    }
    return nil
  }

  /// The steps that a step waits for as a whole, also through joints.
  private func sources(of node: Int, _ graph: StepGraph) -> [Int] {
    graph.causes(of: node).filter { !$0.isEach }.flatMap { cause in
      let from = Int(cause.from)
      return from < graph.stepCount ? [from] : sources(of: from, graph)
    }
  }

  private func compare(_ scheduler: Scheduler, _ plain: PlainSchedule, _ graph: StepGraph) -> String? {
    for step in 0..<graph.stepCount {
      let node = plain.nodes[step]
      if scheduler.isExpanded(step) != (node.instances != nil) { return "isExpanded(\(step))" }
      if scheduler.hasFailed(step) != (node.instances?.contains(.failed) == true) { return "hasFailed(\(step))" }
      if node.isOver, scheduler.hasSucceeded(step) != plain.hasSucceeded(step) { return "hasSucceeded(\(step))" }
      let (found, expected) = (scheduler.unstarted(step), plain.unstarted(step))
      if "\(String(describing: found))" != "\(String(describing: expected))" {
        return "unstarted(\(step)) is \(String(describing: found)) and not \(String(describing: expected))"
      }
    }
    return nil
  }
}
