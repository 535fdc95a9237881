internal import FWBase

/// Which steps have read and written each cell so far, while the steps of a workflow are looked at in their order.
///
/// A write supersedes what was known about its node and the nodes beneath it. Those are reset when they are visited
/// next, so a write costs the same however much there is beneath it.
struct AccessMap {
  /// A step that has read or written a cell.
  struct Member {
    let step: Int32
    let tag: Int32
    /// The node of the cell.
    let node: Int32
  }

  /// Steps for which later steps have to wait.
  struct Group {
    /// The node of the graph that stands for the first members of the group; -1 if there is none.
    let joint: Int32
    /// The position of the last of the other members in `members`; -1 if there are none.
    fileprivate var last: Int32 = -1
    /// The number of the other members.
    fileprivate(set) var count = 0

    init(joint: Int32 = -1) { self.joint = joint }

    var isEmpty: Bool { count == 0 && joint < 0 }
  }

  /// What is known about a node, and about the nodes beneath it.
  private struct State {
    var writers = Group()
    var readers = Group()
    var writersBelow = Group()
    var readersBelow = Group()
    /// When the groups were last known to be right.
    var stamp = 0
    /// When a write has superseded everything beneath the node.
    var cleared = 0
  }

  /// The groups of a node.
  enum Role { case writers, readers, writersBelow, readersBelow }

  private(set) var names = CellNames()
  private var states: ContiguousArray<State> = [State(), State()]
  /// The members of all groups, each with the position of the one before it.
  private var members: ContiguousArray<(member: Member, before: Int32)> = []
  private var clock = 0
  /// The selected node, and the nodes above it up to the root.
  private(set) var path: ContiguousArray<Int32> = []

  /// Selects the node of a cell.
  mutating func select(_ cell: StepAccess.Cell) throws(FlowError) -> Int32 {
    let node = try names.node(of: cell)
    while states.count < names.count { states.append(State()) }
    select(node)
    return node
  }

  /// Selects a node, and resets what later writes have superseded on the way to it.
  mutating func select(_ node: Int32) {
    path.removeAll(keepingCapacity: true)
    var at = node
    while at >= 0 {
      path.append(at)
      at = names.parent(of: at)
    }
    var cleared = 0
    for node in path.reversed() {
      let at = Int(node)
      if states[at].stamp < cleared {
        let before = states[at].cleared
        states[at] = State(stamp: cleared, cleared: before)
      }
      cleared = max(cleared, states[at].cleared)
    }
  }

  subscript(node: Int32, role: Role) -> Group {
    get {
      switch role {
      case .writers: return states[Int(node)].writers
      case .readers: return states[Int(node)].readers
      case .writersBelow: return states[Int(node)].writersBelow
      case .readersBelow: return states[Int(node)].readersBelow
      }
    }
    set {
      switch role {
      case .writers: states[Int(node)].writers = newValue
      case .readers: states[Int(node)].readers = newValue
      case .writersBelow: states[Int(node)].writersBelow = newValue
      case .readersBelow: states[Int(node)].readersBelow = newValue
      }
    }
  }

  /// The members of a group for which no joint stands, the last one first.
  func forEachMember(of group: Group, _ body: (Member) -> Void) {
    var at = group.last
    while at >= 0 {
      let entry = members[Int(at)]
      body(entry.member)
      at = entry.before
    }
  }

  /// Notes that a step reads the selected cell.
  mutating func read(by step: Int32, tag: Int32) throws(FlowError) {
    guard let node = path.first else { return }
    touch()
    let member = Member(step: step, tag: tag, node: node)
    try add(member, to: node, .readers)
    for above in path.dropFirst() { try add(member, to: above, .readersBelow) }
  }

  /// Notes that a step writes the selected cell.
  mutating func write(by step: Int32, tag: Int32) throws(FlowError) {
    guard let node = path.first else { return }
    touch()
    let member = Member(step: step, tag: tag, node: node)
    // A step over values may write several keys of which only the folder is known.
    var writers = states[Int(node)].writers
    if writers.last < 0 || members[Int(writers.last)].member.step != step { writers = Group() }
    states[Int(node)] = State(writers: writers, stamp: clock, cleared: clock)
    try add(member, to: node, .writers)
    for above in path.dropFirst() { try add(member, to: above, .writersBelow) }
  }

  /// Forgets everything, after a step for which all later steps wait.
  mutating func clear() {
    clock += 1
    for root in [CellNames.files, CellNames.values] { states[Int(root)] = State(stamp: clock, cleared: clock) }
  }

  private mutating func touch() {
    clock += 1
    for node in path { states[Int(node)].stamp = clock }
  }

  private mutating func add(_ member: Member, to node: Int32, _ role: Role) throws(FlowError) {
    var group = self[node, role]
    if group.last >= 0 {
      // Another key of the same step needs no second entry.
      let last = members[Int(group.last)].member
      if last.step == member.step, last.tag == member.tag { return }
    }
    guard members.count < Int(Int32.max) else { throw .noMemory }
    members.append((member, group.last))
    group.last = Int32(truncatingIfNeeded: members.count - 1)
    group.count += 1
    self[node, role] = group
  }
}
