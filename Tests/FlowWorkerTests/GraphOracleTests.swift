import Testing

@testable import FWBase
@testable import FWModel
@testable import FlowWorker

/// A generator of numbers that gives the same ones for the same seed.
struct Random: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

  mutating func next() -> UInt64 {
    state = state &+ 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }
  mutating func isLucky(_ percent: Int) -> Bool { below(100) < percent }
}

/// Random steps over few keys and names, so that they meet often.
enum RandomSteps {
  static let keys = ["a", "b", "d", "d/", "d/x", "d/y", "d/e", "d/e/", "d/e/z", "dx", "g/h"]
  static let names = ["n", "m", "k", "d"]

  static func step(_ index: Int, of count: Int, _ random: inout Random, withAfter: Bool = true) -> StepAccess {
    var access = StepAccess()
    if random.isLucky(7) {
      access.barrier = "it declares no files"
    }
    for _ in 0..<random.below(3) { access.reads.append(key(&random)) }
    for _ in 0..<random.below(3) { access.writes.append(key(&random)) }
    if random.isLucky(15), let read = access.reads.first { access.writes.append(read) }
    for _ in 0..<random.below(2) { access.reads.append(name(&random)) }
    if random.isLucky(8) { access.reads.append(.allNames) }
    if random.isLucky(40) { access.writes.append(name(&random)) }
    if withAfter, index > 0, random.isLucky(10) { access.after = [random.below(index)] }
    return access
  }

  static func key(_ random: inout Random) -> StepAccess.Cell {
    guard let key = try? VolumeKey(checking: keys[random.below(keys.count)]) else { return .allNames }
    return .file(key)
  }

  static func name(_ random: inout Random) -> StepAccess.Cell { .name(Name(names[random.below(names.count)])) }

  static func overlap(_ one: StepAccess.Cell, _ other: StepAccess.Cell) -> Bool {
    switch (one, other) {
    case (.file(let one, _), .file(let other, _)):
      return one.path == other.path || one.isInside(other) || other.isInside(one)
    case (.name(let one), .name(let other)): return one == other
    case (.name, .allNames), (.allNames, .name): return true
    default: return false
    }
  }

  /// Whether the second of two steps has to wait for the first one.
  static func conflict(_ one: StepAccess, _ other: StepAccess) -> Bool {
    if one.barrier != nil || other.barrier != nil { return true }
    let hazards = [(one.writes, other.reads), (one.reads, other.writes), (one.writes, other.writes)]
    return hazards.contains { first, second in first.contains { one in second.contains { overlap(one, $0) } } }
  }
}

/// For each node, the nodes before it, directly or not.
private func closure(_ count: Int, _ needs: (Int) -> [Int]) -> [Set<Int>] {
  var before = [Set<Int>](repeating: [], count: count)
  for node in 0..<count {
    for need in needs(node) { before[node].formUnion(before[need].union([need])) }
  }
  return before
}

/// What steps make of the cells: each appends what it has read, and its number, to all it writes.
private struct Model {
  private var files: [VolumeKey: [Int]] = [:]
  private var values: [Name: Int] = [:]
  private var everything = 0

  mutating func run(_ index: Int, _ access: StepAccess) {
    var hasher = FoldingHash()
    hasher.add(index)
    for cell in access.reads + access.writes { read(cell, &hasher) }
    if access.barrier != nil {
      for key in files.keys.sorted(by: VolumeKey.precedes) {
        hasher.add(key.bytes.count); files[key]?.forEach { hasher.add($0) }
      }
      for name in values.keys.sorted() { hasher.add(values[name] ?? 0) }
      files[VolumeKey(inBase: Array("unknown".utf8)), default: []].append(hasher.value)
    }
    for cell in access.writes {
      switch cell {
      case .file(let key, _):
        // A folder is written as a whole: all that is in it changes.
        for inner in files.keys where inner.isInside(key) { files[inner]?.append(hasher.value) }
        files[key.path, default: []].append(hasher.value)
      case .name(let name): values[name] = hasher.value
      case .allNames, .allFiles: break
      }
    }
  }

  private func read(_ cell: StepAccess.Cell, _ hasher: inout FoldingHash) {
    switch cell {
    case .file(let key, _):
      for found in files.keys.sorted(by: VolumeKey.precedes)
      where found == key.path || found.isInside(key) || key.isInside(found) {
        files[found]?.forEach { hasher.add($0) }
      }
    case .name(let name): hasher.add(values[name] ?? -1)
    case .allFiles: break
    case .allNames: for name in values.keys.sorted() { hasher.add(values[name] ?? 0) }
    }
  }

  var content: [String] {
    files.keys.sorted(by: VolumeKey.precedes).map { "\($0.text)=\(files[$0] ?? [])" }
      + values.keys.sorted().map { "\($0.text):\(values[$0] ?? 0)" }
  }
}

/// A hash that is the same in each process.
private struct FoldingHash {
  private(set) var value = 17

  mutating func add(_ number: Int) { value = (value &* 31 &+ number) & 0xFFFF_FFFF_FFFF }
}

