internal import FWBase
internal import FWModel

/// The edges between steps that look for one file in different volumes, or for a folder and a file in it. The step that
/// is first in a serial run looks first, because what it finds counts for the others.
///
/// These edges are no needs: where the first step fails, the others look for themselves. They follow the order of a
/// serial run, to which all other edges keep, so they close no cycle.
struct SearchEdges {
  /// Whether each step may look for files, and so may make entries in the index of files.
  private(set) var isLooking: [Bool]
  /// The number of steps that each of the new joints stands for.
  private(set) var memberCounts: ContiguousArray<Int> = []
  private var causes: ContiguousArray<StepGraph.Cause> = []
  private var stepRanges: ContiguousArray<Range<Int>>
  private var jointRanges: ContiguousArray<Range<Int>> = []

  private let nodeCount: Int
  private var map = SearchMap()
  private var step: Int32 = 0
  /// The nodes of the keys that the step needs.
  private var nodes: ContiguousArray<Int32> = []
  /// The last step that has needed each node.
  private var needed: ContiguousArray<Int32> = []
  /// The edges of the step that is looked at.
  private var found: ContiguousArray<StepGraph.Cause> = []
  /// The last step that has an edge from each step.
  private var seen: ContiguousArray<Int32>
  /// The nodes before the last barrier are waited for anyhow.
  private var barrier: (step: Int32, joint: Int32)

  /// - Parameter cells: the cells of the graph. Keys that it does not have are added.
  init(_ graph: StepGraph, _ accesses: [StepAccess], _ basis: SearchBasis, _ cells: inout CellNames) throws(FlowError) {
    isLooking = Array(repeating: false, count: accesses.count)
    stepRanges = ContiguousArray(repeating: 0..<0, count: accesses.count)
    seen = ContiguousArray(repeating: -1, count: graph.nodeCount)
    nodeCount = graph.nodeCount
    barrier = (0, Int32(truncatingIfNeeded: graph.nodeCount))
    for start in basis.starts {
      map.select(try cells.node(of: .file(start.key)), cells)
      map.begin(start)
    }
    for step in graph.serialOrder {
      self.step = step
      try look(accesses[Int(step)], basis.volumes[Int(step)], &cells)
    }
  }

  var isEmpty: Bool { causes.isEmpty }

  /// The edges of a step, sorted by the nodes that it waits for.
  func causes(of step: Int) -> ArraySlice<StepGraph.Cause> { ArraySlice(causes[stepRanges[step]]) }

  /// The edges of each of the new joints.
  var joints: [ArraySlice<StepGraph.Cause>] { jointRanges.map { ArraySlice(causes[$0]) } }

  private mutating func look(_ access: StepAccess, _ volume: Int32, _ cells: inout CellNames) throws(FlowError) {
    found.removeAll(keepingCapacity: true)
    nodes.removeAll(keepingCapacity: true)
    for key in access.looksFor { nodes.append(try cells.node(of: key.cell)) }
    let isAlone = areApart(cells)
    for (key, node) in zip(access.looksFor, nodes) {
      map.select(node, cells)
      if !map.isDecided(key) { isLooking[Int(step)] = true }
      if access.barrier != nil { continue }
      for (holder, role) in map.lists(for: key, volume, isAlone ? -1 : step) { take(holder, role, node) }
    }
    // A step asks the index for all its files before it looks for the first one.
    for (key, node) in zip(access.looksFor, nodes) {
      map.select(node, cells)
      map.need(key, volume, by: step, isAlone: isAlone)
    }
    for key in access.makes {
      map.select(try cells.node(of: key.cell), cells)
      map.make(key)
    }
    if access.barrier != nil { barrier = (step, Int32(truncatingIfNeeded: nodeCount + jointRanges.count)) }
    found.sort { $0.from < $1.from }
    stepRanges[Int(step)] = causes.count..<(causes.count + found.count)
    causes += found
  }

  /// Whether the step needs no folder together with something in it.
  private mutating func areApart(_ cells: CellNames) -> Bool {
    if nodes.count < 2 { return true }
    while needed.count < cells.count { needed.append(-1) }
    for node in nodes { needed[Int(node)] = step }
    return nodes.allSatisfy { node in
      var above = cells.parent(of: node)
      while above >= 0 {
        if needed[Int(above)] == step { return false }
        above = cells.parent(of: above)
      }
      return true
    }
  }

  /// Adds edges from the steps of a list.
  private mutating func take(_ holder: Int32, _ role: SearchMap.Role, _ node: Int32) {
    var list = map[holder, role]
    if list.count > StepGraph.most {
      list = [makeJoint(of: list, holder)]
      map[holder, role] = list
    }
    for from in list { add(from, node) }
  }

  private mutating func add(_ from: Int32, _ node: Int32) {
    guard from >= (Int(from) < isLooking.count ? barrier.step : barrier.joint), seen[Int(from)] != step else { return }
    seen[Int(from)] = step
    found.append(StepGraph.Cause(from: from, kind: .search, isEach: false, cell: node))
  }

  private mutating func makeJoint(of list: [Int32], _ cell: Int32) -> Int32 {
    let start = causes.count
    var count = 0
    for from in list.sorted() {
      causes.append(StepGraph.Cause(from: from, kind: .member, isEach: false, cell: cell))
      count += Int(from) < isLooking.count ? 1 : memberCounts[Int(from) - nodeCount]
    }
    jointRanges.append(start..<causes.count)
    memberCounts.append(count)
    seen.append(-1)
    return Int32(truncatingIfNeeded: nodeCount + jointRanges.count - 1)
  }
}

extension StepGraph {
  /// The steps in the order in which a run with one job starts them: the first one in the document of those that are
  /// ready.
  var serialOrder: [Int32] {
    var left = (0..<nodeCount).map { causes(of: $0).count }
    var ready = ReadyHeap(nil)
    var joints: [Int] = []
    func arrive(_ node: Int) { if node < stepCount { ready.push(node) } else { joints.append(node) } }
    var order: [Int32] = []
    order.reserveCapacity(stepCount)
    for node in 0..<nodeCount where left[node] == 0 { arrive(node) }
    while true {
      let node: Int
      if let joint = joints.popLast() {
        node = joint
      } else if let step = ready.top {
        ready.pop()
        order.append(Int32(truncatingIfNeeded: step))
        node = step
      } else {
        return order
      }
      for edge in edges(from: node) {
        left[Int(edge.to)] -= 1
        if left[Int(edge.to)] == 0 { arrive(Int(edge.to)) }
      }
    }
  }
}
