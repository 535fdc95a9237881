/// Names with texts, in the order in which they came; what `env` and `variables` hold.
struct KeyValues {
  private(set) var pairs: [(key: String, value: String)] = []
  /// Where each key is, once there are so many that looking through them all would take longer.
  private var places: [Name: Int] = [:]

  /// How many pairs are looked through.
  private static let few = 8

  var isEmpty: Bool { pairs.isEmpty }

  subscript(key: String) -> String? { place(of: key).map { pairs[$0].value } }

  private func place(of key: String) -> Int? {
    pairs.count > KeyValues.few ? places[Name(key)] : pairs.firstIndex { $0.key.isSame(as: key) }
  }

  /// Sets a key. A key that comes again keeps its place and gets the new value.
  mutating func set(_ key: String, _ value: String) {
    if let place = place(of: key) {
      pairs[place].value = value
      return
    }
    pairs.append((key, value))
    if pairs.count == KeyValues.few + 1 {
      for (place, pair) in pairs.enumerated() { places[Name(pair.key)] = place }
    } else if pairs.count > KeyValues.few {
      places[Name(key)] = pairs.count - 1
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
    switch json.kind {
    case .array:
      try json.forEachElement { (index, element) throws(Refusal) in
        do throws(Refusal) {
          let (key, value) = try KeyValues.readPair(element, keys)
          set(key, value)
        } catch { throw error.inside(index) }
      }
    case .object:
      try json.readMembers { (key, value) throws(Refusal) in
        let name = try key.requireString()
        try KeyValues.check(name, keys)
        set(name, try KeyValues.readValue(value))
      }
    default:
      throw Refusal("\(json.shown) stands where an array of {\"key\", \"value\"} or an object is needed")
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
