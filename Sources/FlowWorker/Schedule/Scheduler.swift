internal import CSystem
internal import FWBase
internal import FWModel

/// Decides which step starts next. It knows how far each step is, and nothing of files, values or processes.
///
/// A step with `foreach` is one node of the graph, whatever its number of instances. Its instances are numbers that are
/// counted up when there is room for them. So a million instances cost one number, and three bytes each where other
/// steps wait for single instances.
struct Scheduler {
  /// What can be done next.
  enum Next {
    case start(StepPlace)
    /// A step with `foreach` has everything that it needs, and its instances have to be counted: see `expand`.
    case expand(step: Int)
  }

  let graph: StepGraph
  private var nodes: [Node]
  /// The steps that have something to start, one heap for each class.
  private var ready: [ReadyHeap]
  private let classes: [Int]
  /// The tops of all classes that may start now. Some entries are out of date, and are passed over.
  private var tops: ReadyHeap
  /// The tops of classes of which nothing can start in this round.
  private var held: [Int] = []
  /// The last round in which nothing of a class could start; -1 if there was none.
  private var heldRounds: [Int]
  /// Is counted up whenever the run looks for steps to start.
  private var round = 0

  /// A step, or a joint of the graph.
  private struct Node {
    /// The number of nodes that it still waits for, besides those that it waits for instance by instance.
    var missing = 0
    /// The nodes that it waits for instance by instance, and whether it needs their success.
    var eachNeeds: [(node: Int, isNeeded: Bool)] = []
    /// The time at which everything that it needs was there, and what came last.
    var ready = 0.0
    var after: StepPlace?
    var readyRound = 0
    var hold: StepSchedule.Hold?
    /// Of the steps that it needs and that have failed or were left out, the first in the document.
    var lack: Int?
    /// The number of instances; `nil` if it is not known yet. A plain step is one instance.
    var count: Int?
    let isMany: Bool
    /// Whether each instance waits for the one before it.
    var isInOrder = false
    /// The number of the instance that starts next, where instances do not wait for single others.
    var next = 0
    /// The instances from `next` on that an earlier run has ended, in their order.
    var restored = Restored()
    var started = 0
    var ended = 0
    var failed = 0
    var skipped = 0
    /// Whether the instances of a step with `foreach` could not be counted.
    var isRefused = false
    var isOver = false
    var isQueued = false
    var each = EachInstances()

    /// Moves the number of the instance that starts next behind those that an earlier run has ended.
    mutating func passRestored() { restored.pass(&next) }
  }

  /// - Parameters:
  ///   - isMany: which steps have `foreach`.
  ///   - classes: a number for each step, from 0. The steps of a class ask for the same resources, so if one of them
  ///     cannot start for lack of these, none can.
  ///   - isSerial: whether the step that is first in the document starts first.
  init(_ graph: StepGraph, isMany: [Bool], classes: [Int], isSerial: Bool) {
    self.graph = graph
    self.classes = classes
    nodes = (0..<graph.nodeCount).map { node in
      let isMany = node < isMany.count && isMany[node]
      return Node(count: isMany ? nil : 1, isMany: isMany)
    }
    let empty = ReadyHeap(isSerial ? nil : graph)
    ready = Array(repeating: empty, count: (classes.max() ?? 0) + 1)
    heldRounds = Array(repeating: -1, count: ready.count)
    tops = empty
    for node in 0..<graph.nodeCount {
      for edge in graph.edges(from: node) {
        if edge.isEach {
          nodes[Int(edge.to)].eachNeeds.append((node, edge.isNeeded))
        } else {
          nodes[Int(edge.to)].missing += 1
        }
      }
    }
    let now = fws_wall()
    for step in 0..<graph.stepCount where nodes[step].missing == 0 {
      nodes[step].ready = now
      queue(step)
    }
  }

  // MARK: What starts next

  /// Ends a round of starts. A step that is ready and waits for a later round was held up.
  mutating func endRound() {
    round += 1
    for step in held { tops.push(step) }
    held.removeAll(keepingCapacity: true)
  }

