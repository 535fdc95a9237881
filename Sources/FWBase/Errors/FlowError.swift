/// The reason why a call of the library failed.
///
/// The message is one line: what was wrong, and what would be right. The place in a document is in `path` and
/// `position`. The message does not name the function that was called, because the reader knows it.
@usableFromInline package struct FlowError: Error {
  /// The kind of failure, with the number that the header gives it.
  package enum Code: Int32, Sendable {
    case invalid = -1
    case syntax = -2
    case document = -3
    case unknown = -4
    case stepType = -5
    case template = -6
    case unsupported = -7
    case noMemory = -8
    case forked = -9
    case ended = -10

    package var name: StaticString {
      switch self {
      case .invalid: return "invalid"
      case .syntax: return "syntax"
      case .document: return "document"
      case .unknown: return "unknown"
      case .stepType: return "step_type"
      case .template: return "template"
      case .unsupported: return "unsupported"
      case .noMemory: return "no_memory"
      case .forked: return "forked"
      case .ended: return "ended"
      }
    }
  }

  package let code: Code
  package let message: String
  /// The JSON pointer (RFC 6901) of the value that is wrong, where the error is about a value.
  package let path: String?
  /// The position of the value in its text, where the text is at hand.
  package var position: TextPosition?

  package init(_ code: Code, _ message: String, path: String? = nil, position: TextPosition? = nil) {
    self.code = code
    self.message = MessageFormat.message(message)
    self.path = path
    self.position = position
  }

  package static let noMemory = FlowError(.noMemory, "there is not enough memory for the answer")

  package static let abandoned = FlowError(
    .ended, "the step has ended without waiting for this call: its output and value are discarded")

  package static let forked = FlowError(
    .forked,
    "this process was forked from one that had run steps: start a new program with exec, or fork before the first step")
}

/// A position in a text. Lines and columns are counted from 1, and a column is a character.
package struct TextPosition: Equatable, Sendable {
  package let line: Int
  package let column: Int

  package init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }
}
