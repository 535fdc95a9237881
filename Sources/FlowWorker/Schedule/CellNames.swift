internal import FWBase
internal import FWModel

/// The cells of a workflow as two trees: the components of its keys, and beside them the names of values. A node is a
/// number.
struct CellNames: Sendable {
  private struct Node {
    let parent: Int32
    /// The number of the component or name; -1 for the two roots.
    let segment: Int32
    let depth: Int32
    /// Whether a key names a folder here.
    var isFolder = false
  }

  /// The roots of the two trees.
  static let files: Int32 = 0
  static let values: Int32 = 1

  private let segments = NameTable()
  private var children: [UInt64: Int32] = [:]
  private var nodes: ContiguousArray<Node> = [
    Node(parent: -1, segment: -1, depth: 0), Node(parent: -1, segment: -1, depth: 0),
  ]

  var count: Int { nodes.count }

  /// The node of a cell, which is made if there is none.
  mutating func node(of cell: StepAccess.Cell) throws(FlowError) -> Int32 {
    switch cell {
    case .allFiles: return CellNames.files
    case .allNames: return CellNames.values
    case .name(let name):
      guard let node = name.bytes.withUnsafeBytes({ child(of: CellNames.values, $0) }) else { throw .noMemory }
      return node
    case .file(let key, _):
      let found: Int32? = key.bytes.withUnsafeBytes { bytes in
        var node = CellNames.files
        var start = 0
        while start < bytes.count {
          let end = bytes[start...].firstIndex(of: UInt8(ascii: "/")) ?? bytes.count
          guard let next = child(of: node, UnsafeRawBufferPointer(rebasing: bytes[start..<end])) else { return nil }
          node = next
          start = end + 1
        }
        return node
      }
      guard let found else { throw .noMemory }
      if key.namesFolder { nodes[Int(found)].isFolder = true }
      return found
    }
  }

  private mutating func child(of parent: Int32, _ segment: UnsafeRawBufferPointer) -> Int32? {
    guard let number = try? segments.insert(segment).number, nodes.count < Int(Int32.max) else { return nil }
    let key = UInt64(UInt32(bitPattern: parent)) << 32 | UInt64(UInt32(truncatingIfNeeded: number))
    if let child = children[key] { return child }
    let child = Int32(truncatingIfNeeded: nodes.count)
    let depth = nodes[Int(parent)].depth + 1
    nodes.append(Node(parent: parent, segment: Int32(truncatingIfNeeded: number), depth: depth))
    children[key] = child
    return child
  }

  /// Frees what only `node(of:)` needs.
  mutating func freeze() { children = [:] }

  /// The node above; a negative number if there is none.
  func parent(of node: Int32) -> Int32 { nodes[Int(node)].parent }

  func isDeeper(_ node: Int32, than other: Int32) -> Bool { nodes[Int(node)].depth > nodes[Int(other)].depth }

  func isValue(_ node: Int32) -> Bool {
    var at = node
    while parent(of: at) >= 0 { at = parent(of: at) }
    return at == CellNames.values
  }

  /// The key or the name, as documents have it; `nil` for all files, and for all values.
  func text(_ node: Int32) -> String? {
    var parts: [String] = []
    var at = node
    while parent(of: at) >= 0 {
      parts.append(segments.name(Int(nodes[Int(at)].segment)))
      at = parent(of: at)
    }
    if parts.isEmpty { return nil }
    return parts.reversed().joined(separator: "/") + (nodes[Int(node)].isFolder ? "/" : "")
  }
}
