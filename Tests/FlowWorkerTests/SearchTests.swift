import Testing

@testable import FWBase
@testable import FWModel
@testable import FlowWorker

/// A step of a run with several volumes, for tests.
struct Looks {
  var access = StepAccess()
  let volume: Int32

  init(_ volume: Int32, _ keys: String..., makes: [String] = [], tag: Int32 = 0, isKnown: Bool = true) throws {
    self.volume = volume
    let reads = try keys.map { StepAccess.Cell.file(try VolumeKey(checking: $0), tag: tag) }
    let writes = try makes.map { StepAccess.Cell.file(try VolumeKey(checking: $0), tag: tag) }
    (access.reads, access.writes) = (reads, writes)
    access.looksFor = reads.map { StepAccess.Key($0, isKnown: isKnown) }
    access.makes = writes.map { StepAccess.Key($0, isKnown: isKnown) }
  }

  func after(_ steps: Int...) -> Looks {
    var looks = self
    looks.access.after = steps
    return looks
  }

  var isBarrier: Looks {
    var looks = self
    looks.access.barrier = "it says nothing"
    return looks
  }

  static func graph(_ steps: [Looks], listed: [String] = [], found: [String] = []) throws -> StepGraph {
    var starts = try listed.map { SearchBasis.Start(key: try VolumeKey(checking: $0), isLookedFor: false) }
    starts += try found.map { SearchBasis.Start(key: try VolumeKey(checking: $0), isLookedFor: true) }
    return try StepGraph(
      steps.map(\.access), names: steps.indices.map { "s\($0)" },
      searches: SearchBasis(volumes: steps.map(\.volume), starts: starts))
  }

  /// The steps for which each step waits because they look first.
  static func order(_ steps: [Looks], listed: [String] = [], found: [String] = []) throws -> [[Int]] {
    let graph = try graph(steps, listed: listed, found: found)
    return (0..<graph.stepCount).map { step in
      graph.needs(of: step).needs.filter { $0.kind == .search }.map(\.step)
    }
  }
}

