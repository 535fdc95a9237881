internal import Glibc

/// A name from outside: of a step, a worker, a volume, a parameter, a variable, a secret or a function. Two names are
/// the same if they have the same bytes. Swift's `String` compares by Unicode's equivalence, by which two names of
/// files or variables can be equal. So a `String` from outside is no key of a dictionary, and is not compared with
/// `==`.
@usableFromInline package struct Name: Hashable, Comparable, Sendable, ExpressibleByStringLiteral {
  package let bytes: ContiguousArray<UInt8>
  /// The hash, which is computed once so that a lookup need not compute it.
  let hash: UInt32

  package init(_ text: String) {
    bytes = ContiguousArray(text.utf8)
    hash = bytes.withUnsafeBytes { Name.hash($0) }
  }

  package var text: String { String(decoding: bytes, as: UTF8.self) }

  @usableFromInline package init(stringLiteral text: String) { self.init(text) }

  package static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    countWork()
    // Swift's hasher is seeded, so no document can be made whose names all collide.
    var hasher = Hasher()
    hasher.combine(bytes: bytes)
    return UInt32(truncatingIfNeeded: hasher.finalize())
  }

  @usableFromInline package static func == (one: Name, other: Name) -> Bool {
    countWork()
    return one.hash == other.hash && one.bytes == other.bytes
  }

  @usableFromInline package static func < (one: Name, other: Name) -> Bool {
    one.bytes.lexicographicallyPrecedes(other.bytes)
  }

  @usableFromInline package func hash(into hasher: inout Hasher) { hasher.combine(hash) }

  #if DEBUG
    /// Counts how often names are hashed and compared. Tests check how the count grows with a document.
    @TaskLocal package static var work: Work?

    package final class Work: @unchecked Sendable {
      // The conformance is unchecked because the test that has the counter is one task.
      package var count = 0
    }

    @inline(__always) private static func countWork() { work?.count += 1 }
  #else
    @inline(__always) private static func countWork() {}
  #endif
}
