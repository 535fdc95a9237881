internal import FWBase

/// Which steps of a workflow wait for which others, so that any order that keeps to it gives what the order of the
/// document gives.
///
/// The nodes are the steps, in their order, and behind them *joints*. A joint stands for many steps that several steps
/// wait for: N writers and M readers of one folder are N + M edges. The graph costs time and memory in proportion to
/// the cells of the steps. It knows nothing of instances: a step that runs over values is one node.
struct StepGraph: Sendable {
  /// That a node waits for another one.
  struct Edge: Sendable {
    /// The node that waits.
    let to: Int32
    /// Whether each instance waits only for the instance of the same number.
    let isEach: Bool
    /// Whether a step that waits cannot run if the other one has failed, because it uses what that one makes.
    let isNeeded: Bool
  }

  /// Why a step waits for another one. The first of several reasons is the one that is shown.
  enum Kind: UInt8, Sendable {
    case readAfterWrite, after, barrier, writeAfterWrite, writeAfterRead
    /// The other step is the first one that looks for a file, so that it decides which version counts.
    case search
    /// A joint waits for what it stands for.
    case member

    var isNeeded: Bool {
      switch self {
      case .readAfterWrite, .after, .barrier, .member: return true
      case .writeAfterWrite, .writeAfterRead, .search: return false
      }
    }
  }

  /// The rules that make edges. Tests leave some of them out, to see that this is noticed.
  struct Rules: OptionSet, Sendable {
    let rawValue: Int
    static let readAfterWrite = Rules(rawValue: 1)
    static let writeAfterRead = Rules(rawValue: 2)
    static let writeAfterWrite = Rules(rawValue: 4)
    static let folders = Rules(rawValue: 8)
    static let names = Rules(rawValue: 16)
    static let allNames = Rules(rawValue: 32)
    static let barriers = Rules(rawValue: 64)
    static let after = Rules(rawValue: 128)
    static let searches = Rules(rawValue: 256)
    static let all = Rules(rawValue: 511)
  }

  /// An edge, seen from the node that waits.
  struct Cause {
    let from: Int32
    fileprivate(set) var kind: Kind
    fileprivate(set) var isEach: Bool
    /// The cell; -1 if the edge is about none.
    fileprivate(set) var cell: Int32

    init(from: Int32, kind: Kind, isEach: Bool, cell: Int32) {
      (self.from, self.kind, self.isEach, self.cell) = (from, kind, isEach, cell)
    }
  }

  /// A group with more members than this gets a joint.
  static let most = 8

  let stepCount: Int
  let stepNames: [String]
  /// The cells that edges are about.
  private(set) var cells = CellNames()
  /// The edges by the node that waits.
  private var causes: ContiguousArray<Cause> = []
  private var ranges: ContiguousArray<Range<Int>>
  /// The edges by the node for which others wait.
  private var forward: [Edge] = []
  private var starts: ContiguousArray<Int> = []
  private var priorities: ContiguousArray<Int32> = []
  /// The number of steps that each joint stands for.
  private(set) var memberCounts: ContiguousArray<Int>
  /// The nodes in an order in which none comes before a node that it waits for.
  private(set) var order: ContiguousArray<Int32> = []
  /// Whether each step may look for files of which it is not known where they are; empty if none does.
  private var isLooking: [Bool] = []

  /// - Parameters:
  ///   - names: the names of the steps.
  ///   - pointers: the JSON pointers of the steps, for errors.
  ///   - searches: where the steps look for files; `nil` if there is one volume.
  init(
    _ accesses: [StepAccess], names: [String], pointers: [String] = [], searches: SearchBasis? = nil,
    _ rules: Rules = .all
  ) throws(FlowError) {
    guard accesses.count < Int(Int32.max) / 4 else { throw .noMemory }
    stepCount = accesses.count
    stepNames = names
    var builder = GraphBuilder(accesses, rules)
    try builder.build()
    cells = builder.cells
    causes = builder.causes
    ranges = builder.ranges
    memberCounts = builder.memberCounts
    turnAround()
    order = sorted()
    if order.count < nodeCount { throw cycleError(pointers: pointers) }
    if let searches, rules.contains(.searches) {
      var cells = cells
      add(try SearchEdges(self, accesses, searches, &cells))
      self.cells = cells
    }
    cells.freeze()
    rank()
  }

  /// Adds the edges between steps that look for files.
  private mutating func add(_ edges: SearchEdges) {
    isLooking = edges.isLooking
    if edges.isEmpty { return }
    var all: ContiguousArray<Cause> = []
    all.reserveCapacity(causes.count)
    for node in 0..<nodeCount {
      let start = all.count
      all += causes[ranges[node]]
      let end = all.count
      var at = start
      for cause in node < stepCount ? edges.causes(of: node) : [] {
        while at < end, all[at].from < cause.from { at += 1 }
        // An instance that looks for files waits for all instances of the other step, whatever else it waits for.
        if at < end, all[at].from == cause.from { all[at].isEach = false } else { all.append(cause) }
      }
      if all.count > end { all[start...].sort { $0.from < $1.from } }
      ranges[node] = start..<all.count
    }
    for joint in edges.joints {
      ranges.append(all.count..<(all.count + joint.count))
      all += joint
    }
    memberCounts += edges.memberCounts
    causes = all
    turnAround()
    order = sorted()
  }

