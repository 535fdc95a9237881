import Testing

@testable import FWBase
@testable import FWModel
@testable import FlowWorker

/// The accesses of a step, for tests.
struct Uses {
  var access = StepAccess()

  static func reads(_ keys: String...) throws -> Uses { try Uses().reads(keys) }
  static func writes(_ keys: String...) throws -> Uses { try Uses().writes(keys) }

  func reads(_ keys: [String], tag: Int32 = 0) throws -> Uses {
    var uses = self
    uses.access.reads += try keys.map { .file(try VolumeKey(checking: $0), tag: tag) }
    return uses
  }

  func writes(_ keys: [String], tag: Int32 = 0) throws -> Uses {
    var uses = self
    uses.access.writes += try keys.map { .file(try VolumeKey(checking: $0), tag: tag) }
    return uses
  }

  func reads(_ keys: String...) throws -> Uses { try reads(keys) }
  func writes(_ keys: String...) throws -> Uses { try writes(keys) }

  func takes(_ names: String...) -> Uses {
    var uses = self
    uses.access.reads += names.map { .name(Name($0)) }
    return uses
  }

  var takesAll: Uses {
    var uses = self
    uses.access.reads.append(.allNames)
    return uses
  }

  func gives(_ name: String) -> Uses {
    var uses = self
    uses.access.writes.append(.name(Name(name)))
    return uses
  }

  func after(_ steps: Int...) -> Uses {
    var uses = self
    uses.access.after = steps
    return uses
  }

  static var barrier: Uses {
    var uses = Uses()
    uses.access.barrier = "it declares no files"
    return uses
  }

  static func graph(_ steps: [Uses]) throws -> StepGraph {
    try StepGraph(steps.map(\.access), names: steps.indices.map { "s\($0)" })
  }
}

/// The direct needs of each step, without joints.
private func needs(_ graph: StepGraph) -> [[Int]] {
  (0..<graph.stepCount).map { graph.needs(of: $0).needs.map(\.step) }
}

@Suite struct GraphTests {
  @Test("a step that reads a key waits for the last writer of it")
  func readAfterWrite() throws {
    let graph = try Uses.graph([.writes("x"), .writes("x"), .reads("x")])
    #expect(needs(graph) == [[], [0], [1]])
    #expect(graph.needs(of: 2).needs[0].kind == .readAfterWrite)
    #expect(graph.needs(of: 1).needs[0].kind == .writeAfterWrite)
    #expect(graph.reason(from: 1, to: 2) == #"needs "x" of step "s1""#)
    #expect(graph.reason(from: 0, to: 2) == #"waits for step "s0""#)
  }