/// Runs steps in a random order that the graph allows; `nil` if it allows none.
private func simulate(_ graph: StepGraph, _ steps: [StepAccess], _ random: inout Random) -> Model {
  var left = (0..<graph.nodeCount).map { graph.causes(of: $0).count }
  var ready = left.indices.filter { left[$0] == 0 }
  var model = Model()
  while !ready.isEmpty {
    let node = ready.remove(at: random.below(ready.count))
    if node < steps.count { model.run(node, steps[node]) }
    for edge in graph.edges(from: node) {
      left[Int(edge.to)] -= 1
      if left[Int(edge.to)] == 0 { ready.append(Int(edge.to)) }
    }
  }
  return model
}

private func serial(_ steps: [StepAccess]) -> Model {
  var model = Model()
  for (index, step) in steps.enumerated() { model.run(index, step) }
  return model
}

@Suite struct GraphOracleTests {
  private func steps(_ seed: UInt64) -> (steps: [StepAccess], random: Random) {
    var random = Random(seed: seed)
    let count = 1 + random.below(30)
    return ((0..<count).map { RandomSteps.step($0, of: count, &random) }, random)
  }

  @Test("two steps are in order exactly if a chain of pairs that share something leads from one to the other")
  func oracle() throws {
    for seed in 0..<700 as Range<UInt64> {
      let steps = steps(seed).steps
      let graph = try StepGraph(steps, names: [])
      let expected = closure(steps.count) { step in
        (0..<step).filter { RandomSteps.conflict(steps[$0], steps[step]) } + steps[step].after
      }
      let found = closure(steps.count) { graph.needs(of: $0).needs.map(\.step) }
      for step in steps.indices {
        #expect(found[step] == expected[step], "seed \(seed), step \(step)")
        // Each edge is a pair that shares something.
        for need in graph.needs(of: step).needs {
          #expect(
            RandomSteps.conflict(steps[need.step], steps[step]) || steps[step].after.contains(need.step),
            "seed \(seed), step \(step)")
        }
      }
    }
  }

  @Test("a wide workflow with joints keeps exactly the order of the pairs")
  func wide() throws {
    for seed in 0..<40 as Range<UInt64> {
      var random = Random(seed: seed)
      var steps: [StepAccess] = []
      for index in 0..<150 {
        var access = StepAccess()
        let key = try VolumeKey(checking: "d/\(random.below(60))")
        let folder = try VolumeKey(checking: random.isLucky(5) ? "d/" : "d/\(random.below(3))/")
        if random.isLucky(15) { access.reads.append(.file(folder)) }
        if random.isLucky(3) { access.writes.append(.file(folder)) }
        if random.isLucky(50) { access.reads.append(.file(key)) } else { access.writes.append(.file(key)) }
        if random.isLucky(10) { access.reads.append(.allNames) }
        if random.isLucky(30) { access.writes.append(.name(Name("n\(index % 20)"))) }
        steps.append(access)
      }
      let graph = try StepGraph(steps, names: [])
      #expect(graph.nodeCount > graph.stepCount)
      let expected = closure(steps.count) { step in
        (0..<step).filter { RandomSteps.conflict(steps[$0], steps[step]) }
      }
      let found = closure(steps.count) { graph.needs(of: $0).needs.map(\.step) }
      #expect(found == expected, "seed \(seed)")
    }
  }

  @Test("any order that the graph allows gives what the order of the document gives")
  func simulation() throws {
    for seed in 0..<400 as Range<UInt64> {
      var (steps, random) = steps(seed)
      let graph = try StepGraph(steps, names: [])
      let expected = serial(steps).content
      for _ in 0..<3 { #expect(simulate(graph, steps, &random).content == expected, "seed \(seed)") }
    }
  }

  @Test(
    "a graph without one of its rules is noticed",
    arguments: [
      ("read after write", StepGraph.Rules.readAfterWrite), ("write after read", .writeAfterRead),
      ("write after write", .writeAfterWrite), ("folders", .folders), ("names", .names), ("all names", .allNames),
      ("barriers", .barriers),
    ] as [(String, StepGraph.Rules)])
  func mutation(_ name: String, _ rule: StepGraph.Rules) throws {
    let noticed = try (0..<200 as Range<UInt64>).first { seed in
      var (steps, random) = steps(seed)
      let graph = try StepGraph(steps, names: [], StepGraph.Rules.all.subtracting(rule))
      let expected = serial(steps).content
      return (0..<3).contains { _ in simulate(graph, steps, &random).content != expected }
    }
    #expect(noticed != nil, "no seed notices that \(name) is missing")
  }

  @Test("a step comes after the steps that it names")
  func after() throws {
    let noticed = (0..<200 as Range<UInt64>).contains { seed in
      let steps = steps(seed).steps
      guard let graph = try? StepGraph(steps, names: [], StepGraph.Rules.all.subtracting(.after)) else { return false }
      let found = closure(steps.count) { graph.needs(of: $0).needs.map(\.step) }
      return steps.indices.contains { !found[$0].isSuperset(of: steps[$0].after) }
    }
    #expect(noticed)
  }
}
