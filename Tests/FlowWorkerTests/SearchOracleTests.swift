import Testing

@testable import FWBase
@testable import FWModel
@testable import FWVolumes
@testable import FlowWorker

/// Volumes with files that steps read and write as `Transfers` says.
private struct VolumeModel {
  static let volumes = ["a", "b", "c"].map { Location($0) }

  /// The version of each file of each volume.
  private(set) var files: [[VolumeKey: Int]] = [[:], [:], [:]]
  private var index = FileIndex()
  /// What each step has seen.
  private(set) var seen: [Int: Int] = [:]
  private(set) var hasFailed = false

  init(_ files: [[VolumeKey: Int]], listed: [(VolumeKey, Int)]) {
    self.files = files
    for (key, volume) in listed { index.add(key, in: VolumeModel.volumes[volume]) }
  }

  mutating func run(_ number: Int, _ step: Looks) {
    let volume = Int(step.volume)
    let own = VolumeModel.volumes[volume]
    let reads = VolumeModel.keys(step.access.looksFor)
    for (key, matches) in reads.map({ ($0, index.matches($0)) }) {
      if matches.isEmpty {
        search(key, [volume] + (0..<3).filter { $0 != volume }, volume)
      } else if matches.allSatisfy({ $0.locations.contains(own) }) {
        check(key, volume)
      }
      for match in matches where !match.locations.contains(own) { copy(match, volume) }
    }
    var hash = number
    for key in reads {
      for file in inside(key, volume) { hash = (hash &* 31 &+ (files[volume][file] ?? 0)) & 0xFFFF_FFFF_FFFF }
    }
    seen[number] = hash
    for key in VolumeModel.keys(step.access.makes) {
      let made = key.namesFolder ? ["x", "new"].map { key.appending(Array($0.utf8)) } : [key]
      for file in made { files[volume][file] = hash }
      index.record(key, in: [own])
    }
  }

  private static func keys(_ keys: [StepAccess.Key]) -> [VolumeKey] {
    keys.compactMap { if case .file(let key, _) = $0.cell { return key } else { return nil } }
  }

  /// The files of a volume that a key names.
  private func inside(_ key: VolumeKey, _ volume: Int) -> [VolumeKey] {
    files[volume].keys.filter { $0 == key.path || $0.isInside(key) }.sorted(by: VolumeKey.precedes)
  }

  /// A volume may have files in a folder that are not in the version of the folder which counts. The library does not
  /// promise anything for these, so no workflow uses them.
  private mutating func check(_ key: VolumeKey, _ volume: Int) {
    let files = inside(key, volume)
    if files.isEmpty { hasFailed = true }
    guard let entry = index.entry(for: key), entry != key.path,
      let first = index.matches(key).first?.locations.first.flatMap({ VolumeModel.volumes.firstIndex(of: $0) })
    else { return }
    if inside(key, first) != files { hasFailed = true }
  }

  private mutating func search(_ key: VolumeKey, _ order: [Int], _ volume: Int) {
    guard let found = order.first(where: { !inside(key, $0).isEmpty }) else {
      hasFailed = true
      return
    }
    let name = files[found][key.path] == nil ? key.folder : key
    index.add(name, in: VolumeModel.volumes[found])
    if found != volume, let match = index.matches(name).first { copy(match, volume) }
  }

  private mutating func copy(_ match: FileIndex.Match, _ volume: Int) {
    guard let from = match.locations.first.flatMap({ VolumeModel.volumes.firstIndex(of: $0) }) else { return }
    let found = inside(match.key, from)
    if found.isEmpty { hasFailed = true }
    index.separate(match)
    for file in found where index.entry(for: file) == match.key.path { files[volume][file] = files[from][file] }
    index.add(match.key, in: VolumeModel.volumes[volume])
  }

  var content: [String] {
    files.enumerated().flatMap { volume, files in
      files.keys.sorted(by: VolumeKey.precedes).map { "\(volume) \($0.text) \(files[$0] ?? 0)" }
    } + seen.keys.sorted().map { "\($0): \(seen[$0] ?? 0)" }
  }
}

