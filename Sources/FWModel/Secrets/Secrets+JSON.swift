package import FWBase

/// Values of JSON without secrets.
extension Secrets {
  package func isIn(_ text: String) -> Bool { !tree.isEmpty && !masked(text).isSame(as: text) }

  package func isIn(_ value: JSONValue) -> Bool {
    guard !tree.isEmpty, let text = value.read({ JSONText.compact($0) }) else { return false }
    let hidden = masked(json: text.bytes)
    return !hidden.bytes.elementsEqual(text.bytes)
  }

  /// A value in whose strings, names and numbers there is none of them; `nil`: there is no memory for it.
  package func masked(_ value: JSONValue?) -> JSONValue? {
    guard let value, !tree.isEmpty else { return value }
    guard let text = value.read({ JSONText.compact($0) }) else { return nil }
    let hidden = masked(json: text.bytes)
    return try? JSONText.parse(hidden.bytes)
  }

  /// Goes over the text, and not down into the value: that may be deep, and the thread's stack small.
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
        while at < text.count, text[at] == UInt8(ascii: "-") || text[at] == UInt8(ascii: ".") || isAlphanumeric(text[at]) {
          at += 1
        }
      }
      // What is between values stands for itself.
      if at == begin { at += 1 }
      let token = UnsafeRawBufferPointer(rebasing: text[begin..<min(at, text.count)])
      if isString || token.count > 1 { append(token, isString: isString, to: &result) } else { result.append(token) }
    }
    return result
  }

  private func isAlphanumeric(_ byte: UInt8) -> Bool {
    let letter = byte | 0x20
    return byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") || letter >= UInt8(ascii: "a") && letter <= UInt8(ascii: "z")
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