  // MARK: Questions

  /// The number of steps and joints.
  var nodeCount: Int { ranges.count }

  /// The nodes that wait for a node.
  func edges(from node: Int) -> ArraySlice<Edge> { forward[starts[node]..<starts[node + 1]] }

  /// The number of steps on the longest path behind a node.
  func priority(of node: Int) -> Int { Int(priorities[node]) }

  func causes(of node: Int) -> ArraySlice<Cause> { causes[ranges[node]] }

  /// Whether a step may look for files of which it is not known where they are.
  func isLooking(_ step: Int) -> Bool { isLooking.indices.contains(step) && isLooking[step] }

  // MARK: The order

  /// Sorts the edges by the node that the others wait for.
  private mutating func turnAround() {
    starts = ContiguousArray(repeating: 0, count: nodeCount + 1)
    for cause in causes { starts[Int(cause.from) + 1] += 1 }
    for node in 0..<nodeCount { starts[node + 1] += starts[node] }
    var next = starts
    forward = [Edge](repeating: Edge(to: -1, isEach: false, isNeeded: false), count: causes.count)
    for (node, range) in ranges.enumerated() {
      for cause in causes[range] {
        let from = Int(cause.from)
        forward[next[from]] = Edge(
          to: Int32(truncatingIfNeeded: node), isEach: cause.isEach, isNeeded: cause.kind.isNeeded)
        next[from] += 1
      }
    }
  }

  /// The nodes in order; not all of them if some wait for each other.
  private func sorted() -> ContiguousArray<Int32> {
    var left = ContiguousArray(ranges.map(\.count))
    var order = ContiguousArray<Int32>()
    order.reserveCapacity(nodeCount)
    for node in 0..<nodeCount where left[node] == 0 { order.append(Int32(truncatingIfNeeded: node)) }
    var at = 0
    while at < order.count {
      for edge in edges(from: Int(order[at])) {
        left[Int(edge.to)] -= 1
        if left[Int(edge.to)] == 0 { order.append(edge.to) }
      }
      at += 1
    }
    return order
  }

  private mutating func rank() {
    priorities = ContiguousArray(repeating: 0, count: nodeCount)
    for node in order.reversed() {
      var longest: Int32 = 0
      for edge in edges(from: Int(node)) {
        longest = max(longest, priorities[Int(edge.to)] + (Int(edge.to) < stepCount ? 1 : 0))
      }
      priorities[Int(node)] = longest
    }
  }
}

/// Makes the edges of a graph.
private struct GraphBuilder {
  let accesses: [StepAccess]
  let rules: StepGraph.Rules
  var map = AccessMap()
  var causes: ContiguousArray<StepGraph.Cause> = []
  var ranges: ContiguousArray<Range<Int>>
  /// The edges of the step that is looked at.
  private var found: ContiguousArray<StepGraph.Cause> = []
  /// The position in `found` of the edge from a node, if `seen` has the step that is looked at.
  private var positions: ContiguousArray<Int32>
  private var seen: ContiguousArray<Int32>
  /// The joint that has last got a step as a member.
  private var joined: ContiguousArray<Int32>
  private var nodes: ContiguousArray<Int32> = []
  private(set) var memberCounts: ContiguousArray<Int> = []
  private var barrier: Int?
  private var step: Int32 = 0

  var cells: CellNames { map.names }

  init(_ accesses: [StepAccess], _ rules: StepGraph.Rules) {
    self.accesses = accesses
    self.rules = rules
    ranges = ContiguousArray(repeating: 0..<0, count: accesses.count)
    positions = ContiguousArray(repeating: -1, count: accesses.count)
    seen = positions
    joined = positions
  }

  mutating func build() throws(FlowError) {
    for (index, access) in accesses.enumerated() {
      step = Int32(truncatingIfNeeded: index)
      found.removeAll(keepingCapacity: true)
      if rules.contains(.after) { for other in access.after { add(Int32(truncatingIfNeeded: other), .after) } }
      if access.barrier != nil, rules.contains(.barriers) {
        for other in (barrier ?? 0)..<index { add(Int32(truncatingIfNeeded: other), .barrier) }
        barrier = index
        map.clear()
      } else {
        if let barrier { add(Int32(truncatingIfNeeded: barrier), .barrier) }
        try look(at: access)
        try note(access)
      }
      found.sort { $0.from < $1.from }
      let start = causes.count
      causes += found
      ranges[index] = start..<causes.count
    }
  }

