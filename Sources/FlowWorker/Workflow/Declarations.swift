internal import CJansson
internal import FWBase
internal import FWModel
internal import Glibc

/// The parameters that a template declares.
struct Declarations {
  static let keys = [
    "name", "dtype", "label", "help", "defaultValue", "isRequired", "index", "group", "values", "range", "target",
    "para",
    "fields",
  ]

  enum Kind: String, CaseIterable {
    case actor
    case bool
    case file
    case float
    case int
    case list
    case record
    case select
    case string
  }

  struct Declaration {
    let name: String
    let kind: Kind
    let fallback: JSONValue?
    let isRequired: Bool
    /// The values that a parameter of the type `select` may have.
    let values: [JSONValue]
    let range: NumberRange?
  }

  private(set) var all: [Declaration] = []
  private var positions: [Name: Int] = [:]

  init() {}

  init(reading json: JSONRef) throws(ValidationError) {
    try json.require(.array)
    try json.forEachElement { (index, element) throws(ValidationError) in
      do throws(ValidationError) {
        let declaration = try Declarations.read(element)
        if let other = positions.updateValue(index, forKey: Name(declaration.name)) {
          throw ValidationError(
            "two parameters have the name \(MessageFormat.quoted(declaration.name)): /parameters/\(other) and "
              + "/parameters/\(index)"
          ).inside("name")
        }
        all.append(declaration)
      } catch { throw error.inside(index) }
    }
  }

  private static func read(_ json: JSONRef) throws(ValidationError) -> Declaration {
    var name: String?
    var kind: Kind?
    var fallback: JSONValue?
    var isRequired: Bool?
    var values: [JSONValue] = []
    var range: NumberRange?
    try json.readMembers { (key, value) throws(ValidationError) in
      switch key.string {
      case "name": name = try value.requireName()
      case "dtype": kind = try value.requireChoice("a parameter type")
      case "defaultValue": fallback = value.kind == .null ? nil : JSONValue(keeping: value)
      case "isRequired": isRequired = try value.requireBoolean()
      case "range": range = value.kind == .null ? nil : try NumberRange(reading: value)
      case "values":
        try value.require(.array)
        try value.forEachElement { (index, element) throws(ValidationError) in
          guard let choice = element["value"] else {
            throw ValidationError.missingKey("value", of: "the choice of a parameter").inside(index)
          }
          if let kept = JSONValue(keeping: choice) { values.append(kept) }
        }
      case let other:
        if !keys.contains(other) { throw .unknownKey(key, of: "the declaration of a parameter", known: keys) }
      }
    }
    guard let name else { throw .missingKey("name", of: "the declaration of a parameter") }
    guard let kind else {
      throw .missingKey("dtype", of: "the declaration of the parameter \(MessageFormat.quoted(name))")
    }
    return Declaration(
      name: name, kind: kind, fallback: fallback, isRequired: isRequired ?? (fallback == nil), values: values,
      range: range)
  }

  subscript(name: String) -> Declaration? { positions[Name(name)].map { all[$0] } }

  var names: [String] { all.map(\.name) }
}

extension Declarations.Declaration {
  /// Converts an argument to the parameter's type, in the way in which flowServ converts what users type.
  func cast(_ json: JSONRef) throws(ValidationError) -> JSONValue {
    let value: JSONValue?
    switch kind {
    case .int:
      guard let number = integer(json) else { throw refused(json, "an integer") }
      try check(Double(number), json)
      value = .integer(number)
    case .float:
      guard let number = real(json) else { throw refused(json, "a number") }
      try check(number, json)
      value = json.kind == .integer ? JSONValue(keeping: json) : .real(number)
    case .bool:
      guard let flag = flag(json) else { throw refused(json, "true or false") }
      value = .boolean(flag)
    case .string, .file:
      value = json.kind == .string ? JSONValue(keeping: json) : try .text(ValueText.string(json))
    case .select:
      let isKnown = values.contains { $0.read { json_equal($0.raw, json.raw) == 1 } }
      guard isKnown else {
        let known = MessageFormat.listed(values) { $0.read { $0.shownValue } }
        throw ValidationError(
          "expected one of \(known) for the parameter \(MessageFormat.quoted(name)), found \(json.shown)")
      }
      value = JSONValue(keeping: json)
    case .actor:
      guard json.kind == .object else { throw refused(json, "the action of a step (an object)") }
      value = JSONValue(keeping: json)
    case .list:
      guard json.kind == .array else { throw refused(json, "a list") }
      value = JSONValue(keeping: json)
    case .record: value = JSONValue(keeping: json)
    }
    guard let value else { throw ValidationError(FlowError.noMemory.message) }
    return value
  }

  private func refused(_ json: JSONRef, _ wanted: String) -> ValidationError {
    ValidationError("expected \(wanted) for the parameter \(MessageFormat.quoted(name)), found \(json.shown)")
  }

  private func check(_ number: Double, _ json: JSONRef) throws(ValidationError) {
    guard let range, !range.contains(number) else { return }
    throw ValidationError(
      "expected a value in the range \(range.text) for the parameter \(MessageFormat.quoted(name)), found \(json.shown)"
    )
  }

  private func integer(_ json: JSONRef) -> Int64? {
    if let integer = json.integer { return integer }
    if let real = json.number { return Int64(exactly: real) }
    return json.string.flatMap { Int64($0) }
  }

  private func real(_ json: JSONRef) -> Double? {
    json.number ?? json.string.flatMap { Double($0) }.flatMap { $0.isFinite ? $0 : nil }
  }

  /// Reads a flag: a boolean, or one of the words that flowServ takes for true and false.
  private func flag(_ json: JSONRef) -> Bool? {
    switch json.kind {
    case .boolean: return json.boolean
    case .null: return false
    case .integer, .string:
      switch (json.string ?? json.integer.map { String($0) } ?? "").lowercased() {
      case "1", "t", "true": return true
      case "", "0", "f", "false": return false
      default: return nil
      }
    default: return nil
    }
  }
}

extension JSONRef {
  fileprivate var shownValue: String { string.map { MessageFormat.quoted($0) } ?? shown }
}

/// A range of numbers as flowServ writes it: `[0,1)`, `(0,]`.
struct NumberRange {
  let text: String
  private let low: Double?
  private let high: Double?
  private let hasLow: Bool
  private let hasHigh: Bool

  init(reading json: JSONRef) throws(ValidationError) {
    text = try json.requireString()
    let inner = text.dropFirst().dropLast()
    let parts = inner.split(separator: ",", omittingEmptySubsequences: false).map { $0.filter { $0 != " " } }
    guard let first = text.first, let last = text.last, "[(".contains(first), "])".contains(last), parts.count == 2,
      parts.allSatisfy({ $0.isEmpty || Double($0) != nil })
    else {
      throw ValidationError(
        "invalid range \(MessageFormat.quoted(text)): write it as \"[0,100]\", with \"(\" or \")\" for an open end")
    }
    low = Double(parts[0])
    high = Double(parts[1])
    hasLow = first == "["
    hasHigh = last == "]"
  }

  func contains(_ number: Double) -> Bool {
    if let low, hasLow ? number < low : number <= low { return false }
    if let high, hasHigh ? number > high : number >= high { return false }
    return true
  }
}
