internal import Glibc

/// The checks that all readers of documents share. Each error says what was expected and what was found.
extension JSONRef {
  /// Throws if the value is of another kind.
  ///
  /// - Parameter what: the words for what is expected, if they say more than the kind.
  @usableFromInline package func require(_ wanted: Kind, _ what: StaticString? = nil) throws(ValidationError) {
    guard kind == wanted else {
      throw ValidationError("expected \(what.map { "\($0)" } ?? wanted.rawValue), found \(shown)")
    }
  }

  /// The value as a string without NUL, which can be a name, a path or a command.
  package func requireString() throws(ValidationError) -> String {
    guard let bytes else { throw ValidationError("expected a string, found \(shown)") }
    return try ValidationError.withoutNUL(bytes)
  }

  /// - Parameter what: the words for a name of this kind.
  package func requireName(_ what: StaticString = "a name") throws(ValidationError) -> String {
    guard kind == .string else { throw ValidationError("expected \(what) (a string), found \(shown)") }
    let name = try requireString()
    guard !name.isEmpty else { throw ValidationError("expected \(what), found an empty string") }
    return name
  }

  package func requireBoolean() throws(ValidationError) -> Bool {
    guard let boolean else { throw ValidationError("expected true or false, found \(shown)") }
    return boolean
  }

  /// The value as one of the words of an enumeration.
  @usableFromInline package func requireChoice<Choice: RawRepresentable & CaseIterable>(_ what: String)
    throws(ValidationError) -> Choice
  where Choice.RawValue == String {
    let word = try requireString()
    guard let choice = Choice(rawValue: word) else { throw .noChoice(word, what, Choice.allCases.map(\.rawValue)) }
    return choice
  }

  /// The element of a list whose name is the value.
  @usableFromInline package func requireChoice<Choice>(
    _ what: String, among choices: [Choice], _ name: (Choice) -> String
  )
    throws(ValidationError) -> Choice
  {
    let word = try requireString()
    guard let choice = choices.first(where: { name($0).isSame(as: word) }) else {
      throw .noChoice(word, what, choices.map(name))
    }
    return choice
  }

  package func requireAbsolutePath(of what: String) throws(ValidationError) -> String {
    let path = try requireString()
    guard path.utf8.first == UInt8(ascii: "/") else {
      throw ValidationError("expected the absolute path of \(what), found \(shown)")
    }
    return path
  }

  /// The value as a grace period: the seconds between TERM and KILL.
  package func requireGrace() throws(ValidationError) -> Double {
    guard let number, number >= 0, number <= 86_400 else {
      throw ValidationError("expected a time in seconds from 0 to 86400, found \(shown)")
    }
    return number
  }

  /// The value as a duration in seconds.
  package func requireSeconds() throws(ValidationError) -> Double {
    guard let number, number > 0, number <= 31_536_000 else {
      throw ValidationError("expected a time in seconds, above 0 and at most 31536000, found \(shown)")
    }
    return number
  }

  /// The value as a list of texts that are not empty.
  package func requireNames() throws(ValidationError) -> [String] {
    guard kind == .array else { throw ValidationError("expected an array of names, found \(shown)") }
    var names: [String] = []
    try forEachElement { (index, element) throws(ValidationError) in
      do throws(ValidationError) { names.append(try element.requireName()) } catch { throw error.inside(index) }
    }
    return names
  }

  package func requireStrings() throws(ValidationError) -> [String] {
    guard kind == .array else { throw ValidationError("expected an array of strings, found \(shown)") }
    var strings: [String] = []
    try forEachElement { (index, element) throws(ValidationError) in
      do throws(ValidationError) { strings.append(try element.requireString()) } catch { throw error.inside(index) }
    }
    return strings
  }

  /// Calls `body` for each member. An error of `body` gets the key of the member in its pointer.
  ///
  /// - Parameter what: the words for the object that is expected.
  @usableFromInline @inline(__always)
  package func readMembers(
    of what: StaticString = "an object", _ body: (JSONKey, JSONRef) throws(ValidationError) -> Void
  ) throws(ValidationError) {
    try require(.object, what)
    try forEachMember { (key, value) throws(ValidationError) in
      do throws(ValidationError) { try body(key, value) } catch { throw error.inside(key.string) }
    }
  }

  /// The value as a message shows it.
  package var shown: String {
    switch kind {
    case .string: return "the string \(MessageFormat.quoted(string ?? "", limit: 40))"
    case .integer: return "the integer \(integer ?? 0)"
    case .real: return "the number \(number ?? 0)"
    case .boolean: return boolean == true ? "true" : "false"
    case .null: return "null"
    case .object, .array: return kind.rawValue
    }
  }
}

extension JSONKey {
  /// The key as a string without NUL, for objects whose keys are names of the user's.
  package func requireString() throws(ValidationError) -> String { try ValidationError.withoutNUL(bytes) }
}

extension ValidationError {
  /// jansson refuses NUL in text, but a value that a host has built may contain it.
  fileprivate static func withoutNUL(_ bytes: UnsafeRawBufferPointer) throws(ValidationError) -> String {
    if let start = bytes.baseAddress, memchr(start, 0, bytes.count) != nil {
      throw ValidationError("a string contains the character NUL, which names, paths and commands cannot contain")
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  fileprivate static func noChoice(_ word: String, _ what: String, _ names: [String]) -> ValidationError {
    ValidationError(
      "\(MessageFormat.quoted(word)) is not \(what): use \(MessageFormat.choice(names))"
        + MessageFormat.hint(for: word, among: names))
  }

  /// The error of a key that the grammar of the document does not have.
  ///
  /// - Parameter other: what the message says about a key that belongs somewhere else.
  package static func unknownKey(_ key: JSONKey, of what: String, known: [String], else other: String? = nil)
    -> ValidationError
  {
    unknownKey(key.string, of: what, known: known, else: other)
  }

  package static func unknownKey(_ name: String, of what: String, known: [String], else other: String? = nil)
    -> ValidationError
  {
    let list = known.isEmpty ? "no keys are allowed" : "expected \(MessageFormat.choice(known))"
    let hint = (other.map { "; " + $0 } ?? "") + MessageFormat.hint(for: name, among: known)
    return ValidationError("unknown key \(MessageFormat.quoted(name)) in \(what): \(list)\(hint)", isAboutKey: true)
  }

  package static func missingKey(_ key: String, of what: String) -> ValidationError {
    ValidationError("missing key \"\(key)\" in \(what)")
  }
}