  private func isSeen(_ cell: StepAccess.Cell) -> Bool {
    switch cell {
    case .file, .allFiles: return true
    case .name: return rules.contains(.names)
    case .allNames: return rules.contains(.allNames)
    }
  }

  /// Finds the steps for which a step has to wait.
  private mutating func look(at access: StepAccess) throws(FlowError) {
    nodes.removeAll(keepingCapacity: true)
    for cell in access.reads {
      let node = try map.select(cell)
      nodes.append(node)
      guard isSeen(cell), rules.contains(.readAfterWrite) else { continue }
      takeWriters(node, cell.tag, .readAfterWrite)
    }
    for cell in access.writes {
      let node = try map.select(cell)
      nodes.append(node)
      guard isSeen(cell) else { continue }
      if rules.contains(.writeAfterWrite) { takeWriters(node, cell.tag, .writeAfterWrite) }
      guard rules.contains(.writeAfterRead) else { continue }
      take(node, .readers, node, cell.tag, .writeAfterRead)
      guard isAbove(cell) else { continue }
      take(node, .readersBelow, node, cell.tag, .writeAfterRead)
      for above in map.path.dropFirst() { take(above, .readers, node, cell.tag, .writeAfterRead) }
    }
  }

  /// Whether cells above and beneath this one count.
  private func isAbove(_ cell: StepAccess.Cell) -> Bool {
    switch cell {
    case .file, .allFiles: return rules.contains(.folders)
    case .name, .allNames: return rules.contains(.allNames)
    }
  }

  /// Takes the last writer of a cell, who has written it or a folder above it, and the later writers beneath it.
  private mutating func takeWriters(_ node: Int32, _ tag: Int32, _ kind: StepGraph.Kind) {
    let cell = isFile(node)
    for above in map.path where above == node || cell && rules.contains(.folders) {
      if map[above, .writers].isEmpty { continue }
      take(above, .writers, node, tag, kind)
      break
    }
    if !cell || rules.contains(.folders) { take(node, .writersBelow, node, tag, kind) }
  }

  private func isFile(_ node: Int32) -> Bool { map.path.last == CellNames.files }

  /// Adds edges from the members of a group.
  private mutating func take(
    _ holder: Int32, _ role: AccessMap.Role, _ node: Int32, _ tag: Int32, _ kind: StepGraph.Kind
  ) {
    var group = map[holder, role]
    if group.isEmpty { return }
    if group.count + (group.joint < 0 ? 0 : 1) > StepGraph.most {
      group = AccessMap.Group(joint: makeJoint(of: group))
      map[holder, role] = group
    }
    if group.joint >= 0 { add(group.joint, kind, cell: node) }
    var members: ContiguousArray<AccessMap.Member> = []
    map.forEachMember(of: group) { members.append($0) }
    for member in members {
      add(
        member.step, kind, cell: map.names.isDeeper(member.node, than: node) ? member.node : node,
        isEach: tag != StepAccess.Cell.untagged && tag == member.tag)
    }
  }

  private mutating func makeJoint(of group: AccessMap.Group) -> Int32 {
    let joint = Int32(truncatingIfNeeded: ranges.count)
    let start = causes.count
    map.forEachMember(of: group) { member in
      if joined[Int(member.step)] == joint { return }
      joined[Int(member.step)] = joint
      causes.append(StepGraph.Cause(from: member.step, kind: .member, isEach: false, cell: member.node))
    }
    if group.joint >= 0 {
      causes.append(StepGraph.Cause(from: group.joint, kind: .member, isEach: false, cell: -1))
    }
    let others = group.joint < 0 ? 0 : memberCounts[Int(group.joint) - accesses.count] - 1
    memberCounts.append(causes.count - start + others)
    causes[start...].sort { $0.from < $1.from }
    ranges.append(start..<causes.count)
    positions.append(-1)
    seen.append(-1)
    return joint
  }

  /// Adds a reason why the step waits for a node.
  private mutating func add(_ from: Int32, _ kind: StepGraph.Kind, cell: Int32 = -1, isEach: Bool = false) {
    let at = Int(from)
    guard seen[at] == step else {
      seen[at] = step
      positions[at] = Int32(truncatingIfNeeded: found.count)
      found.append(StepGraph.Cause(from: from, kind: kind, isEach: isEach, cell: cell))
      return
    }
    let position = Int(positions[at])
    if kind.rawValue < found[position].kind.rawValue {
      found[position].kind = kind
      found[position].cell = cell
    }
    found[position].isEach = found[position].isEach && isEach
  }

  /// Notes what the step reads and writes, for the steps behind it.
  private mutating func note(_ access: StepAccess) throws(FlowError) {
    for (cell, node) in zip(access.reads, nodes) {
      map.select(node)
      try map.read(by: step, tag: cell.tag)
    }
    for (cell, node) in zip(access.writes, nodes.dropFirst(access.reads.count)) {
      map.select(node)
      try map.write(by: step, tag: cell.tag)
    }
  }
}
