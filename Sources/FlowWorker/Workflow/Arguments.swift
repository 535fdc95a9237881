internal import CJansson
internal import FWBase
internal import FWModel
internal import FWVolumes

extension Declaration {
  /// Converts an argument to the parameter's type, in the way in which flowServ converts what users type.
  ///
  /// - Returns: the value, and the file that the run has under another key for it.
  func cast(_ json: JSONRef) throws(ValidationError) -> (value: JSONValue, placement: FilePlacement?) {
    if kind == .file { return try conversion.file(json, self) }
    return (try conversion.value(json, self), nil)
  }

  /// Throws if a default is not a value of the parameter's type. The default itself is used as it is, as in flowServ.
  func check(fallback json: JSONRef) throws(ValidationError) {
    if kind == .record, json.kind == .object {
      // The value of a record is an object, so that is the form which the steps expect.
      try conversion.check(object: json, of: self)
    } else {
      _ = try conversion.value(json, self)
    }
  }

  private var conversion: Conversion { Conversion(what: "the parameter \(MessageFormat.quoted(name))") }
}

/// The conversion of one argument.
private struct Conversion {
  /// How messages name what is converted.
  let what: String

  func value(_ json: JSONRef, _ declaration: Declaration) throws(ValidationError) -> JSONValue {
    let value: JSONValue?
    switch declaration.kind {
    case .int:
      switch integer(json) {
      case .integer(let number)?:
        try check(Double(number), declaration.range, json)
        value = .integer(number)
      case .infinite(let number)?:
        try check(number, declaration.range, json)
        value = try .text(ValueText.real(number))
      case nil: throw refused(json, "an integer")
      }
    case .float:
      guard let number = real(json) else { throw refused(json, "a number") }
      try check(number, declaration.range, json)
      // JSON has finite numbers only. The text is what a command would get.
      value = number.isFinite ? .real(number) : try .text(ValueText.real(number))
    case .bool:
      guard let flag = flag(json) else { throw refused(json, "true or false") }
      value = .boolean(flag)
    case .string: value = json.kind == .string ? JSONValue(keeping: json) : try .text(ValueText.string(json))
    case .file: value = try file(json, declaration).value
    case .select:
      guard declaration.choices.contains(json.choice) else {
        let known = MessageFormat.listed(declaration.values) { $0.read { $0.shownValue } }
        throw ValidationError("expected one of \(known) for \(what), found \(json.shown)")
      }
      value = JSONValue(keeping: json)
    case .actor:
      guard json.kind == .object else { throw refused(json, "the action of a step (an object)") }
      do throws(ValidationError) { try StepDocument.check(action: json) } catch {
        throw error.wrapped(in: "expected the action of a step for \(what): ")
      }
      value = JSONValue(keeping: json)
    case .list: value = try list(json, declaration)
    case .record: value = try record(json, declaration)
    }
    guard let value else { throw ValidationError(FlowError.noMemory.message) }
    return value
  }

  private func refused(_ json: JSONRef, _ wanted: String) -> ValidationError {
    ValidationError("expected \(wanted) for \(what), found \(json.shown)")
  }

  private func check(_ number: Double, _ range: NumberRange?, _ json: JSONRef) throws(ValidationError) {
    guard let range, !range.contains(number) else { return }
    throw ValidationError(
      "expected a value in the range \(MessageFormat.foreign(range.text)) for \(what), found \(json.shown)")
  }

  // MARK: Numbers and flags

  private enum IntegerValue {
    case integer(Int64)
    /// flowServ takes these for integers, too.
    case infinite(Double)
  }

  private func integer(_ json: JSONRef) -> IntegerValue? {
    if let integer = json.integer ?? json.boolean.map({ $0 ? 1 : 0 }) { return .integer(integer) }
    if let real = json.number { return Int64(exactly: real.rounded(.towardZero)).map { .integer($0) } }
    switch json.string {
    case "inf"?: return .infinite(.infinity)
    case "-inf"?: return .infinite(-.infinity)
    case let text?: return NumberText.integer(text).map { .integer($0) }
    case nil: return nil
    }
  }

  private func real(_ json: JSONRef) -> Double? {
    json.number ?? json.boolean.map { $0 ? 1 : 0 } ?? json.string.flatMap { NumberText.real($0) }
  }

  /// Reads a flag: a boolean, or one of the words that flowServ takes for true and false.
  private func flag(_ json: JSONRef) -> Bool? {
    switch json.kind {
    case .boolean: return json.boolean
    case .null: return false
    case .integer, .string:
      switch (json.string ?? json.integer.map { String($0) } ?? "").smallLetters {
      case "1", "t", "true": return true
      case "", "0", "f", "false": return false
      default: return nil
      }
    default: return nil
    }
  }

  // MARK: Files

