internal import Glibc

/// C text that lives as long as its owner, and is lent to callers.
package final class CText: @unchecked Sendable {
  // The conformance is unchecked because the memory never changes.
  package let start: UnsafePointer<CChar>
  private let isOwned: Bool

  /// Copies a text byte for byte.
  package init(copying text: UnsafePointer<CChar>) throws(FlowError) {
    guard let copy = strdup(text) else { throw .noMemory }
    start = UnsafePointer(copy)
    isOwned = true
  }

  package init(_ text: String) throws(FlowError) {
    guard let copy = strdup(text) else { throw .noMemory }
    start = UnsafePointer(copy)
    isOwned = true
  }

  /// Makes the text of a message. If there is no memory for it, the message says that.
  package init(message: String) {
    let copy = strdup(MessageFormat.message(message))
    isOwned = copy != nil
    start =
      copy.map { UnsafePointer($0) }
      ?? UnsafeRawPointer(CText.withoutMemory.utf8Start).assumingMemoryBound(to: CChar.self)
  }

  /// It is in the program, with a NUL behind it, and is never freed.
  private static let withoutMemory: StaticString = "there is not enough memory for the message"

  package var string: String { String(cString: start) }

  deinit { if isOwned { free(UnsafeMutablePointer(mutating: start)) } }
}

/// Text in memory of malloc(3), to be memory to a C caller.
package struct CString: ~Copyable {
  private var start: UnsafeMutablePointer<CChar>?

  init(taking start: UnsafeMutablePointer<CChar>) { self.start = start }

  /// Gives the memory away. The caller frees it.
  package consuming func take() -> UnsafeMutablePointer<CChar>? {
    let memory = start
    start = nil
    return memory
  }

  package var string: String { start.map { String(cString: $0) } ?? "" }

  /// The bytes, which live as long as the text.
  package var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: start, count: start.map { strlen($0) } ?? 0)
  }

  deinit { free(start) }
}
