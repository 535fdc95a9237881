@testable import FWModel
@testable import FlowWorker

/// The rules of the schedule, as plainly as they can be written: everything is computed anew from what has happened.
/// `SchedulerTests` compares `Scheduler` with it.
struct PlainSchedule {
  /// How far an instance is. A plain step is one instance.
  enum State {
    case waiting, running, done, failed
    /// It never begins, because an instance that it needs has not succeeded.
    case skipped
  }

  /// A step, or a joint of the graph.
  struct Node {
    let isMany: Bool
    let group: Int
    var isInOrder = false
    /// Whether its instances could not be counted. It is one instance then, which fails.
    var isRefused = false
    /// `nil` if the number of instances is not known.
    var instances: [State]?
    /// Whether nothing of it begins any more, because a step that it needs has not succeeded.
    var isLeftOut = false
    var isOver = false
  }

  private let graph: StepGraph
  private(set) var nodes: [Node]
  let priorities: [Int]
  /// The groups of which nothing starts in this round.
  var held: Set<Int> = []

  init(_ graph: StepGraph, isMany: [Bool], groups: [Int], isSerial: Bool) {
    self.graph = graph
    nodes = (0..<graph.nodeCount).map { node in
      // Nothing of a joint runs.
      if node >= graph.stepCount { return Node(isMany: false, group: -1, instances: []) }
      return Node(isMany: isMany[node], group: groups[node], instances: isMany[node] ? nil : [.waiting])
    }
    priorities = isSerial ? nodes.map { _ in 0 } : PlainSchedule.longestPaths(graph)
    settle()
  }

  /// For each node, the number of steps on the longest path behind it.
  private static func longestPaths(_ graph: StepGraph) -> [Int] {
    var longest = [Int](repeating: 0, count: graph.nodeCount)
    for _ in longest {
      for node in longest.indices {
        let own = node < graph.stepCount ? 1 : 0
        for cause in graph.causes(of: node) {
          longest[Int(cause.from)] = max(longest[Int(cause.from)], longest[node] + own)
        }
      }
    }
    return longest
  }

  // MARK: What follows from what has happened

  /// The nodes that have to be over before anything of a node starts, and whether they have to succeed.
  func wholes(_ node: Int) -> [(node: Int, isNeeded: Bool)] {
    graph.causes(of: node).filter { !$0.isEach }.map { (Int($0.from), $0.kind.isNeeded) }
  }

  /// The steps whose instance has to end before the instance of the same number starts.
  private func eaches(_ node: Int) -> [(node: Int, isNeeded: Bool)] {
    graph.causes(of: node).filter { $0.isEach }.map { (Int($0.from), $0.kind.isNeeded) }
  }

  func hasSucceeded(_ node: Int) -> Bool {
    nodes[node].isOver && lack(node) == nil && nodes[node].instances?.allSatisfy { $0 == .done } != false
  }

  /// Whether none of the instances of a step has begun, and none will.
  private func isGone(_ node: Int) -> Bool {
    nodes[node].isOver && (nodes[node].isLeftOut || nodes[node].isRefused)
  }

  /// How an instance has ended that another one waits for; `nil` if it has not.
  private func end(_ node: Int, _ instance: Int) -> State? {
    if isGone(node) { return .failed }
    guard let state = nodes[node].instances?[instance], state != .waiting, state != .running else { return nil }
    return state
  }

  /// Of the nodes that a node needs as a whole, the first in the document that has not succeeded.
  func lack(_ node: Int) -> Int? {
    let missing =
      wholes(node).filter { $0.isNeeded && nodes[$0.node].isOver && !hasSucceeded($0.node) }
      + eaches(node).filter { $0.isNeeded && isGone($0.node) }
    return missing.compactMap { $0.node < graph.stepCount ? $0.node : lack($0.node) }.min()
  }

  private func isReady(_ node: Int) -> Bool { wholes(node).allSatisfy { nodes[$0.node].isOver } }

