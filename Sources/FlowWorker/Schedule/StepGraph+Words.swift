internal import FWBase

/// The reasons of edges in words, and the edges of steps without joints.
extension StepGraph {
  /// That a step waits for another step.
  struct Need: Sendable {
    let step: Int
    let kind: Kind
    /// The key or the name of the value that both use; `nil`: all values, or none.
    let what: String?
    let isValue: Bool
    let isEach: Bool
  }

  /// The steps for which a step waits, in their order.
  ///
  /// - Parameter most: how many are listed.
  /// - Returns: the needs, and the number of those that are left out. A step that two joints stand for counts twice
  ///   among these.
  func needs(of step: Int, atMost most: Int = .max) -> (needs: [Need], more: Int) {
    var found: [Int32: Cause] = [:]
    var more = 0
    func add(_ cause: Cause) {
      if let known = found[cause.from] {
        if cause.kind.rawValue < known.kind.rawValue { found[cause.from] = cause }
      } else if found.count < most {
        found[cause.from] = cause
      } else {
        more += 1
      }
    }
    for cause in causes(of: step) {
      if Int(cause.from) < stepCount {
        add(cause)
        continue
      }
      // A joint may stand for other joints.
      var left = [cause.from]
      while let joint = left.popLast() {
        if found.count >= most {
          more += memberCounts[Int(joint) - stepCount]
          continue
        }
        for member in causes(of: Int(joint)) {
          if Int(member.from) >= stepCount { left.append(member.from) } else { add(through(member, cause)) }
        }
      }
    }
    let needs = found.values.map { cause in
      Need(
        step: Int(cause.from), kind: cause.kind, what: cause.cell < 0 ? nil : cells.text(cause.cell),
        isValue: cause.cell >= 0 && cells.isValue(cause.cell), isEach: cause.isEach)
    }
    return (needs.sorted { $0.step < $1.step }, more)
  }

  /// The edge that a joint stands for.
  ///
  /// - Parameters:
  ///   - member: the edge from a step to a joint.
  ///   - last: the edge from a joint to a step.
  private func through(_ member: Cause, _ last: Cause) -> Cause {
    let cell = member.cell >= 0 && cells.isDeeper(member.cell, than: last.cell) ? member.cell : last.cell
    return Cause(from: member.from, kind: last.kind, isEach: false, cell: cell)
  }

  /// Why a step waits for another one, such as `needs "d/x" of step "a"`.
  func reason(from: Int, to step: Int) -> String {
    cause(from: from, to: step).map { words(for: $0, isLong: false) }
      ?? "waits for step \(shownName(Int32(truncatingIfNeeded: from)))"
  }

  private func cause(from: Int, to step: Int) -> Cause? {
    let wanted = Int32(truncatingIfNeeded: from)
    let causes = causes(of: step)
    // The edges of a node are sorted by the nodes that it waits for, so the joints are the last ones.
    let at = causes.partitioningIndex { $0.from >= wanted }
    if at < causes.endIndex, causes[at].from == wanted { return causes[at] }
    let joints = causes.partitioningIndex { Int($0.from) >= stepCount }
    guard joints < causes.endIndex else { return nil }
    // The joints that stand for the other step, directly or by other joints.
    var members: [Int32: Cause] = [:]
    var left: [Int32] = []
    for edge in edges(from: from) where Int(edge.to) >= stepCount {
      let all = self.causes(of: Int(edge.to))
      let found = all.partitioningIndex { $0.from >= wanted }
      if found == all.endIndex || all[found].from != wanted { continue }
      members[edge.to] = all[found]
      left.append(edge.to)
    }
    var best: Cause?
    while let joint = left.popLast() {
      guard let member = members[joint] else { continue }
      let found = causes.partitioningIndex { $0.from >= joint }
      if found < causes.endIndex, causes[found].from == joint,
        causes[found].kind.rawValue < best?.kind.rawValue ?? .max
      {
        best = through(member, causes[found])
      }
      for edge in edges(from: Int(joint)) where Int(edge.to) >= stepCount && members[edge.to] == nil {
        members[edge.to] = member
        left.append(edge.to)
      }
    }
    return best
  }

