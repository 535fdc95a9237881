internal import FWBase
internal import FWModel

/// The parameters that a template declares, or the fields of a record.
struct Declarations {
  private(set) var all: [Declaration] = []
  private var positions: [Name: Int] = [:]

  init() {}

  init(reading json: JSONRef, depth: Int = 0) throws(ValidationError) {
    try json.require(.array)
    try json.forEachElement { (index, element) throws(ValidationError) in
      do throws(ValidationError) {
        let declaration = try Declaration(reading: element, depth: depth)
        if let other = positions.updateValue(index, forKey: Name(declaration.name)) {
          let name = MessageFormat.quoted(declaration.name)
          throw ValidationError(
            depth == 0
              ? "two parameters have the name \(name): /parameters/\(other) and /parameters/\(index)"
              : "two fields have the name \(name): the fields \(other + 1) and \(index + 1)"
          ).inside("name")
        }
        all.append(declaration)
      } catch { throw error.inside(index) }
    }
  }

  subscript(name: String) -> Declaration? { positions[Name(name)].map { all[$0] } }

  var names: [String] { all.map(\.name) }
}

/// The declaration of one parameter, or of a part of one.
struct Declaration {
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

  let name: String
  let kind: Kind
  private(set) var fallback: JSONValue?
  let isRequired: Bool
  /// The values that a parameter of the type `select` may have.
  let values: [JSONValue]
  let choices: Set<Name>
  let range: NumberRange?
  /// The key under which the run has the file of a parameter of the type `file`, as the document has it; `nil` if the
  /// file stays where it is.
  let target: String?
  /// The declaration of each element of a list; `nil` if it may have any elements.
  private let elements: [Declaration]?
  /// The declarations of the fields of a record; `nil` if it may have any fields.
  let fields: Declarations?

  var element: Declaration? { elements?.first }

  fileprivate init(reading json: JSONRef, depth: Int) throws(ValidationError) {
    if depth > JSONRef.deepest {
      throw ValidationError("the declarations have more than \(JSONRef.deepest) levels of nesting here")
    }
    var name: String?
    var kind: Kind?
    var fallback: JSONValue?
    var hasFallback = false
    var isRequired: Bool?
    var values: [JSONValue] = []
    var range: NumberRange?
    var target: String?
    var elements: [Declaration]?
    var fields: Declarations?
    try json.readMembers { (key, value) throws(ValidationError) in
      switch key.string {
      case "name": name = try value.requireName()
      case "dtype": kind = try value.requireChoice("a parameter type")
      case "defaultValue":
        hasFallback = true
        fallback = value.kind == .null ? nil : JSONValue(keeping: value)
      case "isRequired": isRequired = try value.requireBoolean()
      case "range": range = value.kind == .null ? nil : try NumberRange(reading: value)
      case "values": values = try Declaration.choices(reading: value)
      case "target":
        if value.kind == .null { break }
        let text = try value.requireName()
        _ = try VolumeKey(checking: text)
        target = text
      case "para": elements = [try Declaration(reading: value, depth: depth + 1)]
      case "fields": fields = try Declarations(reading: value, depth: depth + 1)
      case let other:
        if !Declaration.keys.contains(other) {
          throw .unknownKey(key, of: "the declaration of a parameter", known: Declaration.keys)
        }
      }
    }
    guard let name else { throw .missingKey("name", of: "the declaration of a parameter") }
    guard let kind else {
      throw .missingKey("dtype", of: "the declaration of the parameter \(MessageFormat.quoted(name))")
    }
    self.name = name
    self.kind = kind
    self.fallback = fallback
    // As in flowServ, a default of null says that the parameter need not be given.
    self.isRequired = isRequired ?? !hasFallback
    self.values = values
    choices = Set(values.map { $0.read { $0.choice } })
    self.range = range
    self.target = target
    self.elements = elements
    self.fields = fields
    try Declaration.check(keysOf: json, kind, name)
    if kind == .select, json["values"] == nil {
      throw .missingKey("values", of: "the declaration of the parameter \(MessageFormat.quoted(name))")
    }
    if depth > 0, target != nil {
      throw ValidationError(
        "only a parameter of the template can have a \"target\", not a part of another parameter", isAboutKey: true
      ).inside("target")
    }
    if let fallback {
      do throws(ValidationError) {
        try fallback.read { (json) throws(ValidationError) in try check(fallback: json) }
      } catch { throw error.wrapped(in: "the default is wrong: ").inside("defaultValue") }
    }
  }

