/// Finds positions in a JSON text for error messages. jansson keeps no positions, so the text is scanned once more when
/// an error needs one. The text up to the position is valid JSON, because jansson has read it before.
package struct JSONLocator {
  package let text: UnsafeRawBufferPointer

  package init(text: UnsafeRawBufferPointer) {
    self.text = text
  }

  /// The line and the column (in characters) of a byte.
  func position(ofByte offset: Int) -> TextPosition {
    var line = 1
    var column = 1
    for byte in text.prefix(max(0, offset)) {
      if byte == UInt8(ascii: "\n") {
        line += 1
        column = 1
      } else if byte & 0xC0 != 0x80 {
        column += 1
      }
    }
    return TextPosition(line: line, column: column)
  }

  /// The position of a value, or of the key of its member.
  func position(of pointer: JSONPointer, atKey: Bool) -> TextPosition? {
    var at = skipSpace(0)
    var key = at
    for step in pointer.steps {
      switch step {
      case .index(let index):
        guard byte(at) == UInt8(ascii: "[") else { return nil }
        at = skipSpace(at + 1)
        for _ in 0..<index {
          at = skipSpace(skipValue(at))
          guard byte(at) == UInt8(ascii: ",") else { return nil }
          at = skipSpace(at + 1)
        }
        key = at
      case .key(let name):
        guard byte(at) == UInt8(ascii: "{") else { return nil }
        at = skipSpace(at + 1)
        while true {
          guard byte(at) == UInt8(ascii: "\"") else { return nil }
          key = at
          let end = skipString(at)
          var offset = at
          let found = JSONText.value(in: text, at: &offset)?.read { $0.string?.isSame(as: name) } == true
          at = skipSpace(skipSpace(end) + 1)  // + 1 passes over the colon
          if found { break }
          at = skipSpace(skipValue(at))
          guard byte(at) == UInt8(ascii: ",") else { return nil }
          at = skipSpace(at + 1)
        }
      }
    }
    guard at < text.count else { return nil }
    return position(ofByte: atKey ? key : at)
  }

  /// The way to the value in which a byte is. A key that has no colon behind it belongs to its object.
  func pointer(toByte offset: Int) -> JSONPointer {
    /// The values that begin before the byte and end behind it. `key` is where the key of the member at hand begins.
    var open: [(isObject: Bool, index: Int, key: Int?)] = []
    var string = 0
    var at = 0
    while at < offset, let byte = byte(at) {
      switch byte {
      case UInt8(ascii: "\""):
        string = at
        at = skipString(at)
        continue
      case UInt8(ascii: "["), UInt8(ascii: "{"): open.append((byte == UInt8(ascii: "{"), 0, nil))
      case UInt8(ascii: "]"), UInt8(ascii: "}"): open.removeLast(open.isEmpty ? 0 : 1)
      case UInt8(ascii: ":"): if var last = open.popLast() { last.key = string; open.append(last) }
      case UInt8(ascii: ","):
        if var last = open.popLast() { (last.index, last.key) = (last.index + 1, nil); open.append(last) }
      default: break
      }
      at += 1
    }
    return JSONPointer(
      steps: open.compactMap { (value) -> JSONPointer.Step? in
        guard value.isObject else { return .index(value.index) }
        guard var key = value.key else { return nil }
        return JSONText.value(in: text, at: &key)?.read { $0.string.map { .key($0) } }
      })
  }

  private func byte(_ at: Int) -> UInt8? { at >= 0 && at < text.count ? text[at] : nil }

  package func skipSpace(_ start: Int) -> Int {
    var at = start
    while let byte = byte(at), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { at += 1 }
    return at
  }

  private func skipString(_ start: Int) -> Int {
    var at = start + 1
    while let byte = byte(at), byte != UInt8(ascii: "\"") { at += byte == UInt8(ascii: "\\") ? 2 : 1 }
    return at + 1
  }

  /// The offset behind the value that begins at `start`. Brackets are counted, so the depth of a value costs no stack.
  private func skipValue(_ start: Int) -> Int {
    var at = start
    var depth = 0
    while let byte = byte(at) {
      switch byte {
      case UInt8(ascii: "\""): at = skipString(at)
      case UInt8(ascii: "["), UInt8(ascii: "{"):
        depth += 1
        at += 1
      case UInt8(ascii: "]"), UInt8(ascii: "}"):
        if depth == 0 { return at }
        depth -= 1
        at += 1
      case UInt8(ascii: ","):
        if depth == 0 { return at }
        at += 1
      default: at += 1
      }
      if depth == 0, let next = self.byte(at),
        next == UInt8(ascii: ",") || next == UInt8(ascii: "]") || next == UInt8(ascii: "}")
      {
        return at
      }
    }
    return at
  }
}