  /// - Parameter isLong: whether the words name what the two steps do with the cell.
  private func words(for cause: Cause, isLong: Bool) -> String {
    let other = (isLong ? "" : "step ") + shownName(cause.from)
    let cell = cause.cell < 0 ? nil : cells.text(cause.cell)
    let isValue = cause.cell >= 0 && cells.isValue(cause.cell)
    let what =
      cell.map { (isValue ? "the value " : "") + MessageFormat.quoted($0) } ?? (isValue ? "the values" : "the files")
    switch cause.kind {
    case .readAfterWrite, .member: return "needs \(what) of \(other)"
    case .after: return "comes after \(other)" + (isLong ? " (its \"after\")" : "")
    case .barrier: return "waits for \(other)" + (isLong ? " (one of the two is a barrier)" : "")
    case .writeAfterWrite: return "writes \(what) after \(other)"
    case .writeAfterRead: return "writes \(what), which \(other) reads first"
    case .search: return "looks for \(what) after \(other)"
    }
  }

  private func shownName(_ step: Int32) -> String {
    stepNames.indices.contains(Int(step)) ? MessageFormat.quoted(stepNames[Int(step)]) : "\(step)"
  }

  // MARK: Cycles

  /// The most edges of a cycle that a message shows.
  private static let longestCycle = 16

  /// The error for steps that wait for each other.
  func cycleError(pointers: [String]) -> FlowError {
    let steps = cycle()
    var sentences: [String] = []
    for (index, step) in steps.enumerated() {
      let next = steps[(index + 1) % steps.count]
      let why = cause(from: Int(next), to: Int(step)).map { words(for: $0, isLong: true) } ?? ""
      sentences.append("\(shownName(step)) \(why)")
    }
    if sentences.count > StepGraph.longestCycle {
      let left = sentences.count - StepGraph.longestCycle
      sentences.replaceSubrange(
        (StepGraph.longestCycle - 1)..<(sentences.count - 1), with: ["and so on for \(left) steps"])
    }
    let first = steps.first.map { Int($0) }
    return FlowError(
      .document,
      "\(steps.count) steps wait for each other, so none of them can be the first: "
        + sentences.joined(separator: "; ") + "; remove a name from an \"after\"",
      path: first.flatMap { pointers.indices.contains($0) ? pointers[$0] + "/after" : nil })
  }

  /// The steps of a cycle. Each waits for the next one, and the last one for the first. The first one has the other in
  /// its `after`.
  private func cycle() -> [Int32] {
    var isSorted = [Bool](repeating: false, count: nodeCount)
    for node in order { isSorted[Int(node)] = true }
    // Edges point backwards in the document only for `after`, so each cycle has such an edge. The shortest cycle with
    // one of them is shown.
    for step in 0..<stepCount where !isSorted[step] {
      for cause in causes(of: step) where cause.kind == .after && Int(cause.from) >= step && !isSorted[Int(cause.from)]
      {
        if let path = path(from: Int32(truncatingIfNeeded: step), to: cause.from, isSorted) {
          return path.filter { Int($0) < stepCount }
        }
      }
    }
    return []
  }

  /// The nodes of a shortest path along the edges, the last one first, with the first one before them.
  private func path(from: Int32, to: Int32, _ isSorted: [Bool]) -> [Int32]? {
    if from == to { return [from] }
    var before = [Int32](repeating: -1, count: nodeCount)
    var left = [from]
    var at = 0
    while at < left.count {
      let node = left[at]
      at += 1
      for edge in edges(from: Int(node)) where !isSorted[Int(edge.to)] && before[Int(edge.to)] < 0 && edge.to != from {
        before[Int(edge.to)] = node
        if edge.to == to {
          var path = [from]
          var step = to
          while step != from {
            path.append(step)
            step = before[Int(step)]
          }
          return path
        }
        left.append(edge.to)
      }
    }
    return nil
  }
}

extension RandomAccessCollection {
  /// The first position whose element satisfies a predicate that all later elements satisfy as well.
  fileprivate func partitioningIndex(where isBehind: (Element) -> Bool) -> Index {
    var low = startIndex
    var count = self.count
    while count > 0 {
      let half = count / 2
      let middle = index(low, offsetBy: half)
      if isBehind(self[middle]) {
        count = half
      } else {
        low = index(after: middle)
        count -= half + 1
      }
    }
    return low
  }
}
