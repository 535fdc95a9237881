internal import CJansson
package import FWBase
internal import Glibc

/// A reference to a parameter of a template: `$[[name]]`, or `$[[flag ? a : b]]`, which is one of two texts. As in
/// flowServ, a reference is the whole of a string.
package struct Reference {
  package let name: String
  /// The two texts of a conditional reference. The colon and the second text may be missing.
  package let choice: (isTrue: String, isFalse: String?)?

  package init?(_ text: String) {
    guard let expression = text.without(prefix: "$[[")?.without(suffix: "]]") else { return nil }
    guard let (question, rest) = expression.cut(at: "?") else {
      name = Reference.trimmed(expression)
      choice = nil
      return
    }
    name = Reference.trimmed(question)
    if let (first, second) = rest.cut(at: ":") {
      choice = (Reference.trimmed(first), Reference.trimmed(second))
    } else {
      choice = (Reference.trimmed(rest), nil)
    }
  }

  /// The reference as messages show it.
  package var shown: String { "$[[\(Substring(MessageFormat.quoted(name).utf8.dropFirst().dropLast()))]]" }

  private static func trimmed(_ text: Substring) -> String {
    let bytes = text.utf8
    func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
    let start = bytes.firstIndex { !isSpace($0) } ?? bytes.endIndex
    let end = bytes.lastIndex { !isSpace($0) }.map { bytes.index(after: $0) } ?? start
    return String(decoding: bytes[start..<end], as: UTF8.self)
  }
}

extension JSONRef {
  /// The deepest nesting of the values of a template.
  package static let deepest = 64

  /// Whether lists may be in a list of a workflow.
  package enum Nesting {
    case none
    /// Lists may be the elements of this list, and not of these.
    case commands
    /// Lists may be in each other.
    case values
  }

  /// Calls `body` with each reference in a value. Lists in lists are refused, as in flowServ, except that a command of
  /// a step may be a list of words, and that the values of "foreach" may be any.
  package func forEachReference(
    depth: Int = 0, inList: Bool = false, nests: Nesting = .none, _ body: (Reference) throws(ValidationError) -> Void
  )
    throws(ValidationError)
  {
    if depth > JSONRef.deepest {
      throw ValidationError("the workflow has more than \(JSONRef.deepest) levels of nesting here")
    }
    switch kind {
    case .string: if let reference = string.flatMap({ Reference($0) }) { try body(reference) }
    case .array:
      if inList { throw ValidationError("a list in a workflow cannot directly contain another list") }
      try forEachElement { (index, element) throws(ValidationError) in
        do throws(ValidationError) {
          try element.forEachReference(
            depth: depth + 1, inList: nests == .none, nests: nests == .values ? .values : .none, body)
        } catch { throw error.inside(index) }
      }
    case .object:
      try readMembers { (key, value) throws(ValidationError) in
        let own: Nesting = key == "commands" ? .commands : key == "foreach" ? .values : .none
        try value.forEachReference(depth: depth + 1, nests: nests == .values ? .values : own, body)
      }
    default: return
    }
  }

  /// The value with all references replaced. `forEachReference` has checked the value before.
  package func expanded(_ lookup: (Reference) throws(ValidationError) -> JSONValue) throws(ValidationError) -> JSONValue
  {
    switch kind {
    case .string:
      if let reference = string.flatMap({ Reference($0) }) { return try lookup(reference) }
    case .array:
      let list = try JSONRef.made(json_array())
      try forEachElement { (index, element) throws(ValidationError) in
        do throws(ValidationError) {
          let value = try element.expanded(lookup)
          let isAdded = list.read { list in value.read { json_array_append(list.raw, $0.raw) == 0 } }
          guard isAdded else { throw ValidationError(FlowError.noMemory.message) }
        } catch { throw error.inside(index) }
      }
      return list
    case .object:
      let object = try JSONRef.made(json_object())
      try readMembers { (key, member) throws(ValidationError) in
        let value = try member.expanded(lookup)
        let isAdded = object.read { object in
          value.read { json_object_setn(object.raw, key.start, key.count, $0.raw) == 0 }
        }
        guard isAdded else { throw ValidationError(FlowError.noMemory.message) }
      }
      return object
    default: break
    }
    guard let kept = JSONValue(keeping: self) else { throw ValidationError(FlowError.noMemory.message) }
    return kept
  }

  private static func made(_ raw: UnsafeMutablePointer<json_t>?) throws(ValidationError) -> JSONValue {
    guard let raw else { throw ValidationError(FlowError.noMemory.message) }
    return JSONValue(taking: raw)
  }
}

extension JSONValue {
  /// An object with these values; `nil` if there is no memory for it.
  package static func object(_ values: [Name: JSONValue]) -> JSONValue? {
    guard let raw = json_object() else { return nil }
    let object = JSONValue(taking: raw)
    for (key, value) in values.sorted(by: { $0.key < $1.key }) {
      let isAdded = value.read { json_object_set(raw, key.text, $0.raw) == 0 }
      if !isAdded { return nil }
    }
    return object
  }

  package static func text(_ text: String) throws(ValidationError) -> JSONValue {
    guard let raw = json_string(text) else { throw ValidationError(FlowError.noMemory.message) }
    return JSONValue(taking: raw)
  }

  package static var null: JSONValue? { json_null().map { JSONValue(taking: $0) } }

  package static func boolean(_ value: Bool) -> JSONValue? {
    (value ? json_true() : json_false()).map { JSONValue(taking: $0) }
  }

  package static func integer(_ value: Int64) -> JSONValue? {
    json_integer(json_int_t(value)).map { JSONValue(taking: $0) }
  }

  package static func real(_ value: Double) -> JSONValue? { json_real(value).map { JSONValue(taking: $0) } }
}