  private static func choices(reading json: JSONRef) throws(ValidationError) -> [JSONValue] {
    let keys = ["name", "value", "isDefault"]
    var choices: [JSONValue] = []
    try json.require(.array)
    try json.forEachElement { (index, element) throws(ValidationError) in
      do throws(ValidationError) {
        try element.readMembers { (key, value) throws(ValidationError) in
          if key == "value" {
            if let kept = JSONValue(keeping: value) { choices.append(kept) }
          } else if !keys.contains(key.string) {
            throw .unknownKey(key, of: "the choice of a parameter", known: keys)
          }
        }
        if element["value"] == nil { throw ValidationError.missingKey("value", of: "the choice of a parameter") }
      } catch { throw error.inside(index) }
    }
    return choices
  }

  /// Refuses keys that have a meaning only for other types: as in flowServ, they are mistakes.
  private static func check(keysOf json: JSONRef, _ kind: Kind, _ name: String) throws(ValidationError) {
    try json.readMembers { (key, _) throws(ValidationError) in
      let owners: [Kind]
      switch key.string {
      case "range": owners = [.int, .float]
      case "values": owners = [.select]
      case "target": owners = [.file]
      case "para": owners = [.list]
      case "fields": owners = [.record]
      default: return
      }
      if owners.contains(kind) { return }
      throw ValidationError(
        "the key \(MessageFormat.quoted(key.string)) is for parameters of the type "
          + "\(MessageFormat.choice(owners.map(\.rawValue))), and \(MessageFormat.quoted(name)) is of the type "
          + "\"\(kind.rawValue)\"", isAboutKey: true)
    }
  }
}

/// A range of numbers as flowServ writes it: `[0,1)`, `(0,]`.
struct NumberRange {
  let text: String
  private let low: Double
  private let high: Double
  private let hasLow: Bool
  private let hasHigh: Bool

  init(reading json: JSONRef) throws(ValidationError) {
    text = try json.requireString()
    let sides = text.pieces(at: ",", keepingEmpty: true).map { Whitespace.trimmed($0) }
    guard sides.count == 2, let first = sides.first, let last = sides.last,
      let start = first.utf8.first, let end = last.utf8.last, [UInt8(ascii: "["), UInt8(ascii: "(")].contains(start),
      [UInt8(ascii: "]"), UInt8(ascii: ")")].contains(end),
      let low = NumberRange.bound(String(decoding: first.utf8.dropFirst(), as: UTF8.self), -.infinity),
      let high = NumberRange.bound(String(decoding: last.utf8.dropLast(), as: UTF8.self), .infinity)
    else {
      throw ValidationError(
        "invalid range \(MessageFormat.quoted(text)): write it as \"[0,100]\", with \"(\" or \")\" for an open end")
    }
    if low > high {
      throw ValidationError("invalid range \(MessageFormat.quoted(text)): its lower end is above its upper end")
    }
    self.low = low
    self.high = high
    hasLow = start == UInt8(ascii: "[")
    hasHigh = end == UInt8(ascii: "]")
  }

  private static func bound(_ text: String, _ missing: Double) -> Double? {
    text.isEmpty ? missing : NumberText.real(text)
  }

  /// Whether a number is in the range. As in flowServ, what is not a number is in every range.
  func contains(_ number: Double) -> Bool {
    if hasLow ? number < low : number <= low { return false }
    if hasHigh ? number > high : number >= high { return false }
    return true
  }
}
