package import FWBase

/// The action of a code step: the function that it calls.
package struct CodeAction {
  static let keys = ["func", "arg", "variables", "parameters"]

  /// The name of a function that the host has registered, or an import path.
  package var function = ""
  /// The key in the context that gets the value; `nil` if nobody wants the value.
  package var argument: String?
  package var variables = ParameterMapping()
  /// The names of the function's parameters, for which alone it gets values; `nil` if the document does not say them.
  package var parameters: [String]?

  init() {}

  init(reading json: JSONRef) throws(ValidationError) {
    try json.readMembers { (key, value) throws(ValidationError) in
      if key == "func" {
        function = try value.requireName()
      } else if key == "arg" {
        argument = try value.requireName()
      } else if key == "variables" {
        variables = try ParameterMapping(reading: value)
      } else if key == "parameters" {
        parameters = try value.requireNames()
      } else {
        throw .unknownKey(key, of: "the action of a code step", known: CodeAction.keys)
      }
    }
  }
}

extension Step {
  /// Writes the action of a code step, for the function that it calls.
  package func writeCall(to writer: inout JSONWriter) {
    writer.object { writer in
      code.writeMembers(to: &writer)
      writer.member("instance", instance)
      writer.member("values") { writer in
        guard let values else { return writer.null() }
        values.read { writer.value($0) }
      }
    }
  }
}

extension CodeAction {
  fileprivate func writeMembers(to writer: inout JSONWriter) {
    writer.member("func", function)
    writer.member("arg", argument)
    writer.member("variables") { writer in
      writer.array(variables.keys.sorted { $0.key < $1.key }) { writer, pair in
        writer.object { writer in
          writer.member("arg", pair.key.text)
          writer.member("var", pair.value)
        }
      }
    }
  }
}

/// The action of a notebook step: the notebook that it runs.
package struct NotebookAction {
  static let keys = ["notebook", "output", "params", "requirements", "variables"]

  package var notebook = ""
  /// The path of the notebook that is written, if the document says it.
  var explicitOutput: String?
  /// The names of the parameters that the notebook gets if the context has them.
  package var parameters: [String] = []
  /// The packages that pip installs for the notebook.
  package var requirements: [String] = []
  package var variables = ParameterMapping()

  init() {}

  init(reading json: JSONRef) throws(ValidationError) {
    try json.readMembers { (key, value) throws(ValidationError) in
      if key == "notebook" {
        notebook = try value.requireName()
      } else if key == "output" {
        explicitOutput = try value.requireName()
      } else if key == "params" {
        parameters = try value.requireStrings()
      } else if key == "requirements" {
        requirements = try value.requireStrings()
      } else if key == "variables" {
        variables = try ParameterMapping(reading: value)
      } else {
        throw .unknownKey(key, of: "the action of a notebook step", known: NotebookAction.keys)
      }
    }
  }

  /// The path of the notebook that is written. As in flowServ, `x.ipynb` becomes `x.out.ipynb`, and `.out.ipynb` is
  /// added to any other name.
  package var output: String {
    if let explicitOutput { return explicitOutput }
    return (notebook.without(suffix: ".ipynb") ?? notebook[...]) + ".out.ipynb"
  }

  /// Writes the parameters that a notebook gets. Secrets are left out, because parameters are written into the
  /// notebook.
  package func writeParameters(_ context: ContextValues?, _ secrets: Secrets, to writer: inout JSONWriter) {
    writer.member("parameters") { writer in
      writer.object { writer in
        for parameter in parameters {
          let key = variables[parameter]
          guard !secrets.contains(key), let value = context?[key] else { continue }
          writer.member(key: parameter) { $0.value(value) }
        }
      }
    }
  }
}

/// Maps the parameters of a function or notebook to names in the context.
package struct ParameterMapping {
  package private(set) var keys: [Name: String] = [:]

  init() {}

  /// Reads an array of `{"arg": name of the parameter, "var": name in the context}`.
  init(reading json: JSONRef) throws(ValidationError) {
    try json.require(.array)
    try json.forEachElement { (index, element) throws(ValidationError) in
      do throws(ValidationError) {
        var parameter: String?
        var variable: String?
        try element.readMembers { (key, value) throws(ValidationError) in
          if key == "arg" {
            parameter = try value.requireName()
          } else if key == "var" {
            variable = try value.requireName()
          } else {
            throw .unknownKey(key, of: "a variable", known: ["arg", "var"])
          }
        }
        guard let parameter else { throw ValidationError.missingKey("arg", of: "the variable") }
        guard let variable else { throw ValidationError.missingKey("var", of: "the variable") }
        keys[Name(parameter)] = variable
      } catch { throw error.inside(index) }
    }
  }

  package subscript(parameter: String) -> String { keys[Name(parameter)] ?? parameter }
}
