internal import CJansson
internal import CSystem
package import FWBase
internal import FWModel

/// Builds the JSON of worker specifications, as flowServ's functions of these names do.
package enum SpecBuilder {
  /// - Parameters:
  ///   - variables: JSON text of an object; `nil` for none.
  ///   - env: JSON text of an object; `nil` for none.
  ///   - options: JSON text of an object, whose keys the reader of the specification checks; `nil` for none.
  package static func worker(
    type: String, identifier: String?, variables: UnsafeRawBufferPointer?, env: UnsafeRawBufferPointer?,
    volume: String?, options: UnsafeRawBufferPointer?
  ) throws(FlowError) -> CString {
    let names = WorkerRegistry.all.map(\.type.name)
    guard names.contains(where: { $0.isSame(as: type) }) else {
      throw FlowError(
        .document,
        "\(MessageFormat.quoted(type)) is not a worker type: use \(MessageFormat.choice(names))"
          + MessageFormat.hint(for: type, among: names)
      )
    }
    if identifier?.isEmpty == true { throw FlowError(.document, "the identifier of a worker is empty") }
    guard let document = json_object() else { throw .noMemory }
    let spec = JSONValue(taking: document)
    set(spec, "name", json_string(identifier ?? uniqueIdentifier()))
    set(spec, "type", json_string(type))
    set(spec, "env", try argument("env") { () throws(FlowError) in try pairs(env, .environment) })
    set(spec, "variables", try argument("variables") { () throws(FlowError) in try pairs(variables, .any) })
    if let volume, !volume.isEmpty { set(spec, "volume", json_string(volume)) }
    if let options {
      try argument("options") { () throws(FlowError) in
        try JSONText.read(options) { (value) throws(ValidationError) in
          try value.require(.object)
          set(spec, "options", json_incref(value.raw))
        }
      }
    }
    guard let text = spec.read({ JSONText.compact($0) }) else { throw FlowError.noMemory }
    return text
  }

  /// Reads one of the builder's JSON texts. An error names the argument, because a builder has up to three of them.
  private static func argument<Value>(_ name: String, _ read: () throws(FlowError) -> Value) throws(FlowError) -> Value
  {
    do { return try read() } catch {
      if error.code == .noMemory { throw error }
      throw FlowError(
        error.code, "the argument \"\(name)\": \(error.message)", path: error.path, position: error.position)
    }
  }

  private static func set(_ document: JSONValue, _ key: String, _ value: UnsafeMutablePointer<json_t>?) {
    document.read { _ = json_object_set_new($0.raw, key, value) }
  }

  /// Turns an object into an array of `{"key", "value"}`. Integers stay integers.
  private static func pairs(
    _ text: UnsafeRawBufferPointer?, _ keys: KeyValues.Keys
  ) throws(FlowError) -> UnsafeMutablePointer<json_t>? {
    guard let text else { return json_array() }
    return try JSONText.read(text) { (values) throws(ValidationError) in
      try values.require(.object)
      _ = try KeyValues(reading: values, keys)
      let list = json_array()
      values.forEachMember { key, value in
        let pair = json_object()
        json_object_set_new(pair, "key", json_stringn(key.start, key.count))
        json_object_set(pair, "value", value.raw)
        json_array_append_new(list, pair)
      }
      return list
    }
  }
}
