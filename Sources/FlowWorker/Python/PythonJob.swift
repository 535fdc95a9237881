/// What an interpreter is asked to do, as the runner takes it (runner/).
final class PythonJob: Sendable {
  enum Kind: String {
    case call
    case notebook
  }

  let kind: Kind
  /// What messages call it.
  let shown: String
  /// JSON text.
  let text: String

  private init(_ kind: Kind, shown: String, _ text: String) {
    self.kind = kind
    self.shown = shown
    self.text = text
  }

  /// A call of a function by its import path. `nil`: there is no memory for it.
  static func call(_ action: CodeAction, _ context: ContextValues?) -> PythonJob? {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("do", "call")
      writer.member("function", action.function)
      writer.member("variables") { writer in
        writer.object { writer in
          for (parameter, key) in action.variables.keys { writer.member(key: parameter.text, key) }
        }
      }
      writer.member("context") { writer in
        guard let context else { return writer.object { _ in } }
        context.object.read { writer.value($0) }
      }
    }
    return make(.call, "the function \(Wording.quoted(action.function))", writer)
  }

  /// A run of a notebook.
  static func notebook(
    _ action: NotebookAction, _ options: PythonOptions, _ context: ContextValues?, _ secrets: Secrets
  ) -> PythonJob? {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("do", "notebook")
      writer.member("notebook", action.notebook)
      writer.member("output", action.output)
      action.writeParameters(context, secrets, to: &writer)
      writer.member("secrets") { writer in
        writer.array(secrets.tree.patterns) { $0.string(String(decoding: $1, as: UTF8.self)) }
      }
      writer.member("kernel", options.kernel)
      writer.member("cell_timeout", options.cellTimeout)
      writer.member("start_timeout", options.startTimeout)
    }
    return make(.notebook, "the notebook \(Wording.quoted(action.notebook))", writer)
  }

  private static func make(_ kind: Kind, _ shown: String, _ writer: consuming JSONWriter) -> PythonJob? {
    let buffer = writer.buffer()
    if buffer.isExhausted { return nil }
    return PythonJob(kind, shown: shown, String(decoding: buffer.bytes, as: UTF8.self))
  }
}