  /// The step or instance that starts next; `nil` if nothing can start now.
  mutating func first() -> Next? {
    while let step = tops.top {
      let own = classes[step]
      if ready[own].top != step {
        tops.pop()
      } else if heldRounds[own] == round {
        tops.pop()
        held.append(step)
      } else if nodes[step].count == nil, !nodes[step].isOver {
        return .expand(step: step)
      } else if let number = startable(step) {
        return .start(StepPlace(index: step, instance: nodes[step].isMany ? number : nil))
      } else {
        nodes[step].isQueued = false
        tops.pop()
        ready[own].pop()
        if let next = ready[own].top { tops.push(next) }
      }
    }
    return nil
  }

  /// Notes why a step that is ready does not start in this round, and no other step of its class either.
  mutating func hold(_ step: Int, for hold: StepSchedule.Hold) {
    nodes[step].hold = hold
    heldRounds[classes[step]] = round
  }

  /// Takes what `first` has given, because it starts now. Gives since when it could have been started, what it has
  /// waited for, and what has held it up.
  mutating func start(_ place: StepPlace) -> (ready: Double, after: StepPlace?, held: StepSchedule.Hold?) {
    let step = place.index
    nodes[step].started += 1
    if nodes[step].eachNeeds.isEmpty {
      nodes[step].next += 1
      nodes[step].passRestored()
    } else {
      nodes[step].each.start(place.instance ?? 0)
    }
    let held = nodes[step].hold ?? (nodes[step].readyRound < round ? .jobs : nil)
    nodes[step].hold = nil
    return (nodes[step].ready, nodes[step].after, held)
  }

  /// Says how many instances a step has that `first` has named. If there are none, `finish` has to be called.
  mutating func expand(_ step: Int, count: Int, isInOrder: Bool) {
    nodes[step].count = count
    nodes[step].isInOrder = isInOrder
    if nodes[step].eachNeeds.isEmpty { return }
    nodes[step].each.expand(count)
    for number in 0..<count { examine(step, number) }
    finishSkipped()
  }

  /// Makes a step with `foreach` that `first` has named one that has to be ended as a whole, because its instances
  /// cannot be counted.
  mutating func refuse(_ step: Int) {
    nodes[step].count = 1
    nodes[step].isRefused = true
  }

  /// Whether the number of a step's instances is known.
  func isExpanded(_ step: Int) -> Bool { nodes[step].count != nil }

  /// Notes that an earlier run has ended a step or instance, and all that it waits for. The instances of a step come in
  /// their order. If this was the last one of its step, `finish` has to be called.
  mutating func restore(_ place: StepPlace) -> Bool {
    let step = place.index
    nodes[step].started += 1
    if nodes[step].eachNeeds.isEmpty {
      nodes[step].restored.add(place.instance ?? 0)
      nodes[step].passRestored()
    } else {
      nodes[step].each.begin(place.instance ?? 0)
    }
    return end(place, isSuccess: true)
  }

  /// The number of an instance of a step that can be started.
  private func startable(_ step: Int) -> Int? {
    guard let count = nodes[step].count, !nodes[step].isOver else { return nil }
    if nodes[step].isInOrder, nodes[step].started > nodes[step].ended { return nil }
    if !nodes[step].eachNeeds.isEmpty {
      return nodes[step].isInOrder ? nodes[step].each.nextReady : nodes[step].each.firstReady
    }
    return nodes[step].next < count ? nodes[step].next : nil
  }

  private mutating func queue(_ step: Int) {
    guard !nodes[step].isQueued else { return }
    nodes[step].isQueued = true
    nodes[step].readyRound = round
    ready[classes[step]].push(step)
    if ready[classes[step]].top == step { tops.push(step) }
  }

  // MARK: What has ended

  /// Notes the end of a step or instance. If this was the last of its step, `finish` has to be called.
  ///
  /// - Returns: whether all of the step has ended.
  mutating func end(_ place: StepPlace, isSuccess: Bool) -> Bool {
    let step = place.index
    nodes[step].ended += 1
    if !isSuccess { nodes[step].failed += 1 }
    if let instance = place.instance {
      settle(step, instance, isSuccess ? .done : .failed)
      if !isSuccess, nodes[step].isInOrder { leaveOutRest(of: step) }
      finishSkipped()
    }
    if nodes[step].isInOrder, startable(step) != nil { queue(step) }
    return isComplete(step)
  }

