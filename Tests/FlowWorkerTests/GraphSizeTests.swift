import Testing

@testable import FWBase
@testable import FWModel
@testable import FlowWorker

extension StepGraph {
  /// The number of edges.
  var edgeCount: Int { (0..<nodeCount).reduce(0) { $0 + causes(of: $1).count } }
}

@Suite struct GraphSizeTests {
  @Test("a chain, a gather, layers and many names have as many edges as their steps have keys", arguments: [1, 3])
  func edges(_ factor: Int) throws {
    let count = 1000 * factor
    func file(_ text: String) throws -> StepAccess.Cell { .file(try VolumeKey(checking: text)) }
    func graph(_ steps: [StepAccess]) throws -> StepGraph { try StepGraph(steps, names: []) }
    func access(_ reads: [StepAccess.Cell], _ writes: [StepAccess.Cell]) -> StepAccess {
      var access = StepAccess()
      (access.reads, access.writes) = (reads, writes)
      return access
    }
    let inPlace = try graph((0..<count).map { _ in try access([file("x")], [file("x")]) })
    #expect(inPlace.edgeCount == count - 1)
    #expect(inPlace.priority(of: 0) == count - 1)
    let independent = try graph((0..<count).map { try access([file("in")], [file("out/\($0)")]) })
    #expect(independent.edgeCount == 0 && independent.nodeCount == count)
    let gather = try graph((0..<count).map { try access([], [file("out/\($0)")]) } + [access([file("out/")], [])])
    #expect(gather.edgeCount == count + 1)
    let names = try graph((0..<count).map { _ in access([.name("n")], [.name("n")]) })
    #expect(names.edgeCount == count - 1)
    let all = try graph((0..<count).map { access([.allNames], [.name(Name("n\($0)"))]) })
    #expect(all.edgeCount < 10 * count)
    let alternating = try graph(
      (0..<count).map { try $0 % 2 == 0 ? access([file("d/")], []) : access([], [file("d/\($0)")]) })
    #expect(alternating.edgeCount < 12 * count)
    let barriers = try graph(
      (0..<count).map { number in
        var step = try access([], [file("out/\(number)")])
        if number % 10 == 9 { step.barrier = "it declares no files" }
        return step
      })
    #expect(barriers.edgeCount < 2 * count)
    let width = 10 * factor
    var layers: [StepAccess] = []
    for layer in 0..<20 {
      for number in 0..<width {
        layers.append(try access(layer == 0 ? [] : [file("l\(layer - 1)/")], [file("l\(layer)/\(number)")]))
      }
    }
    let layered = try graph(layers)
    #expect(layered.edgeCount < 3 * layers.count)
    #expect(layered.priority(of: 0) == 19)
  }

  @Test("a deep key and a path of many steps need no deep stack")
  func depth() throws {
    let deep = String(repeating: "a/", count: 500)
    var steps = [StepAccess](repeating: StepAccess(), count: 20_000)
    for index in 1..<steps.count { steps[index].after = [index - 1] }
    steps[0].writes = [.file(try VolumeKey(checking: deep))]
    steps[19_999].reads = [.file(try VolumeKey(checking: deep + "b"))]
    let graph = try StepGraph(steps, names: [])
    #expect(graph.priority(of: 0) == 19_999)
    #expect(graph.needs(of: 19_999).needs.map(\.step) == [0, 19_998])
    steps[0].after = [19_999]
    #expect(failure { _ = try StepGraph(steps, names: []) }?.code == .document)
  }
}
