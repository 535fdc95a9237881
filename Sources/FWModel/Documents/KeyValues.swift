package import FWBase

/// Pairs of a name and a text in their order, as `env` and `variables` have them.
package struct KeyValues {
  package private(set) var pairs: [(key: String, value: String)] = []
  /// The position of each key. It is filled when there are so many pairs that looking through all of them would take
  /// longer.
  private var positions: [Name: Int] = [:]

  /// The most pairs that are looked through one by one.
  private static let few = 8

  package var isEmpty: Bool { pairs.isEmpty }

  package subscript(key: String) -> String? { position(of: key).map { pairs[$0].value } }

  private func position(of key: String) -> Int? {
    pairs.count > KeyValues.few ? positions[Name(key)] : pairs.firstIndex { $0.key.isSame(as: key) }
  }

  /// Sets a key. A key that is there already keeps its position and gets the new value.
  package mutating func set(_ key: String, _ value: String) {
    if let index = position(of: key) {
      pairs[index].value = value
      return
    }
    pairs.append((key, value))
    if pairs.count == KeyValues.few + 1 {
      for (index, pair) in pairs.enumerated() { positions[Name(pair.key)] = index }
    } else if pairs.count > KeyValues.few {
      positions[Name(key)] = pairs.count - 1
    }
  }

  /// These pairs, overridden by others.
  package func overridden(by others: KeyValues) -> KeyValues {
    if isEmpty { return others }
    var result = self
    for pair in others.pairs { result.set(pair.key, pair.value) }
    return result
  }

  /// The rule for keys, beside being strings.
  package enum Keys {
    case any
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
        try KeyValues.check(name, keys)
        set(name, try KeyValues.readValue(value))
      }
    default:
      throw ValidationError("expected an array of {\"key\", \"value\"} or an object, found \(json.shown)")
    }
  }

  private static func readPair(_ json: JSONRef, _ keys: Keys) throws(ValidationError) -> (String, String) {
    var key: String?
    var value: String?
    try json.readMembers(of: "an object {\"key\", \"value\"}") { (name, member) throws(ValidationError) in
      if name == "key" {
        let text = try member.requireString()
        try check(text, keys)
        key = text
      } else if name == "value" {
        value = try readValue(member)
      } else {
        throw .unknownKey(name, of: "a key-value pair", known: ["key", "value"])
      }
    }
    guard let key else { throw .missingKey("key", of: "the key-value pair") }
    guard let value else { throw .missingKey("value", of: "the key-value pair") }
    return (key, value)
  }

  private static func readValue(_ json: JSONRef) throws(ValidationError) -> String {
    if let integer = json.integer { return String(integer) }
    // The value may be a secret, so the message names its kind and not the value.
    let shown = json.kind == .real ? "a number with a fraction" : json.shown
    guard json.kind == .string else { throw ValidationError("expected a string or an integer, found \(shown)") }
    return try json.requireString()
  }

  private static func check(_ key: String, _ keys: Keys) throws(ValidationError) {
    guard keys == .environment else { return }
    if key.isEmpty { throw ValidationError("the name of an environment variable is empty") }
    if key.utf8.contains(UInt8(ascii: "=")) {
      throw ValidationError("the name \(MessageFormat.quoted(key)) of an environment variable contains \"=\"")
    }
  }
}