  /// Leaves out the instances behind one that has failed, where each may use what those before it have made.
  private mutating func leaveOutRest(of step: Int) {
    guard let count = nodes[step].count else { return }
    for instance in 0..<count {
      let isLeftOut =
        nodes[step].eachNeeds.isEmpty ? instance >= nodes[step].next : nodes[step].each.leaveOut(instance)
      guard isLeftOut else { continue }
      nodes[step].skipped += 1
      settle(step, instance, .failed)
    }
    nodes[step].next = count
  }

  private func isComplete(_ step: Int) -> Bool {
    guard let count = nodes[step].count else { return false }
    return nodes[step].ended + nodes[step].skipped == count
  }

  /// Lets the steps go on that wait for a step which is complete.
  mutating func finish(_ step: Int) {
    let now = fws_wall()
    var finished = [step]
    while let node = finished.popLast() ?? skippedToEnd.popLast() {
      if nodes[node].isOver { continue }
      nodes[node].isOver = true
      let isSuccess = hasSucceeded(node)
      for edge in graph.edges(from: node) {
        let to = Int(edge.to)
        if edge.isEach {
          // The instances have told it, unless none has begun.
          if isLeftOut(node) {
            if edge.isNeeded { lack(to, node) } else { examineAll(to) }
          }
        } else {
          if !isSuccess, edge.isNeeded { lack(to, node) }
          nodes[to].missing -= 1
          nodes[to].ready = now
          nodes[to].after = node < graph.stepCount ? StepPlace(index: node) : nodes[node].after
        }
        guard nodes[to].missing == 0, !nodes[to].isOver else { continue }
        if to >= graph.stepCount {
          finished.append(to)
        } else if nodes[to].lack != nil, nodes[to].started == nodes[to].ended {
          // What has not begun of it never begins.
          nodes[to].skipped = max(1, (nodes[to].count ?? 1) - nodes[to].ended)
          finished.append(to)
        } else if nodes[to].lack == nil {
          queue(to)
        }
      }
    }
  }

  /// Whether no instance of a step has begun, and none will.
  private func isLeftOut(_ node: Int) -> Bool {
    nodes[node].isOver && (nodes[node].lack != nil || nodes[node].isRefused)
  }

  private mutating func lack(_ node: Int, _ cause: Int) {
    let own = cause < graph.stepCount ? cause : nodes[cause].lack
    nodes[node].lack = [nodes[node].lack, own].compactMap { $0 }.min()
  }

  // MARK: Instances that wait for single instances

  /// The steps that are complete because their last instances were skipped.
  private var skippedToEnd: [Int] = []

  private mutating func finishSkipped() {
    while let step = skippedToEnd.popLast() { finish(step) }
  }

  /// Notes how an instance has ended, and looks at those that wait for it.
  private mutating func settle(_ step: Int, _ instance: Int, _ end: EachInstances.End) {
    var settled = [(step, end)]
    while let (step, end) = settled.popLast() {
      guard graph.edges(from: step).contains(where: \.isEach) else { continue }
      nodes[step].each.end(instance, end, of: nodes[step].count ?? 0)
      for edge in graph.edges(from: step) where edge.isEach && nodes[Int(edge.to)].count != nil {
        if prepare(Int(edge.to), instance) { settled.append((Int(edge.to), .failed)) }
      }
    }
  }

  private mutating func examine(_ step: Int, _ instance: Int) {
    if prepare(step, instance) { settle(step, instance, .failed) }
  }

  private mutating func examineAll(_ step: Int) {
    for instance in 0..<(nodes[step].count ?? 0) { examine(step, instance) }
  }

  /// Makes an instance ready, if everything that it needs is there. Gives true if it never will be.
  private mutating func prepare(_ step: Int, _ instance: Int) -> Bool {
    guard nodes[step].each.isWaiting(instance) else { return false }
    var isLacking = false
    for need in nodes[step].eachNeeds {
      switch isLeftOut(need.node) ? .failed : nodes[need.node].each.end(of: instance) {
      case nil: return false
      case .failed: if need.isNeeded { isLacking = true }
      case .done: break
      }
    }
    if isLacking {
      nodes[step].each.skip(instance)
      nodes[step].skipped += 1
      if isComplete(step) { skippedToEnd.append(step) }
      // The instances behind it may have waited for their turn only.
      if nodes[step].isInOrder, startable(step) != nil { queue(step) }
      return true
    }
    nodes[step].each.makeReady(instance)
    nodes[step].ready = fws_wall()
    queue(step)
    return false
  }

