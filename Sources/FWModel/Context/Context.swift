internal import CJansson
package import FWBase

/// The values that the commands of a workflow's steps may refer to. A run takes the values as they are when it starts,
/// so setting a value later does not change the run.
package final class Context: Sendable {
  private let values: Guarded<ContextValues>

  /// - Parameter text: JSON text of an object; `nil` for an empty context.
  package init(_ text: UnsafeRawBufferPointer?) throws(FlowError) {
    guard let text else {
      guard let empty = json_object() else { throw .noMemory }
      values = try Guarded(ContextValues(JSONValue(taking: empty)))
      return
    }
    let value = try JSONText.parse(text)
    do throws(ValidationError) {
      try value.read { (json) throws(ValidationError) in try json.require(.object, "a context (an object of values)") }
    } catch { throw error.error(in: text) }
    values = try Guarded(ContextValues(value))
  }

  package init(_ values: ContextValues) throws(FlowError) { self.values = try Guarded(values) }

  package var snapshot: ContextValues { values.withLock { $0 } }

  package func get(_ name: String) throws(FlowError) -> CString {
    try snapshot.object.read { (object) throws(FlowError) in
      guard let value = object.member(name) else {
        throw FlowError(.unknown, "the context has no value named \(MessageFormat.quoted(name))")
      }
      guard let text = JSONText.compact(value) else { throw .noMemory }
      return text
    }
  }

  package func set(_ name: String, _ text: UnsafeRawBufferPointer) throws(FlowError) {
    guard set(name, try JSONText.parse(text)) else { throw .noMemory }
  }

  /// Makes all code steps that run with this context calls of one function.
  package func set(function: Function) {
    // The previous function is released after the lock, because its release may call the host.
    _ = values.withLock { values in
      let before = values.function
      values.function = function
      return before
    }
  }

  /// Sets a value. Gives false, and changes nothing, if there is no memory for it.
  ///
  /// - Parameter object: the host's object, where the value is more than its JSON.
  package func set(_ name: String, _ value: JSONValue, object: HostObject? = nil) -> Bool {
    values.withLock { values in
      if !isKnownUniquelyReferenced(&values.object) {
        // A run holds the object and must not see the change, so the context changes a copy.
        guard let copy = values.object.read({ json_copy($0.raw) }) else { return false }
        values.object = JSONValue(taking: copy)
      }
      let isSet = values.object.read { object in value.read { json_object_set(object.raw, name, $0.raw) == 0 } }
      if isSet { values.objects[Name(name)] = object }
      return isSet
    }
  }

  package func toJSON() throws(FlowError) -> CString {
    guard let text = snapshot.object.read({ JSONText.compact($0) }) else { throw .noMemory }
    return text
  }
}

/// The values of a context at one moment.
package struct ContextValues: Sendable {
  package fileprivate(set) var object: JSONValue
  /// The function that runs code steps; `nil` if they call the functions of the pool.
  package fileprivate(set) var function: Function?
  /// The host's objects, by the names of their values. The JSON of such a value is only for display.
  package fileprivate(set) var objects: [Name: HostObject] = [:]
  /// The values of an instance of a step, which hide those of the context.
  private var own: JSONValue?

  package init(_ object: JSONValue, _ function: Function? = nil) {
    self.object = object
    self.function = function
  }

  /// The names of all values.
  package var names: [String] {
    var names: [String] = []
    forEachMember { key, _ in names.append(key.string) }
    return names
  }

  /// Calls `body` with each name and value. The values live as long as these values do.
  package func forEachMember(_ body: (JSONKey, JSONRef) -> Void) {
    guard let own else { return object.read { $0.forEachMember(body) } }
    object.read { object in
      own.read { own in
        object.forEachMember { key, value in
          if json_object_getn(own.raw, key.start, key.count) == nil { body(key, value) }
        }
        own.forEachMember(body)
      }
    }
  }

  /// The values that a step sees. An instance has values of its own, which hide those of the context; of a step whose
  /// instances are not known yet, the objects of such names are hidden.
  package func seen(by step: Step) -> ContextValues {
    guard let forEach = step.forEach else { return self }
    var values = self
    values.own = step.values
    if !objects.isEmpty { for variable in forEach.variables { values.objects[variable.name] = nil } }
    return values
  }

  /// The values that a step may use; `nil` if there is no memory for them.
  package func only(_ reads: ValueReads) -> ContextValues? {
    guard case .names(let names) = reads else { return self }
    var kept: [Name: JSONValue] = [:]
    for name in names { kept[name] = self[name.text].flatMap { JSONValue(keeping: $0) } }
    guard let object = JSONValue.object(kept) else { return nil }
    var values = ContextValues(object, function)
    for name in names { values.objects[name] = objects[name] }
    return values
  }

  /// The values without those of some names; `nil` if there is no memory for it.
  package func without(_ names: Set<Name>) -> JSONValue? {
    if names.isEmpty, own == nil { return object }
    guard let copy = object.read({ json_copy($0.raw) }) else { return nil }
    if let own, own.read({ json_object_update(copy, $0.raw) }) != 0 {
      json_decref(copy)
      return nil
    }
    for name in names {
      _ = name.bytes.withUnsafeBytes {
        json_object_deln(copy, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
      }
    }
    return JSONValue(taking: copy)
  }

  /// The values with three stars in the place of those of some names; `nil` if there is no memory for it.
  package func hiding(_ names: Set<Name>) -> JSONValue? {
    if names.isEmpty { return object }
    guard let copy = object.read({ json_copy($0.raw) }) else { return nil }
    let hidden = JSONValue(taking: copy)
    for name in names where self[name.text] != nil {
      let isSet = name.bytes.withUnsafeBytes {
        json_object_setn_new(
          copy, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count, json_string("***")) == 0
      }
      guard isSet else { return nil }
    }
    return hidden
  }

  /// The value of a name, which lives as long as these values do.
  package subscript(name: String) -> JSONRef? {
    var name = name
    return name.withUTF8 { self[UnsafeRawBufferPointer($0)] }
  }

  /// The value of a name, which lives as long as these values do.
  @inline(__always)
  subscript(name: UnsafeRawBufferPointer) -> JSONRef? {
    guard let start = name.baseAddress?.assumingMemoryBound(to: CChar.self) else { return nil }
    if let own, let value = own.read({ json_object_getn($0.raw, start, name.count) }) { return JSONRef(value) }
    return object.read { json_object_getn($0.raw, start, name.count) }.map(JSONRef.init)
  }
}
