internal import CJansson
package import FWBase

/// The value of "foreach" in a step: names, and for each name a list of the values that it has, one after the other.
///
/// A step with `foreach` runs once for each combination of values. One such run is an instance of the step.
package struct ForEach: Sendable {
  static let keys = ["names", "combine"]

  /// The rule by which the values of several lists come together.
  package enum Combine: String, CaseIterable, Sendable {
    /// Each value comes with each value of the other lists. The value of the first name varies slowest.
    case product
    /// The first values of all lists come together, then the second ones, and so on.
    case zip
  }

  /// Where the list of a name comes from.
  package enum Source: Sendable {
    /// The document has it, or a parameter that the document refers to.
    case list(JSONValue)
    /// It is a value of the context, which is read when the step is about to start.
    case value(String)
  }

  /// The names in the order of the document, each with its list.
  package private(set) var variables: [(name: Name, source: Source)] = []
  package private(set) var combine = Combine.product
  private var positions: Set<Name> = []

  init(reading json: JSONRef) throws(ValidationError) {
    var named: JSONRef?
    try json.readMembers(of: "an object such as {\"names\": {\"sample\": [\"a\", \"b\"]}}") {
      (key, value) throws(ValidationError) in
      if key == "names" {
        named = value
      } else if key == "combine" {
        combine = try value.requireChoice("a value of \"combine\"")
      } else {
        throw .unknownKey(key, of: "\"foreach\"", known: ForEach.keys)
      }
    }
    guard let named else { throw .missingKey("names", of: "\"foreach\"") }
    do throws(ValidationError) { try read(names: named) } catch { throw error.inside("names") }
  }

  private mutating func read(names json: JSONRef) throws(ValidationError) {
    try json.readMembers(of: "an object of names and their lists") { (key, value) throws(ValidationError) in
      let name = try key.requireString()
      guard Template.isName(name) else {
        throw ValidationError(
          "\(MessageFormat.quoted(name)) cannot be the name of a placeholder: use ASCII letters, digits and \"_\", "
            + "and no digit at the beginning", isAboutKey: true)
      }
      variables.append((Name(name), try ForEach.source(value)))
      positions.insert(Name(name))
    }
    if variables.isEmpty { throw ValidationError("expected at least one name with a list, found an empty object") }
    try checkLengths { variable in
      guard case .list(let list) = variable.source else { return nil }
      return list
    }
  }

  private static func source(_ json: JSONRef) throws(ValidationError) -> Source {
    let wanted = "a list, or {\"value\": NAME} for a list of the context"
    switch json.kind {
    case .array:
      guard let kept = JSONValue(keeping: json) else { throw ValidationError(FlowError.noMemory.message) }
      return .list(kept)
    case .object:
      var name: String?
      try json.readMembers { (key, value) throws(ValidationError) in
        guard key == "value" else {
          throw .unknownKey(key, of: "the source of a list", known: ["value"], else: "a list is an array")
        }
        name = try value.requireName("the name of a value")
      }
      guard let name else { throw ValidationError("expected \(wanted), found an empty object") }
      return .value(name)
    default:
      let isReference = json.string?.begins(with: "$[[") == true
      throw ValidationError(
        "expected \(wanted), found \(json.shown)"
          + (isReference ? "; a reference is replaced in a workflow" : ""))
    }
  }

  /// Throws if lists that are zipped have different lengths.
  ///
  /// - Parameter list: gives the list of a name; `nil` if it is not known yet.
  func checkLengths(_ list: ((name: Name, source: Source)) -> JSONValue?) throws(ValidationError) {
    guard combine == .zip else { return }
    var first: (name: Name, count: Int)?
    for variable in variables {
      guard let count = list(variable)?.read({ $0.arrayCount }) else { continue }
      guard let first else {
        first = (variable.name, count)
        continue
      }
      if count == first.count { continue }
      throw ValidationError(
        "lists that are zipped must have the same length: the list of \(MessageFormat.quoted(first.name.text)) has "
          + "\(first.count) \(first.count == 1 ? "value" : "values"), "
          + "and that of \(MessageFormat.quoted(variable.name.text)) has \(count)"
      ).inside(variable.name.text)
    }
  }

  package func has(_ name: Name) -> Bool { positions.contains(name) }

  package var names: [Name] { variables.map(\.name) }

  /// The names of the values of the context that are lists of this step.
  package var contextNames: [String] {
    variables.compactMap { variable in
      if case .value(let name) = variable.source { return name }
      return nil
    }
  }
}