  @Test("a folder overlaps what is in it, and not a longer name", arguments: ["d", "d/"])
  func folders(_ folder: String) throws {
    let written = try Uses.graph([.writes(folder), .writes("d/x"), .reads(folder), .reads("dx"), .reads("d/y")])
    #expect(needs(written) == [[], [0], [0, 1], [], [0]])
    #expect(written.needs(of: 2).needs[1].what == "d/x")
    let read = try Uses.graph([.reads("d/x"), .writes(folder), .reads("d/x/y")])
    #expect(needs(read) == [[], [0], [1]])
    #expect(read.needs(of: 1).needs[0].kind == .writeAfterRead)
    #expect(
      needs(try Uses.graph([.writes("a/"), .writes("a/b/"), .reads("ab"), .writes("a")])) == [[], [0], [], [0, 1]])
    #expect(needs(try Uses.graph([.writes("a"), .reads("a/")])) == [[], [0]])
  }

  @Test("steps that change a key in place are a chain")
  func inPlace() throws {
    let graph = try Uses.graph([
      .writes("x"), .reads("x").writes("x"), .reads("x").writes("x"), .reads("x"), .writes("x"),
    ])
    #expect(needs(graph) == [[], [0], [1], [2], [2, 3]])
    #expect(graph.edges(from: 2).map(\.isNeeded) == [true, false])
  }

  @Test("a name that no step has set is read, and the step that sets it later waits")
  func unsetName() throws {
    let graph = try Uses.graph([Uses().takes("later"), Uses().gives("later"), Uses().takes("later"), Uses().takes("x")])
    #expect(needs(graph) == [[], [0], [1], []])
    #expect(graph.needs(of: 1).needs[0].kind == .writeAfterRead)
    #expect(graph.reason(from: 1, to: 2) == #"needs the value "later" of step "s1""#)
  }

  @Test("a step that reads all names waits for every earlier writer of one, and later writers wait for it")
  func allNames() throws {
    let graph = try Uses.graph([
      Uses().gives("a"), Uses().gives("b"), Uses().gives("a"), Uses().takesAll, Uses().gives("c"), Uses().takes("b"),
      try .writes("a"),
    ])
    #expect(needs(graph) == [[], [], [0], [0, 1, 2], [3], [1], []])
  }

  @Test("a key and a name of the same text are two things")
  func keysAndNames() throws {
    #expect(
      needs(try Uses.graph([.writes("x"), Uses().takes("x"), Uses().gives("x"), .reads("x")])) == [[], [], [1], [0]])
  }

  @Test("a barrier waits for all steps before it, and all steps behind wait for it")
  func barriers() throws {
    let graph = try Uses.graph([.writes("x"), .reads("y"), .barrier, .reads("x"), Uses().after(), .barrier])
    #expect(needs(graph) == [[], [], [0, 1], [2], [2], [2, 3, 4]])
    #expect(graph.edges(from: 2).allSatisfy { $0.isNeeded && !$0.isEach })
  }

  @Test("a source file that is read first and written later is written after that")
  func sourceFile() throws {
    let graph = try Uses.graph([.reads("in").writes("out"), .writes("in"), .reads("in")])
    #expect(needs(graph) == [[], [0], [1]])
    #expect(graph.edges(from: 0).map(\.isNeeded) == [false])
  }

  @Test("many readers and many writers of one folder are joined, so there are no edges for each pair")
  func joints() throws {
    let count = 300
    var steps: [Uses] = []
    for number in 0..<count { steps.append(try .writes("d/\(number)")) }
    for number in 0..<count { steps.append(try .reads("d/").writes("e/\(number)")) }
    for number in 0..<count { steps.append(try .reads("e/").writes("d/\(number)")) }
    let graph = try Uses.graph(steps)
    #expect(graph.edgeCount < 8 * count)
    for step in count..<(2 * count) {
      #expect(graph.needs(of: step).needs.map(\.step) == Array(0..<count))
      let some = graph.needs(of: step, atMost: 100)
      #expect(some.needs.count == 100 && some.more == 200)
    }
    #expect(graph.reason(from: 7, to: count + 3) == #"needs "d/7" of step "s7""#)

    #expect(graph.reason(from: count + 5, to: 2 * count + 3) == #"needs "e/5" of step "s305""#)
    #expect(graph.priority(of: 0) == 2 && graph.priority(of: count) == 1 && graph.priority(of: 2 * count) == 0)
  }

  @Test("a cycle is an error that names all its steps and says why each waits")
  func cycles() throws {
    let steps: [Uses] = [
      try .writes("d/x").after(2), try .reads("d/"), try Uses.reads("z").after(1), try .reads("d/x"),
    ]
    let error = failure {
      _ = try StepGraph(steps.map(\.access), names: ["a", "b", "c", "d"], pointers: ["/0", "/1", "/2", "/3"])
    }
    #expect(error?.code == .document)
    #expect(error?.path == "/0/after")
    #expect(
      error?.message
        == #"3 steps wait for each other, so none of them can be the first: "a" comes after "c" (its "after"); "#
        + #""c" comes after "b" (its "after"); "b" needs "d/x" of "a"; remove a name from an "after""#)
    #expect(failure { _ = try Uses.graph([Uses.writes("x").after(0)]) }?.code == .document)
  }

  @Test("a cycle through a joint names the steps, and a long one is shortened")
  func longCycles() throws {
    var steps = [try Uses.writes("d/0").after(40)]
    for number in 1..<20 { steps.append(try .writes("d/\(number)")) }
    for number in 20...40 { steps.append(try .reads("d/").writes("e").after(number - 1)) }
    let error = failure { _ = try Uses.graph(steps) }
    #expect(error?.message.begins(with: #"2 steps wait for each other"#) == true)
    #expect(
      error?.message.contains(#""s0" comes after "s40" (its "after"); "s40" needs "d/0" of "s0"; remove"#) == true)
    let chain = (0..<1000).map { $0 == 0 ? Uses().after(999) : Uses().after($0 - 1) }
    let long = failure { _ = try Uses.graph(chain) }
    #expect(long?.message.begins(with: "1000 steps wait for each other") == true)
    #expect(long?.message.contains("; and so on for 984 steps; ") == true)
    #expect(long?.message.ends(with: #"; remove a name from an "after""#) == true)
  }

  @Test("only 'after' can point backwards, so a graph without it has no cycle")
  func backwards() throws {
    var random = Random(seed: 7)
    for _ in 0..<200 {
      let steps = (0..<20).map { RandomSteps.step($0, of: 20, &random, withAfter: false) }
      let graph = try StepGraph(steps, names: [])
      for step in 0..<20 { #expect(graph.needs(of: step).needs.allSatisfy { $0.step < step }) }
    }
  }

  @Test("instances wait for the instance of their number only if all their keys are of one template")
  func instances() throws {
    let tagged = try Uses.graph([
      Uses().writes(["d/1", "d/2"], tag: 1), Uses().reads(["d/1", "d/2"], tag: 1),
      Uses().reads(["d/1", "d/2"], tag: 2),
      Uses().reads(["d/1", "d/2"], tag: 1).reads("d/"), .reads("d/1"), Uses().writes(["d/1", "d/2"], tag: 1),
    ])
    #expect(tagged.needs(of: 1).needs.map(\.isEach) == [true])
    #expect(tagged.needs(of: 2).needs.map(\.isEach) == [false])
    #expect(tagged.needs(of: 3).needs.map(\.isEach) == [false])
    #expect(tagged.needs(of: 4).needs.map(\.isEach) == [false])
    #expect(tagged.needs(of: 5).needs.map(\.isEach) == [true, true, false, false, false])
    // Of too many keys only the folder is known.
    let folders = try Uses.graph([
      Uses().writes(["d/"], tag: 1).writes(["d/"], tag: 2), Uses().reads(["d/"], tag: 1), .reads("d/x"),
    ])
    #expect(folders.needs(of: 1).needs.map(\.isEach) == [false])
    #expect(folders.needs(of: 2).needs.map(\.isEach) == [false])
    let one = try Uses.graph([Uses().writes(["d/"], tag: 1), Uses().reads(["d/"], tag: 1).takes("n")])
    #expect(one.needs(of: 1).needs.map(\.isEach) == [true])
  }

  @Test("keys are compared as bytes")
  func bytes() throws {
    #expect(needs(try Uses.graph([.writes("e\u{301}"), .reads("\u{e9}"), .reads("e\u{301}")])) == [[], [], [0]])
    #expect(needs(try Uses.graph([.writes("./d//x"), .reads("d/x"), .reads("D/x")])) == [[], [0], []])
  }
}
