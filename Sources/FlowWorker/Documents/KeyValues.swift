/// Names with texts, in the order in which they came; what `env` and `variables` hold.
struct KeyValues {
  private(set) var pairs: [(key: String, value: String)] = []

  var isEmpty: Bool { pairs.isEmpty }

  subscript(key: String) -> String? { pairs.first { $0.key == key }?.value }

  /// Sets a key. A key that comes again keeps its place and gets the new value.
  mutating func set(_ key: String, _ value: String) {
    if let index = pairs.firstIndex(where: { $0.key == key }) {
      pairs[index].value = value
    } else {
      pairs.append((key, value))
    }
  }

  /// These, overridden by others.
  func overridden(by others: KeyValues) -> KeyValues {
    if isEmpty { return others }
    var result = self
    for pair in others.pairs { result.set(pair.key, pair.value) }
    return result
  }

  /// What a key must be beside a string.
  enum Keys {
    case any
    case environment
  }

  init() {}

  /// Reads an array of `{"key", "value"}` or an object of strings and integers.
  init(reading json: JSONRef, _ keys: Keys) throws(Refusal) {
    var places: [String: Int] = [:]
    switch json.kind {
    case .array:
      try json.forEachElement { (index, element) throws(Refusal) in
        do throws(Refusal) {
          let (key, value) = try KeyValues.readPair(element, keys)
          add(key, value, &places)
        } catch { throw error.inside(index) }
      }
    case .object:
      try json.readMembers { (key, value) throws(Refusal) in
        let name = try key.requireString()
        try KeyValues.check(name, keys)
        add(name, try KeyValues.readValue(value), &places)
      }
    default:
      throw Refusal("\(json.shown) stands where an array of {\"key\", \"value\"} or an object is needed")
    }
  }

  /// As `set`, but in time that does not grow with the number of keys.
  private mutating func add(_ key: String, _ value: String, _ places: inout [String: Int]) {
    if pairs.count < 8 { return set(key, value) }
    if places.isEmpty { for (index, pair) in pairs.enumerated() { places[pair.key] = index } }
    if let index = places[key] {
      pairs[index].value = value
    } else {
      places[key] = pairs.count
      pairs.append((key, value))
    }
  }

  private static func readPair(_ json: JSONRef, _ keys: Keys) throws(Refusal) -> (String, String) {
    var key: String?
    var value: String?
    try json.readMembers { (name, member) throws(Refusal) in
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

  private static func readValue(_ json: JSONRef) throws(Refusal) -> String {
    if let integer = json.integer { return String(integer) }
    // It may be a secret: what it is, and not which.
    let shown = json.kind == .real ? "a number with a fraction" : json.shown
    guard json.kind == .string else { throw Refusal("\(shown) stands where a string or an integer is needed") }
    return try json.requireString()
  }

  private static func check(_ key: String, _ keys: Keys) throws(Refusal) {
    guard keys == .environment else { return }
    if key.isEmpty { throw Refusal("an environment variable has an empty name") }
    if key.utf8.contains(UInt8(ascii: "=")) {
      throw Refusal("the name \(Wording.quoted(key)) of an environment variable has a \"=\" in it")
    }
  }
}
