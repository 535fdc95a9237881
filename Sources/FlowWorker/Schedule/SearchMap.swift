internal import FWBase
internal import FWModel

/// What is known before a run of where its steps find their files, if the run has several volumes.
struct SearchBasis: Sendable {
  /// A key for which there is an entry in the run's index of files before the first step.
  struct Start: Sendable {
    let key: VolumeKey
    /// Whether the run looks for the key. It makes no entry for a folder if there are entries for what is in it.
    let isLookedFor: Bool
  }

  /// A number for the volume of each step.
  let volumes: [Int32]
  /// The keys in the order in which the run gets to know them.
  let starts: [Start]
}

/// Which steps have looked for each key so far, while the steps of a workflow are gone through in the order of a serial
/// run.
///
/// A step looks for a key in all volumes, its own first, if the index of files (`FileIndex`) has no entry for it, for a
/// folder above it or for something in it. What the step finds becomes an entry, and counts for all steps from then on.
/// If the index only has entries for parts of a folder, a step that needs the folder has these parts, and looks for
/// nothing.
struct SearchMap {
  /// Steps for which a step waits that needs a key.
  enum Role { case lookers, before, readers, lookersBelow, readersBelow }

  /// Two steps with equal searches make the same entries, so it does not matter which of them is the first.
  private struct Search: Equatable {
    var volume: Int32 = -1
    /// The tag of a key of which only the folder is known.
    var tag = StepAccess.Cell.untagged
    /// The step, if it also needs something above or beneath the key; -1 if it does not.
    var step: Int32 = -1
  }

  private struct State {
    /// When it was certain that there is an entry for the key; 0 if it is not.
    var entered = 0
    /// When a step has made the key, and with it everything beneath; 0 if no step has.
    var made = 0
    /// Whether it is certain that nobody looks for the key any more, because it has an entry or something in it has.
    var isDecided = false
    /// Whether something beneath the key may have an entry.
    var mayHaveParts = false
    /// The last steps that have looked for the key, all by one search.
    var lookers: [Int32] = []
    var search = Search()
    /// The steps before these that have looked for the key by another search.
    var before: [Int32] = []
    /// The steps that have needed the key, and have had only the parts of it that had entries.
    var readers: [Int32] = []
    var lookersBelow: [Int32] = []
    var readersBelow: [Int32] = []
  }

  private var states: ContiguousArray<State> = []
  /// The tags of keys that steps have made.
  private var madeTags: Set<Int32> = []
  private var clock = 0
  /// The selected node, and the nodes above it up to the root.
  private(set) var path: ContiguousArray<Int32> = []

  /// Selects the node of a cell.
  mutating func select(_ node: Int32, _ cells: CellNames) {
    while states.count < cells.count { states.append(State()) }
    path.removeAll(keepingCapacity: true)
    var at = node
    while at >= 0 {
      path.append(at)
      at = cells.parent(of: at)
    }
  }

  /// The node whose entry the selected key certainly has; `nil` if there may be none.
  private var holder: Int32? {
    var holder: Int32?
    for node in path {
      guard let inner = holder else {
        if states[Int(node)].entered > 0 { holder = node }
        continue
      }
      if states[Int(node)].made > states[Int(inner)].entered { holder = node }
    }
    return holder
  }

  /// Whether it is certain that nobody looks for the selected key any more.
  func isDecided(_ key: StepAccess.Key) -> Bool {
    if madeTags.contains(key.cell.tag) || holder != nil { return true }
    return key.isKnown && path.first.map { states[Int($0)].isDecided } == true
  }

  private func search(_ key: StepAccess.Key, _ volume: Int32, _ step: Int32) -> Search {
    Search(volume: volume, tag: key.isKnown ? StepAccess.Cell.untagged : key.cell.tag, step: step)
  }

