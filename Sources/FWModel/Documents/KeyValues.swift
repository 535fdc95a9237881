package import FWBase

/// Pairs of a name and a text in their order, as `env` and `variables` have them.
package struct KeyValues: Sendable {
  /// The pairs, and the names that have no value: variables of an environment that are unset.
  package private(set) var entries: [(key: String, value: String?)] = []
  /// The position of each key. It is filled when there are so many pairs that looking through all of them would take
  /// longer.
  private var positions: [Name: Int] = [:]

  /// The most pairs that are looked through one by one.
  private static let few = 8

  package var isEmpty: Bool { entries.isEmpty }

  /// Whether a name has a value.
  package var hasValues: Bool { entries.contains { $0.value != nil } }

  /// The entries that have a value.
  package var pairs: [(key: String, value: String)] {
    entries.compactMap { entry in entry.value.map { (entry.key, $0) } }
  }

  /// The value of a key; `nil` if there is none, or if the key is unset.
  package subscript(key: String) -> String? { position(of: key).flatMap { entries[$0].value } }

  /// Whether there is an entry for a key, with a value or without one.
  package func has(_ key: String) -> Bool { position(of: key) != nil }

  private func position(of key: String) -> Int? {
    entries.count > KeyValues.few ? positions[Name(key)] : entries.firstIndex { $0.key.isSame(as: key) }
  }

  /// Sets a key, or unsets it. A key that is there already keeps its position and gets the new value.
  package mutating func set(_ key: String, _ value: String?) {
    if let index = position(of: key) {
      entries[index].value = value
      return
    }
    entries.append((key, value))
    if entries.count == KeyValues.few + 1 {
      for (index, entry) in entries.enumerated() { positions[Name(entry.key)] = index }
    } else if entries.count > KeyValues.few {
      positions[Name(key)] = entries.count - 1
    }
  }

  /// These pairs, overridden by others.
  package func overridden(by others: KeyValues) -> KeyValues {
    if isEmpty { return others }
    if others.isEmpty { return self }
    var result = self
    for entry in others.entries { result.set(entry.key, entry.value) }
    return result
  }

  /// The rule for keys beside being strings, and whether null is a value.
  package enum Keys {
    case any
    /// The keys are names of variables, which null unsets.
    case environment
  }

  package init() {}

  /// Reads an array of `{"key", "value"}` or an object of strings and integers.
  package init(reading json: JSONRef, _ keys: Keys) throws(ValidationError) {
    switch json.kind {
    case .array:
      try json.forEachElement { (index, element) throws(ValidationError) in
        do throws(ValidationError) {
          let (key, value) = try KeyValues.readPair(element, keys)
          set(key, value)
        } catch { throw error.inside(index) }
      }
    case .object:
      try json.readMembers { (key, value) throws(ValidationError) in
        let name = try key.requireString()
        if keys == .environment { try KeyValues.check(variable: name) }
        set(name, try KeyValues.readValue(value, keys))
      }
    default:
      throw ValidationError("expected an array of {\"key\", \"value\"} or an object, found \(json.shown)")
    }
  }

  private static func readPair(_ json: JSONRef, _ keys: Keys) throws(ValidationError) -> (String, String?) {
    var key: String?
    var value: String??
    try json.readMembers(of: "an object {\"key\", \"value\"}") { (name, member) throws(ValidationError) in
      if name == "key" {
        let text = try member.requireString()
        if keys == .environment { try check(variable: text) }
        key = text
      } else if name == "value" {
        value = .some(try readValue(member, keys))
      } else {
        throw .unknownKey(name, of: "a key-value pair", known: ["key", "value"])
      }
    }
    guard let key else { throw .missingKey("key", of: "the key-value pair") }
    guard let value else { throw .missingKey("value", of: "the key-value pair") }
    return (key, value)
  }

  private static func readValue(_ json: JSONRef, _ keys: Keys) throws(ValidationError) -> String? {
    if let integer = json.integer { return String(integer) }
    if json.kind == .null, keys == .environment { return nil }
    // The value may be a secret, so the message names its kind and not the value.
    let shown = json.kind == .real ? "a number with a fraction" : json.shown
    let wanted = keys == .environment ? "a string, an integer or null" : "a string or an integer"
    guard json.kind == .string else { throw ValidationError("expected \(wanted), found \(shown)") }
    return try json.requireString()
  }

  /// Throws if a name cannot be that of an environment variable.
  static func check(variable name: String) throws(ValidationError) {
    if name.isEmpty { throw ValidationError("the name of an environment variable is empty") }
    if name.utf8.contains(UInt8(ascii: "=")) {
      throw ValidationError("the name \(MessageFormat.quoted(name)) of an environment variable contains \"=\"")
    }
  }
}
