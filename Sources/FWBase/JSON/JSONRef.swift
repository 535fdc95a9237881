public import CJansson
internal import Glibc

/// A borrowed JSON value, which the owner of its document keeps alive.
@usableFromInline package struct JSONRef {
  package typealias Raw = json_t
  package let raw: UnsafeMutablePointer<json_t>

  @usableFromInline package init(_ raw: UnsafeMutablePointer<json_t>) { self.raw = raw }

  @usableFromInline package enum Kind: String {
    case object = "an object"
    case array = "an array"
    case string = "a string"
    case integer = "an integer"
    case real = "a number with a fraction or an exponent"
    case boolean = "true or false"
    case null = "null"
  }

  @usableFromInline @inline(__always) package var kind: Kind {
    switch json_type(rawValue: UInt32(truncatingIfNeeded: fwj_type(raw))) {
    case JSON_OBJECT: return .object
    case JSON_ARRAY: return .array
    case JSON_STRING: return .string
    case JSON_INTEGER: return .integer
    case JSON_REAL: return .real
    case JSON_TRUE, JSON_FALSE: return .boolean
    default: return .null
    }
  }

  /// The bytes of a string, which live as long as the value does.
  @usableFromInline @inline(__always) var bytes: UnsafeRawBufferPointer? {
    guard let text = json_string_value(raw) else { return nil }
    return UnsafeRawBufferPointer(start: text, count: json_string_length(raw))
  }

  package var string: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

  package var integer: Int64? { kind == .integer ? Int64(json_integer_value(raw)) : nil }

  /// The value of a number, whether it is written as an integer or not.
  package var number: Double? { kind == .integer || kind == .real ? json_number_value(raw) : nil }

  package var boolean: Bool? { kind == .boolean ? fwj_is_true(raw) != 0 : nil }

  @usableFromInline @inline(__always) package var count: Int {
    kind == .object ? json_object_size(raw) : json_array_size(raw)
  }

  @usableFromInline @inline(__always) package func element(_ index: Int) -> JSONRef? {
    json_array_get(raw, index).map(JSONRef.init)
  }

  /// Calls `body` with the index and value of each element of an array. Other values have no elements.
  @usableFromInline @inline(__always) package func forEachElement<E: Error>(_ body: (Int, JSONRef) throws(E) -> Void)
    throws(E)
  {
    for index in 0..<json_array_size(raw) {
      if let element = element(index) { try body(index, element) }
    }
  }

  /// The member of an object with a key; `nil` where there is none. A literal costs no copy of the key.
  @usableFromInline @inline(__always)
  package subscript(key: StaticString) -> JSONRef? {
    let start = UnsafeRawPointer(key.utf8Start).assumingMemoryBound(to: CChar.self)
    return json_object_getn(raw, start, key.utf8CodeUnitCount).map(JSONRef.init)
  }

  /// The member with a key that is no literal.
  package func member(_ key: String) -> JSONRef? { json_object_get(raw, key).map(JSONRef.init) }

  /// Calls `body` with each member of an object, in the order of the document. Other values have no members.
  @usableFromInline @inline(__always) package func forEachMember<E: Error>(_ body: (JSONKey, JSONRef) throws(E) -> Void)
    throws(E)
  {
    var position = json_object_iter(raw)
    while let at = position {
      if let key = json_object_iter_key(at), let value = json_object_iter_value(at) {
        try body(JSONKey(start: key, count: json_object_iter_key_len(at)), JSONRef(value))
      }
      position = json_object_iter_next(raw, at)
    }
  }
}

/// A borrowed key of an object, which is compared without making a `String` of it.
@usableFromInline package struct JSONKey {
  package let start: UnsafePointer<CChar>
  package let count: Int

  @usableFromInline var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }
  package var string: String { String(decoding: bytes, as: UTF8.self) }

  @usableFromInline @inline(__always) package static func == (key: JSONKey, name: StaticString) -> Bool {
    key.count == name.utf8CodeUnitCount && memcmp(key.start, name.utf8Start, key.count) == 0
  }
}

/// A JSON value that owns a reference to its jansson value.
@usableFromInline package final class JSONValue: @unchecked Sendable {
  // The conformance is unchecked because jansson counts references atomically, and nothing changes a value that is
  // here.
  @usableFromInline let raw: UnsafeMutablePointer<json_t>

  /// Takes over the caller's reference.
  package init(taking raw: UnsafeMutablePointer<json_t>) { self.raw = raw }

  /// Keeps a value of a document alive when the document is freed.
  package init?(keeping value: JSONRef) {
    guard let raw = json_incref(value.raw) else { return nil }
    self.raw = raw
  }

  deinit { json_decref(raw) }

  /// Lends the value to a closure, because Swift may release an object after its last use, which can be before the last
  /// use of a pointer into it.
  @inlinable @inline(__always)
  package func read<Result: ~Copyable, E: Error>(_ body: (JSONRef) throws(E) -> Result) throws(E) -> Result {
    defer { withExtendedLifetime(self) {} }
    return try body(JSONRef(raw))
  }
}
