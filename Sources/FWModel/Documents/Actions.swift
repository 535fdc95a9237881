package import FWBase

/// What a code step calls.
package struct CodeAction {
  static let keys = ["func", "arg", "variables"]

  /// A function that the host has registered, or an import path.
  package var function = ""
  /// The context's key for the value; `nil`: nobody wants it.
  package var argument: String?
  package var variables = ParameterMapping()

  init() {}

  init(reading json: JSONRef) throws(ValidationError) {
    try json.readMembers { (key, value) throws(ValidationError) in
      if key == "func" {
        function = try value.requireName()
      } else if key == "arg" {
        argument = try value.requireName()
      } else if key == "variables" {
        variables = try ParameterMapping(reading: value)
      } else {
        throw .unknownKey(key, of: "the action of a code step", known: CodeAction.keys)
      }
    }
  }
}

extension CodeAction {
  package func write(to writer: inout JSONWriter) {
    writer.object { writer in
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
}

/// What a notebook step runs.
package struct NotebookAction {
  static let keys = ["notebook", "output", "params", "requirements", "variables"]

  package var notebook = ""
  private var givenOutput: String?
  /// The names of the parameters that the notebook gets, those of them that the context has.
  package var parameters: [String] = []
  /// What pip is to install for it.
  package var requirements: [String] = []
  package var variables = ParameterMapping()

  init() {}

  init(reading json: JSONRef) throws(ValidationError) {
    try json.readMembers { (key, value) throws(ValidationError) in
      if key == "notebook" {
        notebook = try value.requireName()
      } else if key == "output" {
        givenOutput = try value.requireName()
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

  /// As in flowServ: `x.ipynb` becomes `x.out.ipynb`, anything else gets that behind it.
  package var output: String {
    if let givenOutput { return givenOutput }
    return (notebook.without(suffix: ".ipynb") ?? notebook[...]) + ".out.ipynb"
  }

  /// The parameters that a notebook gets. A secret is none of them: they are written into it.
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

/// Under which names of the context the parameters of a function or notebook are found.
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
