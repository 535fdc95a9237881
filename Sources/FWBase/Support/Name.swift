internal import Glibc

/// A name from outside: of a step, a worker, a volume, a parameter, a variable, a secret, a function. Two names are the same
/// if they have the same bytes. Swift's `String` takes texts for equal that Unicode calls equivalent, which are two
/// names for files, environments and everybody else: it is no key of a dictionary here, and is not compared.
package struct Name: Hashable, Comparable, Sendable, ExpressibleByStringLiteral {
  package let bytes: ContiguousArray<UInt8>
  /// Computed once, so that looking it up need not.
  let hash: UInt32

  package init(_ text: String) {
    bytes = ContiguousArray(text.utf8)
    hash = bytes.withUnsafeBytes { Name.hash($0) }
  }

  package var text: String { String(decoding: bytes, as: UTF8.self) }

  package init(stringLiteral text: String) { self.init(text) }

  package static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    countWork()
    // Swift's hasher is seeded: no document can make all its names collide.
    var hasher = Hasher()
    hasher.combine(bytes: bytes)
    return UInt32(truncatingIfNeeded: hasher.finalize())
  }

  package static func == (one: Name, other: Name) -> Bool {
    countWork()
    return one.hash == other.hash && one.bytes == other.bytes
  }

  package static func < (one: Name, other: Name) -> Bool { one.bytes.lexicographicallyPrecedes(other.bytes) }

  package func hash(into hasher: inout Hasher) { hasher.combine(hash) }

  #if DEBUG
    /// How often names were hashed and compared: tests look at how that grows with a document.
    @TaskLocal package static var work: Work?

    package final class Work: @unchecked Sendable {
      // Unchecked: the test that has it is one task.
      package var count = 0
    }

    @inline(__always) private static func countWork() { work?.count += 1 }
  #else
    @inline(__always) private static func countWork() {}
  #endif
}
