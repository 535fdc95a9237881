package import FWBase

/// The values of the context that a worker or a step gives to its commands as environment variables.
package struct EnvironmentValues: Sendable {
  /// The key of a worker's options and of a step.
  static let key = "environment_values"

  private var entries: [Entry] = []
  /// Whether the document is a list of names, which are the names of the variables as well.
  private let isList: Bool

  /// The names of the values in the context.
  package var names: [String] { entries.map(\.name) }

  private struct Entry {
    let name: String
    let variable: String
  }

  init(reading json: JSONRef) throws(ValidationError) {
    isList = json.kind == .array
    var names: [Name: String] = [:]
    if isList {
      try json.forEachElement { (index, element) throws(ValidationError) in
        do throws(ValidationError) {
          let name = try element.requireName("the name of a value")
          try KeyValues.check(variable: name)
          // A name that is there twice says the same twice.
          if names.updateValue(name, forKey: Name(name)) == nil { entries.append(Entry(name: name, variable: name)) }
        } catch { throw error.inside(index) }
      }
      return
    }
    try json.readMembers(of: "a list of names of values, or an object such as {\"name\": \"VARIABLE\"}") {
      (key, value) throws(ValidationError) in
      let name = try key.requireString()
      if name.isEmpty { throw ValidationError("the name of a value is empty", isAboutKey: true) }
      let variable = try value.requireName("the name of an environment variable")
      try KeyValues.check(variable: variable)
      if let other = names.updateValue(name, forKey: Name(variable)) {
        throw ValidationError(
          "the values \(MessageFormat.quoted(other)) and \(MessageFormat.quoted(name)) cannot both be the environment "
            + "variable \(MessageFormat.quoted(variable))")
      }
      entries.append(Entry(name: name, variable: variable))
    }
  }

  /// The variables for a run with these values: a string as it is, and everything else as compact JSON.
  ///
  /// - Parameters:
  ///   - step: the step whose commands get the variables.
  ///   - isOfStep: whether the step asks for the values. A worker, which has other steps too, may ask for values that
  ///     the context does not have: these are left out.
  ///   - secrets: names that a step gets in another way, and only if it asks for them by that.
  ///   - given: names whose values are not known yet, because an earlier step of the workflow gives them.
  package func variables(
    of step: Step, isOfStep: Bool, _ context: ContextValues?, _ secrets: Secrets, given: Set<Name>
  ) throws(FlowError) -> KeyValues {
    var variables = KeyValues()
    for (index, entry) in entries.enumerated() {
      let shown = MessageFormat.quoted(entry.name)
      let refusal = { (reason: String) in
        let error = ValidationError("step \(step.shownName): \(reason)")
        let owner = isList ? error.inside(index) : error.inside(entry.name)
        return isOfStep ? owner.inside(EnvironmentValues.key).error(in: nil) : FlowError(.document, error.message)
      }
      if secrets.contains(entry.name) {
        throw refusal(
          "\(shown) is a secret, so \"\(EnvironmentValues.key)\" cannot have it: list it in \"secrets\", which makes "
            + "it a variable of the commands")
      }
      if secrets.contains(entry.variable) {
        throw refusal(
          "the value \(shown) cannot be the environment variable \(MessageFormat.quoted(entry.variable)), because that "
            + "is the name of a secret")
      }
      if given.contains(Name(entry.name)) { continue }
      guard let value = context?[entry.name] else {
        if isOfStep { throw refusal(EnvironmentValues.missing(entry.name, context)) }
        continue
      }
      if let unfit = context?.objects[Name(entry.name)]?.unfit { throw refusal("the value of \(shown) \(unfit)") }
      var bytes = ByteBuffer()
      ValueText.appendPlain(value, to: &bytes)
      if bytes.isExhausted { throw .noMemory }
      if bytes.bytes.contains(0) {
        throw refusal("the value of \(shown) contains a NUL, which no environment variable can contain")
      }
      variables.set(entry.variable, String(decoding: bytes.bytes, as: UTF8.self))
    }
    return variables
  }

  private static func missing(_ name: String, _ context: ContextValues?) -> String {
    "the context has no value \(MessageFormat.quoted(name)) for \"\(key)\""
      + MessageFormat.hint(for: name, among: context?.names ?? [])
  }
}
