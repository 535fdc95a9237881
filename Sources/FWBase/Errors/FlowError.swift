/// Why a call failed: the one error type of the library.
///
/// A message is one line for the person who reads it: what was wrong, where, and what would be
/// right. It does not name the call, which the reader knows.
package struct FlowError: Error {
  /// What went wrong, as the header numbers it.
  package enum Code: Int32, Sendable {
    case invalid = -1
    case syntax = -2
    case document = -3
    case unknown = -4
    case stepType = -5
    case template = -6
    case noMemory = -8
    case forked = -9
    case ended = -10
  }

  package let code: Code
  package let message: String
  /// The JSON pointer (RFC 6901) of the value, where the error is about one.
  package let path: String?
  /// Where in the text it is, where there is a text.
  package var position: TextPosition?

  package init(_ code: Code, _ message: String, path: String? = nil, position: TextPosition? = nil) {
    self.code = code
    self.message = MessageFormat.message(message)
    self.path = path
    self.position = position
  }

  package static let noMemory = FlowError(.noMemory, "there is not enough memory for the answer")

  package static let givenUp = FlowError(.ended, "the step of this call has ended without it: nothing more is taken")

  package static let forked = FlowError(
    .forked, "this process was forked from one that uses the library: load it in a new program (exec), or fork before")
}

/// A place in a text, counted from 1; columns count characters.
package struct TextPosition: Equatable, Sendable {
  package let line: Int
  package let column: Int

  package init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }
}
