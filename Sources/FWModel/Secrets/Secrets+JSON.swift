package import FWBase

/// The search for secrets in texts and JSON values.
extension Secrets {
  /// Whether a text has a secret in it.
  package func isIn(_ text: String) -> Bool { !tree.isEmpty && !masked(text).isSame(as: text) }

  /// Whether a value has a secret in a string, a name of a member, or a number.
  package func isIn(_ value: JSONValue) -> Bool {
    guard !tree.isEmpty, let text = value.read({ JSONText.compact($0) }) else { return false }
    let hidden = masked(json: text.bytes)
    return !hidden.bytes.elementsEqual(text.bytes)
  }

  /// The value with its secrets hidden in strings, names of members, and numbers; `nil` if there is no memory for it.
  package func masked(_ value: JSONValue?) -> JSONValue? {
    guard let value, !tree.isEmpty else { return value }
    guard let text = value.read({ JSONText.compact($0) }) else { return nil }
    let hidden = masked(json: text.bytes)
    return try? JSONText.parse(hidden.bytes)
  }

  /// Works on the text of a value. A recursion into the value could overflow the stack, because a value may be deep.
  private func masked(json text: UnsafeRawBufferPointer) -> ByteBuffer {
    var result = ByteBuffer()
    var at = 0
    while at < text.count {
      let begin = at
      let isString = text[at] == UInt8(ascii: "\"")
      if isString {
        at += 1
        while at < text.count, text[at] != UInt8(ascii: "\"") { at += text[at] == UInt8(ascii: "\\") ? 2 : 1 }
        at += 1
      } else {
        while at < text.count,
          text[at] == UInt8(ascii: "-") || text[at] == UInt8(ascii: ".") || isAlphanumeric(text[at])
        {
          at += 1
        }
      }
      // A byte between values is kept as it is.
      if at == begin { at += 1 }
      let token = UnsafeRawBufferPointer(rebasing: text[begin..<min(at, text.count)])
      if isString || token.count > 1 { append(token, isString: isString, to: &result) } else { result.append(token) }
    }
    return result
  }

  private func isAlphanumeric(_ byte: UInt8) -> Bool {
    let letter = byte | 0x20
    return byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
      || letter >= UInt8(ascii: "a") && letter <= UInt8(ascii: "z")
      || byte == UInt8(ascii: "+")
  }

  private func append(_ token: UnsafeRawBufferPointer, isString: Bool, to result: inout ByteBuffer) {
    let text = isString ? (try? JSONText.parse(token))?.read { $0.string } : String(decoding: token, as: UTF8.self)
    guard let text else { return result.append("null" as StaticString) }
    let hidden = masked(text)
    if hidden.isSame(as: text) { return result.append(token) }
    var writer = JSONWriter()
    writer.string(hidden)
    let shown = writer.buffer()
    result.append(shown.bytes)
  }
}
