internal import FWBase

/// A command of a step's document: the text of a shell, or the words of a program.
struct CommandTemplate: Sendable {
  /// The text, or the words.
  let templates: [Template]
  let isWords: Bool
  /// The names of the placeholders `${name:q}` that stand where quotes do not protect a value.
  let unprotected: [String]

  init(_ document: CommandDocument) {
    switch document {
    case .text(let text):
      let template = Template(text)
      templates = [template]
      isWords = false
      unprotected = template.unprotected
    case .words(let words):
      templates = words.map(Template.init)
      isWords = true
      unprotected = []
    }
  }
}

/// A command as a document has it.
enum CommandDocument {
  case text(String)
  case words([String])

  init(reading json: JSONRef) throws(ValidationError) {
    guard json.kind == .array else {
      guard json.kind == .string else {
        throw ValidationError(
          "expected a command, which is a string for the shell or an array of words, found \(json.shown)")
      }
      self = .text(try json.requireString())
      return
    }
    let words = try json.requireStrings()
    guard let program = words.first else {
      throw ValidationError("expected a program and its arguments, found an empty array")
    }
    if program.isEmpty { throw ValidationError("expected the name of a program, found an empty string").inside(0) }
    self = .words(words)
  }
}
