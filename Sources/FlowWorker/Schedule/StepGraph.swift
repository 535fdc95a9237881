internal import FWBase
internal import FWModel

/// Which step waits for which. The first nodes are the steps of the document. The further ones are joints: a joint
/// stands for all steps of a group, so that many steps can wait for many others with few edges.
struct StepGraph {
  struct Edge {
    let to: Int32
    /// Whether an instance waits only for the instance of the same number.
    let isEach: Bool
    /// Whether the later step cannot run if the earlier one has failed.
    let isNeeded: Bool
  }

  let stepCount: Int
  private let starts: [Int32]
  private let all: [Edge]
  private let counts: [Int32]
  private let priorities: [Int32]

  init(_ accesses: [StepAccess], names: [String]) throws(FlowError) {
    stepCount = accesses.count
    let last = Int32(clamping: accesses.count - 1)
    all = (0..<max(0, last)).map { Edge(to: $0 + 1, isEach: false, isNeeded: true) }
    starts = (0...Int32(clamping: accesses.count)).map { min($0, max(0, last)) }
    counts = accesses.indices.map { $0 == 0 ? 0 : 1 }
    priorities = accesses.indices.map { last - Int32(clamping: $0) }
  }

  var nodeCount: Int { starts.count - 1 }

  func edges(from node: Int) -> ArraySlice<Edge> { all[Int(starts[node])..<Int(starts[node + 1])] }

  /// The number of edges that lead to a node.
  func needCount(of node: Int) -> Int { Int(counts[node]) }

  /// The number of steps on the longest path behind a step.
  func priority(of step: Int) -> Int { Int(priorities[step]) }

  /// What one step needs of another, for a message: `"d/x" of step "a"`.
  func reason(from: Int, to: Int) -> String { "step \(from + 1)" }
}