  // MARK: What a result says

  func hasFailed(_ step: Int) -> Bool { nodes[step].failed > 0 }

  /// Whether a step will have succeeded when one more of its instances has.
  func lacksOneSuccess(_ step: Int) -> Bool { nodes[step].ended + 1 == nodes[step].count && hasSucceeded(step) }

  /// Whether nothing of a step that is over has failed or was left out.
  func hasSucceeded(_ step: Int) -> Bool {
    nodes[step].failed == 0 && nodes[step].skipped == 0 && nodes[step].lack == nil
  }

  /// The number of instances of a step that have not begun, if their number is known, and the step that they lack.
  func unstarted(_ step: Int) -> (count: Int?, isWhole: Bool, lack: Int?)? {
    let node = nodes[step]
    guard node.isMany, let count = node.count else {
      return node.started == 0 ? (nil, true, node.lack) : nil
    }
    guard node.started < count else { return nil }
    let lack = node.lack ?? node.eachNeeds.first { nodes[$0.node].failed + nodes[$0.node].skipped > 0 }?.node
    return (count - node.started, node.started == 0, lack)
  }
}

/// The instances of a step that an earlier run has ended.
private struct Restored {
  private var instances: [Int32] = []
  private var at = 0

  mutating func add(_ instance: Int) { instances.append(Int32(clamping: instance)) }

  /// Moves the number of an instance behind those that have ended.
  mutating func pass(_ next: inout Int) {
    while at < instances.count, Int(instances[at]) == next {
      at += 1
      next += 1
    }
  }
}

/// How far each instance of a step is, for steps whose instances wait for each other one by one.
struct EachInstances {
  enum End: UInt8 {
    case done = 1
    case failed = 2
  }

  private enum Begin: UInt8 {
    case waiting
    case ready
    case started
    case skipped
  }

  private var begins: [UInt8] = []
  private var ends: [UInt8] = []
  /// No instance before this one is ready.
  private var hint = 0
  private var readyCount = 0
  /// All instances before this one have begun or were skipped.
  private var next = 0

  mutating func expand(_ count: Int) { begins = Array(repeating: Begin.waiting.rawValue, count: count) }

  var firstReady: Int? {
    readyCount == 0 ? nil : begins[min(hint, begins.count)...].firstIndex(of: Begin.ready.rawValue)
  }

  /// The first instance that has neither begun nor been skipped, if it is ready.
  var nextReady: Int? { begins.indices.contains(next) && begins[next] == Begin.ready.rawValue ? next : nil }

  private mutating func passBegun() {
    while begins.indices.contains(next), begins[next] >= Begin.started.rawValue { next += 1 }
  }

  func isWaiting(_ instance: Int) -> Bool {
    begins.indices.contains(instance) && begins[instance] == Begin.waiting.rawValue
  }

  mutating func makeReady(_ instance: Int) {
    begins[instance] = Begin.ready.rawValue
    hint = min(hint, instance)
    readyCount += 1
  }

  mutating func skip(_ instance: Int) {
    begins[instance] = Begin.skipped.rawValue
    passBegun()
  }

  /// Skips an instance that has not begun. Gives false for one that has, or that was skipped before.
  mutating func leaveOut(_ instance: Int) -> Bool {
    guard begins.indices.contains(instance), begins[instance] < Begin.started.rawValue else { return false }
    if begins[instance] == Begin.ready.rawValue { readyCount -= 1 }
    skip(instance)
    return true
  }

  /// Starts the first instance that is ready.
  mutating func start(_ instance: Int) {
    begin(instance)
    hint = instance + 1
  }

  /// Notes that an instance has begun, whether or not others before it are ready.
  mutating func begin(_ instance: Int) {
    guard begins.indices.contains(instance) else { return }
    if begins[instance] == Begin.ready.rawValue { readyCount -= 1 }
    begins[instance] = Begin.started.rawValue
    passBegun()
  }

  mutating func end(_ instance: Int, _ end: End, of count: Int) {
    if ends.isEmpty { ends = Array(repeating: 0, count: count) }
    if ends.indices.contains(instance) { ends[instance] = end.rawValue }
  }

  func end(of instance: Int) -> End? { ends.indices.contains(instance) ? End(rawValue: ends[instance]) : nil }
}