@Suite struct SearchTests {
  @Test("steps of different volumes look for a file one after the other, and those of one volume need not")
  func volumes() throws {
    #expect(
      try Looks.order([Looks(0, "x"), Looks(1, "x"), Looks(0, "x"), Looks(2, "x"), Looks(1, "x"), Looks(1, "y")])
        == [[], [0], [], [0], [0], []])
    let graph = try Looks.graph([Looks(0, "x"), Looks(1, "x")])
    #expect(graph.edges(from: 0).map(\.isNeeded) == [false])
    #expect(graph.needs(of: 1).needs.map(\.what) == ["x"])
    #expect(graph.reason(from: 0, to: 1) == #"looks for "x" after step "s0""#)
    #expect(graph.isLooking(0) && !graph.isLooking(1))
  }

  @Test("nobody looks for a file that a volume lists, that the run has found, or that a step makes")
  func settled() throws {
    let readers = [try Looks(0, "x"), try Looks(1, "x")]
    #expect(try Looks.order(readers, listed: ["x"]) == [[], []])
    #expect(try Looks.order(readers, found: ["x"]) == [[], []])
    #expect(try Looks.order([Looks(2, makes: ["x"])] + readers) == [[], [], []])
    #expect(try Looks.order([Looks(0, "d/x"), Looks(1, "d/x")], listed: ["d/"]) == [[], []])
    // A step that writes later is no reason not to look.
    #expect(try Looks.order(readers + [Looks(2, makes: ["x"])]) == [[], [0], []])
    // What was found first is gone with the folder that is made anew.
    #expect(
      try Looks.order([Looks(0, "d/x"), Looks(1, makes: ["d/"]), Looks(1, "d/x"), Looks(0, "d/")]) == [[], [], [], []])
  }

  @Test("a folder and what is in it are looked for one after the other, even in one volume")
  func folders() throws {
    #expect(try Looks.order([Looks(0, "d/"), Looks(0, "d/x"), Looks(1, "d/y")]) == [[], [0], [0]])
    #expect(try Looks.order([Looks(0, "d/x"), Looks(0, "d/"), Looks(0, "d/x")]) == [[], [0], [1]])
    #expect(try Looks.order([Looks(0, "d/x"), Looks(1, "d/y"), Looks(0, "e/x")]) == [[], [], []])
    #expect(try Looks.order([Looks(0, "d"), Looks(1, "d/")]) == [[], [0]])
  }

  @Test(
    "nobody looks for a folder of which a part is known, and who looks for another part waits for those that had it")
  func parts() throws {
    let made = try Looks(0, makes: ["d/x"])
    #expect(
      try Looks.order([made, Looks(0, "d/"), Looks(1, "d/"), Looks(2, "d/z"), Looks(1, "d/"), Looks(0, "d/x")])
        == [[], [], [], [1, 2], [3], []])
    #expect(
      try Looks.order([Looks(0, "d/"), Looks(1, "d/"), Looks(1, "d/y")], listed: ["d/x"], found: ["d/"])
        == [[], [], [0, 1]])
    // A step that needs a folder together with a part of it finds both, which no other step does.
    #expect(try Looks.order([Looks(0, "d/", "d/x"), Looks(0, "d/"), Looks(0, "d/x")]) == [[], [0], [0]])
  }

  @Test("a key of which only the folder is known is looked for like all in that folder")
  func templates() throws {
    let first = try Looks(0, "d/", tag: 1, isKnown: false)
    #expect(try Looks.order([first, Looks(1, "d/x"), Looks(0, "e/x")]) == [[], [0], []])
    #expect(try Looks.order([first, first, Looks(1, "d/", tag: 1, isKnown: false)]) == [[], [], [0, 1]])
    #expect(try Looks.order([first, Looks(0, "d/", tag: 2, isKnown: false)]) == [[], [0]])
    // What the instances of one step make, those of another one with the same keys need not look for.
    #expect(
      try Looks.order([Looks(2, makes: ["d/"], tag: 1, isKnown: false), first, Looks(1, "d/", tag: 1, isKnown: false)])
        == [[], [], []])
    let graph = try Looks.graph([Looks(0, "in/", makes: ["in/"], tag: 1, isKnown: false), Looks(1, "in/", tag: 1)])
    #expect(graph.needs(of: 1).needs.map(\.isEach) == [true])
  }

  @Test("an instance that waits for the searches of a step waits for all of its instances")
  func instances() throws {
    var writer = try Looks(0, "in", makes: ["d/1", "d/2"])
    writer.access.writes = writer.access.makes.map { .file($0.key, tag: 1) }
    var reader = try Looks(1, "d/1", "d/2", "in")
    reader.access.reads = reader.access.looksFor.enumerated().map { .file($1.key, tag: $0 < 2 ? 1 : 0) }
    let graph = try Looks.graph([writer, reader])
    #expect(graph.needs(of: 1).needs.map(\.isEach) == [false])
    #expect(graph.needs(of: 1).needs.map(\.kind) == [.readAfterWrite])
  }

  @Test("a barrier is order enough")
  func barriers() throws {
    #expect(
      try Looks.order([Looks(0, "x"), Looks(1, "y").isBarrier, Looks(1, "x"), Looks(0, "y")]) == [[], [], [], []])
  }

  @Test("the order is that of a serial run, so no step waits for one that comes after it")
  func after() throws {
    #expect(try Looks.order([Looks(0, "x").after(1), Looks(1, "x"), Looks(2, "x")]) == [[], [], [1]])
    let graph = try Looks.graph([Looks(0, "x").after(2), Looks(1, "x"), Looks(2, "y")])
    #expect(graph.serialOrder == [1, 2, 0])
    #expect(graph.needs(of: 0).needs.map(\.kind) == [.search, .after])
  }

  @Test("many steps that look for one file have few edges")
  func sizes() throws {
    let count = 3000
    func graph(_ step: (Int) throws -> Looks) throws -> StepGraph { try Looks.graph((0..<count).map(step)) }
    func volume(_ number: Int) -> Int32 { Int32(number % 3) }
    let one = try graph { number in try Looks(number % 2 == 0 ? 0 : 1, "x") }
    #expect(one.edgeCount == count / 2)
    let folders = try graph { number in try Looks(volume(number), number % 2 == 0 ? "d/" : "d/\(number)") }
    #expect(folders.edgeCount < 2 * count)
    let parts = try graph { number in try Looks(volume(number), number < count / 2 ? "d/\(number)" : "d/") }
    #expect(parts.edgeCount < 2 * count)
    #expect(parts.needs(of: count / 2).needs.count == count / 2)
    let made = try graph { number in
      if number % 2 == 0 { return try Looks(volume(number), "d/") }
      return try Looks(volume(number), "x", makes: ["d/\(number)"])
    }
    #expect(made.edgeCount < 14 * count)
  }
}

extension StepAccess.Key {
  fileprivate var key: VolumeKey {
    if case .file(let key, _) = cell { return key }
    return VolumeKey(inBase: [])
  }
}