/// Random volumes, and steps of which none fails in a serial run.
private struct RandomSearches {
  static let files = ["k", "d/x", "d/y", "d/e/x", "g/x"]
  static let keys = ["k", "k", "d/x", "d/y", "d", "d/", "d/e/", "d/e/x", "g/", "g/x"]

  private(set) var start: VolumeModel
  private(set) var steps: [Looks] = []
  private(set) var graph: StepGraph
  private(set) var serial: VolumeModel
  var random: Random

  init(seed: UInt64, _ rules: StepGraph.Rules = .all) throws {
    random = Random(seed: seed)
    var files: [[VolumeKey: Int]] = [[:], [:], [:]]
    var listed: [(VolumeKey, Int)] = []
    for text in RandomSearches.files {
      let key = try VolumeKey(checking: text)
      for volume in 0..<3 where random.isLucky(60) { files[volume][key] = 1 + random.below(1_000_000) }
      if random.isLucky(15), let volume = (0..<3).first(where: { files[$0][key] != nil }) {
        listed.append((key, volume))
      }
    }
    start = VolumeModel(files, listed: listed)
    serial = start
    for _ in 0..<(1 + random.below(20)) {
      var keys: [[String]] = [[], []]
      for _ in 0..<(1 + random.below(2)) {
        keys[0].append(RandomSearches.keys[random.below(RandomSearches.keys.count)])
      }
      if random.isLucky(20) { keys[1] = [["k", "d/x", "d/e/", "g/"][random.below(4)]] }
      var step = try Looks(Int32(random.below(3)), makes: keys[1])
      step.access.reads = try keys[0].map { .file(try VolumeKey(checking: $0)) }
      step.access.looksFor = step.access.reads.map { StepAccess.Key($0) }
      if random.isLucky(4) { step = step.isBarrier }
      var next = serial
      next.run(steps.count, step)
      if next.hasFailed { continue }
      (serial, steps) = (next, steps + [step])
    }
    let starts = listed.map { SearchBasis.Start(key: $0.0, isLookedFor: false) }
    graph = try StepGraph(
      steps.map(\.access), names: [], searches: SearchBasis(volumes: steps.map(\.volume), starts: starts), rules)
  }

  /// Runs the steps in a random order that the graph allows.
  mutating func inSomeOrder() -> VolumeModel {
    var model = start
    var left = (0..<graph.nodeCount).map { graph.causes(of: $0).count }
    var ready = left.indices.filter { left[$0] == 0 }
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
}

@Suite struct SearchOracleTests {
  @Test("in several volumes, any order that the graph allows gives what the order of the document gives")
  func simulation() throws {
    for seed in 0..<500 as Range<UInt64> {
      var run = try RandomSearches(seed: seed)
      let expected = run.serial.content
      for _ in 0..<4 {
        let found = run.inSomeOrder()
        #expect(!found.hasFailed && found.content == expected, "seed \(seed)")
      }
    }
  }

  @Test("each edge of a search is between two steps that use one file or a folder and a file in it")
  func edges() throws {
    for seed in 0..<300 as Range<UInt64> {
      let run = try RandomSearches(seed: seed)
      for step in run.steps.indices {
        for need in run.graph.needs(of: step).needs where need.kind == .search {
          let (one, other) = (run.steps[need.step].access, run.steps[step].access)
          #expect(
            one.reads.contains { one in other.reads.contains { RandomSteps.overlap(one, $0) } }, "seed \(seed), \(step)"
          )
        }
      }
    }
  }

  @Test("a graph that does not order searches is noticed")
  func mutation() throws {
    let noticed = try (0..<200 as Range<UInt64>).first { seed in
      var run = try RandomSearches(seed: seed, StepGraph.Rules.all.subtracting(.searches))
      let expected = run.serial.content
      return (0..<4).contains { _ in run.inSomeOrder().content != expected }
    }
    #expect(noticed != nil)
  }
}
