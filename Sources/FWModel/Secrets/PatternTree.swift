internal import FWBase
internal import Glibc

/// Finds any number of texts in bytes, in one pass: the automaton of Aho and Corasick (Efficient string matching,
/// 1975). It has 24 bytes of memory for each byte of the texts.
package final class PatternTree: @unchecked Sendable {
  // The conformance is unchecked because the memory does not change after `init`.

  /// A node stands for a beginning of texts. During the search it is the longest beginning that the bytes so far end
  /// with.
  struct Node {
    /// The first of the beginnings that are one byte longer, and the next one of the same parent; 0 for none.
    var child: Int32 = 0
    let sibling: Int32
    /// The longest shorter beginning that this beginning ends with.
    var fallback: Int32 = 0
    /// The length of the beginning.
    let depth: Int32
    /// The length of the longest whole text that the beginning ends with; 0 for none.
    var match: Int32 = 0
    let byte: UInt8
  }

  static let none = PatternTree()

  package let patterns: [[UInt8]]
  private let nodes: UnsafeMutablePointer<Node>?
  /// For each byte the node of the beginning of this one byte; 0 if no text begins with it.
  private let roots: UnsafeMutablePointer<Int32>?
  private var count = 1

  var isEmpty: Bool { patterns.isEmpty }

  private init() {
    patterns = []
    nodes = nil
    roots = nil
  }

  /// - Parameter patterns: the texts, none of which is empty.
  init(_ patterns: Set<[UInt8]>) throws(FlowError) {
    self.patterns = Array(patterns)
    let size = patterns.reduce(1) { $0 + $1.count }
    guard size < Int32.max else { throw .noMemory }
    let (nodes, roots, queue) = (calloc(size, MemoryLayout<Node>.stride), calloc(256, 4), calloc(size, 4))
    guard let nodes, let roots, let queue else {
      free(nodes)
      free(roots)
      free(queue)
      throw .noMemory
    }
    self.nodes = nodes.bindMemory(to: Node.self, capacity: size)
    self.roots = roots.bindMemory(to: Int32.self, capacity: 256)
    for pattern in self.patterns { insert(pattern) }
    link(queue.bindMemory(to: Int32.self, capacity: size))
    free(queue)
  }

  deinit {
    free(nodes)
    free(roots)
  }

  private func insert(_ pattern: [UInt8]) {
    guard let nodes, let roots else { return }
    var at = 0
    for byte in pattern {
      var next = at == 0 ? roots[Int(byte)] : child(Int32(at), byte)
      if next == 0 {
        next = Int32(count)
        nodes[count] = Node(sibling: at == 0 ? 0 : nodes[at].child, depth: nodes[at].depth + 1, byte: byte)
        if at == 0 { roots[Int(byte)] = next } else { nodes[at].child = next }
        count += 1
      }
      at = Int(next)
    }
    nodes[at].match = nodes[at].depth
  }

  /// Finds the fallbacks of all nodes. Short beginnings come first, because longer ones need their fallbacks.
  private func link(_ queue: UnsafeMutablePointer<Int32>) {
    guard let nodes, let roots else { return }
    var end = 0
    for byte in 0..<256 where roots[byte] != 0 {
      queue[end] = roots[byte]
      end += 1
    }
    var begin = 0
    while begin < end {
      let parent = Int(queue[begin])
      begin += 1
      var at = nodes[parent].child
      while at != 0 {
        let fallback = next(nodes[parent].fallback, nodes[Int(at)].byte)
        nodes[Int(at)].fallback = fallback
        if nodes[Int(at)].match == 0 { nodes[Int(at)].match = nodes[Int(fallback)].match }
        queue[end] = at
        end += 1
        at = nodes[Int(at)].sibling
      }
    }
  }

  @inline(__always)
  private func child(_ node: Int32, _ byte: UInt8) -> Int32 {
    guard let nodes else { return 0 }
    var at = nodes[Int(node)].child
    while at != 0, nodes[Int(at)].byte != byte { at = nodes[Int(at)].sibling }
    return at
  }

  /// The node after one more byte; 0 if the bytes so far end with no beginning.
  @inline(__always)
  func next(_ node: Int32, _ byte: UInt8) -> Int32 {
    guard let nodes, let roots else { return 0 }
    var node = node
    while node != 0 {
      PatternTree.countStep()
      let found = child(node, byte)
      if found != 0 { return found }
      node = nodes[Int(node)].fallback
    }
    PatternTree.countStep()
    return roots[Int(byte)]
  }

  /// The index of the first byte from `start` on that a text begins with; the number of bytes if there is none.
  @inline(__always)
  func firstBeginning(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
    guard let roots else { return bytes.count }
    var at = start
    while at < bytes.count, roots[Int(bytes[at])] == 0 { at += 1 }
    return at
  }

  /// The length of the longest text that ends at a node; 0 if none does.
  @inline(__always)
  func match(_ node: Int32) -> Int { nodes.map { Int($0[Int(node)].match) } ?? 0 }

  @inline(__always)
  func depth(_ node: Int32) -> Int { nodes.map { Int($0[Int(node)].depth) } ?? 0 }

  /// The longest beginning that the bytes so far end with and that may become longer.
  @inline(__always)
  func open(_ node: Int32) -> Int32 {
    guard let nodes else { return 0 }
    var node = node
    while node != 0, nodes[Int(node)].child == 0 { node = nodes[Int(node)].fallback }
    return node
  }

  #if DEBUG
    /// Counts a step of the search, for tests (see `Name.work`).
    @inline(__always) private static func countStep() { Name.work?.count += 1 }
  #else
    @inline(__always) private static func countStep() {}
  #endif
}
