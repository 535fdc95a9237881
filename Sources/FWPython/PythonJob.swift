package import FWBase
package import FWModel

/// What an interpreter is asked to do, as the runner takes it (runner/).
package final class PythonJob: Sendable {
  enum Kind: String {
    case call
    case notebook
  }

  let kind: Kind
  /// What messages call it.
  package let shown: String
  /// JSON text.
  package let text: String

  private init(_ kind: Kind, shown: String, _ text: String) {
    self.kind = kind
    self.shown = shown
    self.text = text
  }

  /// A call of a function by its import path. `nil`: there is no memory for it.
  package static func call(_ action: CodeAction, _ context: ContextValues?) -> PythonJob? {
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
      // Which of these the function takes is known there.
      writer.member("unfit") { writer in
        writer.object { writer in
          for (name, object) in context?.objects ?? [:] {
            writer.member(key: name.text, object.unfit ?? "is \(object.kind), which JSON has not")
          }
        }
      }
    }
    return make(.call, "the function \(MessageFormat.quoted(action.function))", writer)
  }

  /// A run of a notebook.
  package static func notebook(_ step: Step, _ options: PythonOptions, _ context: ContextValues?, _ secrets: Secrets)
    throws(FlowError) -> PythonJob
  {
    let action = step.notebook
    for (index, parameter) in action.parameters.enumerated() {
      let key = action.variables[parameter]
      guard let reason = context?.objects[Name(key)]?.unfit else { continue }
      throw FlowError(
        .document, "step \(step.shownName): the value of \(MessageFormat.quoted(key)) \(reason)", path: "/action/params/\(index)")
    }
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
    guard let job = make(.notebook, "the notebook \(MessageFormat.quoted(action.notebook))", writer) else { throw .noMemory }
    return job
  }

  private static func make(_ kind: Kind, _ shown: String, _ writer: consuming JSONWriter) -> PythonJob? {
    let buffer = writer.buffer()
    if buffer.isExhausted { return nil }
    return PythonJob(kind, shown: shown, String(decoding: buffer.bytes, as: UTF8.self))
  }
}
