package import FWBase

/// The values of the context that a step may use, whether they are set or not.
package enum ValueReads: Sendable {
  /// The step may use any value.
  case all
  case names([Name])
}

extension Step {
  /// The names of the placeholders that a worker's variables do not decide.
  package func placeholders(_ variables: VariableTable) -> ValueReads {
    var names: [Name] = []
    for command in commands {
      for template in command.templates {
        template.forEachName { name, hash in
          if variables.read(name, hash: hash, { _ in }) { return }
          let name = Name(String(decoding: name, as: UTF8.self))
          if !names.contains(name) { names.append(name) }
        }
      }
    }
    return .names(names)
  }
}

extension CodeAction {
  /// The values that are the arguments of a function with these parameters.
  package func values(of parameters: [String]) -> ValueReads { .names(parameters.map { Name(variables[$0]) }) }

  /// The values that the function may use, as far as the document says it.
  package var declaredValues: ValueReads { parameters.map { values(of: $0) } ?? .all }
}

extension NotebookAction {
  /// The values that are parameters of the notebook. A value that is not set is one of them, because it may be set
  /// later.
  package var values: ValueReads { .names(parameters.map { Name(variables[$0]) }) }
}