  /// Takes the key of a file, or the key and a target as in flowServ's pairs.
  func file(_ json: JSONRef, _ declaration: Declaration) throws(ValidationError) -> (
    value: JSONValue, placement: FilePlacement?
  ) {
    var target = declaration.target
    var named = json
    if json.kind == .array, let first = json.element(0), let second = json.element(1), json.element(2) == nil {
      named = first
      if second.kind != .null { target = try second.requireName() }
    }
    guard let name = named.string, !name.isEmpty else { throw refused(json, "the key of a file (a string)") }
    guard let target else { return (try .text(name), nil) }
    let (source, place) = (try VolumeKey(checking: name), try VolumeKey(checking: target))
    return (
      try .text(target), source.path == place.path ? nil : FilePlacement(source: source, target: place)
    )
  }

  // MARK: Lists and records

  private func list(_ json: JSONRef, _ declaration: Declaration) throws(ValidationError) -> JSONValue {
    guard json.kind == .array else { throw refused(json, "a list") }
    guard let element = declaration.element else {
      guard let kept = JSONValue(keeping: json) else { throw ValidationError(FlowError.noMemory.message) }
      return kept
    }
    guard let raw = json_array() else { throw ValidationError(FlowError.noMemory.message) }
    let list = JSONValue(taking: raw)
    let inner = Conversion(what: "an element of \(what)")
    try json.forEachElement { (index, value) throws(ValidationError) in
      do throws(ValidationError) {
        let isAdded = try inner.value(value, element).read { json_array_append(raw, $0.raw) == 0 }
        guard isAdded else { throw ValidationError(FlowError.noMemory.message) }
      } catch { throw error.inside(index) }
    }
    return list
  }

  private func field(_ field: Declaration) -> Conversion {
    Conversion(what: "the field \(MessageFormat.quoted(field.name)) of \(what)")
  }

  private func unknownField(_ name: String, _ fields: Declarations) -> ValidationError {
    let names = fields.names
    return ValidationError(
      "\(what) has no field \(MessageFormat.quoted(name)): it has \(MessageFormat.names(names))"
        + MessageFormat.hint(for: name, among: names))
  }

  /// Makes an object of a list of `{"name", "value"}`, which is the form that flowServ takes.
  private func record(_ json: JSONRef, _ declaration: Declaration) throws(ValidationError) -> JSONValue {
    guard let fields = declaration.fields else {
      guard json.kind == .object else { throw refused(json, "a record (an object)") }
      guard let kept = JSONValue(keeping: json) else { throw ValidationError(FlowError.noMemory.message) }
      return kept
    }
    guard json.kind == .array else {
      throw refused(json, "a record (a list of objects with \"name\" and \"value\")")
    }
    var values: [Name: JSONValue] = [:]
    try json.forEachElement { (index, element) throws(ValidationError) in
      do throws(ValidationError) {
        var name: String?
        var given: JSONRef?
        try element.readMembers { (key, value) throws(ValidationError) in
          if key == "name" {
            name = try value.requireString()
          } else if key == "value" {
            given = value
          } else {
            throw .unknownKey(key, of: "a field of a record", known: ["name", "value"])
          }
        }
        guard let name else { throw ValidationError.missingKey("name", of: "a field of \(what)") }
        guard let given else { throw ValidationError.missingKey("value", of: "a field of \(what)") }
        guard let known = fields[name] else { throw unknownField(name, fields) }
        do throws(ValidationError) { values[Name(name)] = try field(known).value(given, known) } catch {
          throw error.inside("value")
        }
      } catch { throw error.inside(index) }
    }
    for known in fields.all where values[Name(known.name)] == nil {
      if let fallback = known.fallback {
        values[Name(known.name)] = try fallback.read { (json) throws(ValidationError) in
          try field(known).value(json, known)
        }
      } else if known.isRequired {
        throw ValidationError("\(what) lacks the field \(MessageFormat.quoted(known.name))")
      }
    }
    guard let object = JSONValue.object(values) else { throw ValidationError(FlowError.noMemory.message) }
    return object
  }

  /// Checks a record that is given as an object.
  func check(object json: JSONRef, of declaration: Declaration) throws(ValidationError) {
    guard let fields = declaration.fields else { return }
    try json.readMembers { (key, value) throws(ValidationError) in
      let name = key.string
      guard let known = fields[name] else { throw unknownField(name, fields) }
      let conversion = field(known)
      if known.kind == .record, value.kind == .object {
        try conversion.check(object: value, of: known)
      } else {
        _ = try conversion.value(value, known)
      }
    }
    for known in fields.all where known.isRequired && known.fallback == nil && json.member(known.name) == nil {
      throw ValidationError("\(what) lacks the field \(MessageFormat.quoted(known.name))")
    }
  }
}

extension JSONRef {
  fileprivate var shownValue: String { string.map { MessageFormat.quoted($0) } ?? shown }

  /// A name that two scalars share if they are equal in Python, where 1, 1.0 and true are. Arrays and objects share it
  /// if they are the same JSON.
  var choice: Name {
    if let number = integer ?? boolean.map({ $0 ? 1 : 0 }) { return Name("n\(number)") }
    if let number { return Name("n" + (Int64(exactly: number).map(String.init) ?? ValueText.real(number))) }
    if let string { return Name("s" + string) }
    guard let text = JSONText.compact(self, sortingKeys: true) else { return "" }
    return Name("j" + text.string)
  }
}