  /// Finds out what is left out, skipped and over.
  private mutating func settle() {
    var isChanged = true
    while isChanged {
      isChanged = false
      for node in nodes.indices where !nodes[node].isOver && isReady(node) {
        if node < graph.stepCount, lack(node) != nil { nodes[node].isLeftOut = true }
        if let instances = nodes[node].instances {
          let hasFailed = instances.contains(.failed)
          for (number, state) in instances.enumerated() where state == .waiting {
            let ends = eaches(node).map { (end($0.node, number), $0.isNeeded) }
            let isLacking = ends.allSatisfy { $0.0 != nil } && ends.contains { $0.1 && $0.0 != .done }
            if isLacking || nodes[node].isInOrder && hasFailed {
              nodes[node].instances?[number] = .skipped
              isChanged = true
            }
          }
        }
        let isRunOut = nodes[node].instances?.allSatisfy { $0 != .waiting && $0 != .running } ?? false
        if nodes[node].isLeftOut || isRunOut {
          nodes[node].isOver = true
          isChanged = true
        }
      }
    }
  }

  // MARK: What can start

  /// The instance of a step that can start.
  private func startable(_ step: Int) -> Int? {
    guard let instances = nodes[step].instances else { return nil }
    if nodes[step].isInOrder, instances.contains(.running) { return nil }
    let waiting = instances.indices.filter { instances[$0] == .waiting }
    return (nodes[step].isInOrder ? Array(waiting.prefix(1)) : waiting).first { number in
      eaches(step).allSatisfy { end($0.node, number) != nil }
    }
  }

  /// Whether a step has something to start, or to be counted.
  func hasStart(_ step: Int) -> Bool {
    !nodes[step].isOver && isReady(step) && (nodes[step].instances == nil || startable(step) != nil)
  }

  /// What starts next: of the steps that can, that with the longest path behind it, and the first in the document of
  /// those with the same.
  var first: Scheduler.Next? {
    let steps = (0..<graph.stepCount).filter { hasStart($0) && !held.contains(nodes[$0].group) }
    guard let step = steps.max(by: { (priorities[$0], -$0) < (priorities[$1], -$1) }) else { return nil }
    guard let number = startable(step) else { return .expand(step: step) }
    return .start(StepPlace(index: step, instance: nodes[step].isMany ? number : nil))
  }

  /// Whether something could start that is not held.
  var isIdle: Bool { (0..<graph.stepCount).allSatisfy { !hasStart($0) } }

  // MARK: What happens

  mutating func expand(_ step: Int, count: Int, isInOrder: Bool) {
    nodes[step].instances = Array(repeating: .waiting, count: count)
    nodes[step].isInOrder = isInOrder
    settle()
  }

  mutating func refuse(_ step: Int) {
    nodes[step].isRefused = true
    nodes[step].instances = [.waiting]
  }

  mutating func set(_ place: StepPlace, _ state: State) {
    nodes[place.index].instances?[place.instance ?? 0] = state
    settle()
  }

  /// Whether an earlier run may have ended a step or instance that has not begun: all that it waits for has succeeded.
  func isRestorable(_ step: Int, _ number: Int) -> Bool {
    let instances = nodes[step].instances ?? []
    return isReady(step) && lack(step) == nil && instances[number] == .waiting
      && eaches(step).allSatisfy { end($0.node, number) == .done }
      && (!nodes[step].isInOrder || instances.prefix(number).allSatisfy { $0 == .done })
  }

  // MARK: What a result says

  /// What `Scheduler.unstarted` has to give.
  func unstarted(_ step: Int) -> (count: Int?, isWhole: Bool, lack: Int?)? {
    let begun = nodes[step].instances?.filter { $0 == .done || $0 == .failed || $0 == .running }.count ?? 0
    guard nodes[step].isMany, let all = nodes[step].instances?.count else {
      return begun == 0 ? (nil, true, lack(step)) : nil
    }
    guard begun < all else { return nil }
    let each = eaches(step).map(\.node).filter { other in
      nodes[other].isLeftOut || nodes[other].instances?.contains { $0 == .failed || $0 == .skipped } == true
    }
    return (all - begun, begun == 0, lack(step) ?? each.first)
  }
}
