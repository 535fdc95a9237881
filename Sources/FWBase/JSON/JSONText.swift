internal import CJansson
internal import Glibc

/// Reads JSON text with jansson, and turns jansson's errors into those of the library.
@usableFromInline package enum JSONText {
  private static let flags = Int(JSON_REJECT_DUPLICATES) | Int(JSON_DECODE_ANY)

  /// The longest text that jansson can read, because it counts bytes in an `int`.
  private static let longest = Int(Int32.max)

  /// Reads a whole text as one value.
  ///
  /// - Parameter allowingNUL: whether strings may contain NUL, which is for texts of the library's own that are only
  ///   shown.
  package static func parse(_ text: UnsafeRawBufferPointer, allowingNUL: Bool = false) throws(FlowError) -> JSONValue {
    try parse(text, flags: allowingNUL ? flags | Int(JSON_ALLOW_NUL) : flags)
  }

  /// Reads the value at the beginning of a file of another program. As most programs read JSON, the last of several
  /// equal keys counts, strings may contain NUL, and text behind the value is ignored.
  package static func parse(foreign text: UnsafeRawBufferPointer) throws(FlowError) -> JSONValue {
    try parse(text, flags: Int(JSON_DECODE_ANY) | Int(JSON_ALLOW_NUL) | Int(JSON_DISABLE_EOF_CHECK))
  }

  private static func parse(_ text: UnsafeRawBufferPointer, flags: Int) throws(FlowError) -> JSONValue {
    if text.count > longest {
      throw FlowError(
        .document, "the text has \(text.count) bytes, which is too large: a document has at most \(longest)")
    }
    var failure = json_error_t()
    let start = text.bindMemory(to: CChar.self)
    guard let base = start.baseAddress, let value = json_loadb(base, start.count, flags, &failure) else {
      throw text.isEmpty ? emptyText : error(failure, in: text)
    }
    let parsed = JSONValue(taking: value)
    if let null = nullByte(in: text) { throw containsNull(text, null) }
    return parsed
  }

  /// The offset of the first NUL byte. jansson passes over one that is directly behind a number or a literal.
  private static func nullByte(in text: UnsafeRawBufferPointer) -> Int? {
    guard let base = text.baseAddress, let found = memchr(base, 0, text.count) else { return nil }
    return UnsafeRawPointer(found) - base
  }

  private static func containsNull(_ text: UnsafeRawBufferPointer, _ offset: Int) -> FlowError {
    FlowError(
      .syntax, "the text contains a NUL byte, which JSON does not allow: is its length right?",
      position: JSONLocator(text: text).position(ofByte: offset))
  }

  /// Reads a whole text as a document. An error of the reader gets its position in the text.
  @usableFromInline package static func read<Document>(
    _ text: UnsafeRawBufferPointer, _ body: (JSONRef) throws(ValidationError) -> Document
  ) throws(FlowError) -> Document {
    let value = try parse(text)
    do throws(ValidationError) { return try value.read(body) } catch { throw error.error(in: text) }
  }

  /// Reads the value that begins at `offset`, and moves `offset` behind it. Gives `nil` if no value begins there.
  package static func value(in text: UnsafeRawBufferPointer, at offset: inout Int) -> JSONValue? {
    var failure = json_error_t()
    guard offset < text.count, let base = text.baseAddress else { return nil }
    let start = base.assumingMemoryBound(to: CChar.self) + offset
    // A value may be no longer than a document.
    guard
      let value = json_loadb(start, min(text.count - offset, longest), flags | Int(JSON_DISABLE_EOF_CHECK), &failure)
    else { return nil }
    let parsed = JSONValue(taking: value)
    let end = offset + Int(failure.position)
    guard end <= text.count, nullByte(in: UnsafeRawBufferPointer(rebasing: text[offset..<end])) == nil else {
      return nil
    }
    offset = end
    return parsed
  }

  /// The error of a text that was read in parts, one of which a reader refused. If any of the text is not JSON, this is
  /// reported instead, so the error does not depend on the parts.
  package static func refused(_ refusal: ValidationError, in text: UnsafeRawBufferPointer) -> FlowError {
    do {
      _ = try parse(text)
    } catch {
      return error
    }
    return refusal.error(in: text)
  }

  /// The error of a text that is not JSON, for readers that read it in parts. The text is read again as a whole, so the
  /// message and the position do not depend on the parts.
  package static func syntaxError(in text: UnsafeRawBufferPointer) -> FlowError {
    do {
      _ = try parse(text)
    } catch {
      return error
    }
    return FlowError(.syntax, "the text is not valid JSON", path: nil, position: nil)
  }

  private static let emptyText = FlowError(
    .syntax, "expected a JSON document, found an empty text, or the length 0",
    position: TextPosition(line: 1, column: 1))

  private static func error(_ failure: json_error_t, in text: UnsafeRawBufferPointer) -> FlowError {
    var failure = failure
    let words = withUnsafePointer(to: &failure) { String(cString: fwj_error_text($0)) }
    let code = withUnsafePointer(to: &failure) { fwj_error_code($0) }
    // jansson points behind the unexpected token. The beginning of the token is more useful.
    var offset = max(0, min(Int(failure.position), text.count))
    let (explanation, token) = split(words)
    // jansson says nothing when it has no memory for an element or a member.
    if explanation.isEmpty { return .noMemory }
    let shownToken = token.map { MessageFormat.foreign($0) }
    // jansson takes a NUL byte for the end of the text.
    if let null = nullByte(in: text), null <= offset { return containsNull(text, null) }
    if let token, token.utf8.count <= offset {
      offset -= token.utf8.count
    } else if token == nil, code != Int32(bitPattern: json_error_premature_end_of_input.rawValue) {
      offset = tokenStart(in: text, before: offset)
    }
    let shown = token.map { MessageFormat.quoted($0) }

    let message: String
    var isOfValue = false
    switch json_error_code(rawValue: UInt32(truncatingIfNeeded: code)) {
    case json_error_out_of_memory: return .noMemory
    case json_error_duplicate_key:
      message = "duplicate key \(shownToken ?? "in an object")"
    case json_error_null_character, json_error_null_byte_in_key:
      message = "a string contains the character NUL (\\u0000), which names, paths and commands cannot contain"
      isOfValue = true
    case json_error_numeric_overflow:
      message = "the number \(shownToken ?? "here") is too large: integers go from -2^63 to 2^63-1, others to 1.8e308"
      isOfValue = true
    case json_error_stack_overflow:
      message = "the document has more than 2,048 levels of nesting"
    case json_error_invalid_utf8:
      message = "the text is not valid UTF-8 (\(MessageFormat.foreign(explanation)))"
    case json_error_premature_end_of_input:
      message = "the text ends in the middle of a value, or its length is too small"
    default:
      message =
        "the text is not valid JSON: \(MessageFormat.foreign(explanation))\(shown.map { " near \($0)" } ?? "")"
        + JSONHint(text: text).hint(at: offset, explanation)
    }
    let locator = JSONLocator(text: text)
    // Whoever has a text made of values has the text of this error only, and knows the value by its way.
    let path = isOfValue ? locator.pointer(toByte: offset).text : ""
    return FlowError(.syntax, message, path: path.isEmpty ? nil : path, position: locator.position(ofByte: offset))
  }

  /// The offset of the token that ends at `end`. jansson does not show tokens of more than 20 bytes.
  private static func tokenStart(in text: UnsafeRawBufferPointer, before end: Int) -> Int {
    guard end > 0, end <= text.count else { return end }
    var at = end
    if text[end - 1] == UInt8(ascii: "\"") {
      at -= 1
      while at > 0 {
        at -= 1
        guard text[at] == UInt8(ascii: "\"") else { continue }
        let backslashes = text[..<at].reversed().prefix { $0 == UInt8(ascii: "\\") }.count
        if backslashes % 2 == 0 { return at }
      }
      return end
    }
    while at > 0, isWordByte(text[at - 1]) { at -= 1 }
    return at
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
      return true
    default: return false
    }
  }

  /// Splits jansson's `EXPLANATION near 'TOKEN'`.
  private static func split(_ words: String) -> (words: String, token: String?) {
    let bytes = Array(words.utf8)
    let mark = Array(" near '".utf8)
    guard bytes.last == UInt8(ascii: "'"), bytes.count > mark.count else { return (words, nil) }
    for start in 0..<(bytes.count - mark.count) where bytes[start..<(start + mark.count)].elementsEqual(mark) {
      return (
        String(decoding: bytes[..<start], as: UTF8.self),
        String(decoding: bytes[(start + mark.count)..<(bytes.count - 1)], as: UTF8.self)
      )
    }
    return (words, nil)
  }

  /// The value as compact JSON text.
  package static func compact(_ value: JSONRef, sortingKeys: Bool = false) -> CString? {
    let flags = Int(JSON_COMPACT) | Int(JSON_ENCODE_ANY) | (sortingKeys ? Int(JSON_SORT_KEYS) : 0)
    return json_dumps(value.raw, flags).map { CString(taking: $0) }
  }
}
