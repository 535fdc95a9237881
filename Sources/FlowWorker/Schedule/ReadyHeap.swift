/// The steps of one class that have something to start, with the one that starts first on top.
struct ReadyHeap {
  private var items: [(step: Int, priority: Int)] = []
  /// The graph that gives the priorities; `nil`: the step that is first in the document is on top.
  private let graph: StepGraph?

  init(_ graph: StepGraph?) { self.graph = graph }

  var top: Int? { items.first?.step }

  mutating func push(_ step: Int) {
    items.append((step, graph?.priority(of: step) ?? 0))
    var at = items.count - 1
    while at > 0 {
      let parent = (at - 1) / 2
      guard ReadyHeap.precedes(items[at], items[parent]) else { return }
      items.swapAt(at, parent)
      at = parent
    }
  }

  mutating func pop() {
    guard let last = items.popLast(), !items.isEmpty else { return }
    items[0] = last
    var at = 0
    while true {
      var first = at
      for child in [2 * at + 1, 2 * at + 2]
      where child < items.count && ReadyHeap.precedes(items[child], items[first]) {
        first = child
      }
      if first == at { return }
      items.swapAt(at, first)
      at = first
    }
  }

  private static func precedes(_ a: (step: Int, priority: Int), _ b: (step: Int, priority: Int)) -> Bool {
    a.priority == b.priority ? a.step < b.step : a.priority > b.priority
  }
}