  /// The lists with the steps for which a step of a volume waits that needs the selected key.
  ///
  /// - Parameter step: the step, if it also needs something above or beneath the key; else -1.
  func lists(for key: StepAccess.Key, _ volume: Int32, _ step: Int32) -> [(node: Int32, role: Role)] {
    guard let node = path.first, !madeTags.contains(key.cell.tag) else { return [] }
    let isSame = states[Int(node)].search == search(key, volume, step)
    if let holder, holder != node || !isSame { return [(holder, .lookers)] }
    var lists: [(node: Int32, role: Role)] = [(node, isSame ? .before : .lookers), (node, .lookersBelow)]
    // A step that makes an entry must not be before those that have not had it.
    let makesEntry = isSame || !isDecided(key)
    if !key.isKnown { lists += [(node, .readers), (node, .readersBelow)] }
    for above in path.dropFirst() {
      lists.append((above, .lookers))
      if makesEntry { lists.append((above, .readers)) }
    }
    return lists
  }

  subscript(node: Int32, role: Role) -> [Int32] {
    get {
      switch role {
      case .lookers: return states[Int(node)].lookers
      case .before: return states[Int(node)].before
      case .readers: return states[Int(node)].readers
      case .lookersBelow: return states[Int(node)].lookersBelow
      case .readersBelow: return states[Int(node)].readersBelow
      }
    }
    set {
      switch role {
      case .lookers: states[Int(node)].lookers = newValue
      case .before: states[Int(node)].before = newValue
      case .readers: states[Int(node)].readers = newValue
      case .lookersBelow: states[Int(node)].lookersBelow = newValue
      case .readersBelow: states[Int(node)].readersBelow = newValue
      }
    }
  }

  /// Notes that a step of a volume needs the selected key.
  ///
  /// - Parameter isAlone: whether the step needs nothing above or beneath the key.
  mutating func need(_ key: StepAccess.Key, _ volume: Int32, by step: Int32, isAlone: Bool) {
    guard let node = path.first.map({ Int($0) }), holder == nil, !madeTags.contains(key.cell.tag) else { return }
    clock += 1
    if isDecided(key) {
      SearchMap.append(step, to: &states[node].readers)
      for above in path.dropFirst() { SearchMap.append(step, to: &states[Int(above)].readersBelow) }
      return
    }
    let search = search(key, volume, isAlone ? -1 : step)
    if states[node].search != search {
      states[node].before = states[node].lookers
      states[node].lookers = []
      states[node].search = search
    }
    SearchMap.append(step, to: &states[node].lookers)
    if key.isKnown {
      states[node].isDecided = true
      if !states[node].mayHaveParts { states[node].entered = clock }
    } else {
      // There are entries for the keys themselves from now on, if there are any instances.
      states[node].mayHaveParts = true
    }
    for above in path.dropFirst() {
      enter(beneath: Int(above), isCertain: key.isKnown)
      SearchMap.append(step, to: &states[Int(above)].lookersBelow)
    }
  }

  /// Notes that a step makes the selected key.
  mutating func make(_ key: StepAccess.Key) {
    guard let node = path.first.map({ Int($0) }) else { return }
    clock += 1
    if key.cell.tag != StepAccess.Cell.untagged { madeTags.insert(key.cell.tag) }
    if key.isKnown {
      states[node] = State(entered: clock, made: clock, isDecided: true)
    } else {
      states[node].mayHaveParts = true
    }
    for above in path.dropFirst() { enter(beneath: Int(above), isCertain: key.isKnown) }
  }

  /// Notes what is known of the selected key before the first step.
  mutating func begin(_ start: SearchBasis.Start) {
    guard let node = path.first else { return }
    if start.isLookedFor, states[Int(node)].isDecided { return }
    make(StepAccess.Key(.file(start.key)))
  }

  /// Notes that something beneath a node has an entry.
  private mutating func enter(beneath node: Int, isCertain: Bool) {
    states[node].mayHaveParts = true
    if isCertain { states[node].isDecided = true }
  }

  private static func append(_ step: Int32, to list: inout [Int32]) { if list.last != step { list.append(step) } }
}
