package import FWBase

/// A command with placeholders. It is parsed once, and expanded for each run.
///
/// The syntax is that of Python's `string.Template`, which flowServ uses: `$name`, `${name}`, and `$$` for a dollar.
/// Names have ASCII letters, digits and `_`.
package struct Template: Sendable {
  /// A dollar that begins no placeholder.
  struct Fault: Error, Equatable {
    let position: TextPosition
    /// The text from the dollar on, for the message.
    let following: String
  }

  private struct Piece: Sendable {
    let start: Int
    let count: Int
    /// The hash of the name of a placeholder; `nil` for plain text.
    let hash: UInt32?
  }

  private let source: ContiguousArray<UInt8>
  private var pieces: ContiguousArray<Piece> = []
  /// The first dollar that begins no placeholder. It is an error only when the command is run.
  let fault: Fault?

  package init(_ command: String) {
    source = ContiguousArray(command.utf8)
    fault = Template.parse(source, &pieces)
  }

  private static func parse(_ source: ContiguousArray<UInt8>, _ pieces: inout ContiguousArray<Piece>) -> Fault? {
    source.withUnsafeBytes { bytes in
      var plain = 0
      var at = 0
      while at < bytes.count {
        guard bytes[at] == UInt8(ascii: "$") else {
          at += 1
          continue
        }
        let next = at + 1 < bytes.count ? bytes[at + 1] : 0
        if next == UInt8(ascii: "$") {
          // The first dollar belongs to the text before it, and the second is left out.
          pieces.append(Piece(start: plain, count: at + 1 - plain, hash: nil))
          at += 2
          plain = at
          continue
        }
        let isBraced = next == UInt8(ascii: "{")
        let start = at + (isBraced ? 2 : 1)
        let end = nameEnd(bytes, start)
        guard end > start, !isBraced || end < bytes.count && bytes[end] == UInt8(ascii: "}") else {
          return Fault(
            position: position(of: at, in: bytes),
            following: String(decoding: UnsafeRawBufferPointer(rebasing: bytes[at...].prefix(20)), as: UTF8.self))
        }
        if at > plain { pieces.append(Piece(start: plain, count: at - plain, hash: nil)) }
        let name = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        pieces.append(Piece(start: start, count: end - start, hash: Name.hash(name)))
        at = isBraced ? end + 1 : end
        plain = at
      }
      if bytes.count > plain { pieces.append(Piece(start: plain, count: bytes.count - plain, hash: nil)) }
      return nil
    }
  }

  /// The index behind the name that begins at `start`; `start` if no name does.
  private static func nameEnd(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int {
    var at = start
    while at < bytes.count {
      let byte = bytes[at]
      let isLetter = byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z") || byte == UInt8(ascii: "_")
      let isDigit = byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
      guard isLetter || isDigit && at > start else { break }
      at += 1
    }
    return at
  }

  /// The line and the column, as Python counts them: in characters, and with all of its line ends.
  private static func position(of offset: Int, in bytes: UnsafeRawBufferPointer) -> TextPosition {
    let before = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[..<offset]), as: UTF8.self)
    var line = 1
    var column = 1
    var wasReturn = false
    for scalar in before.unicodeScalars {
      if scalar == "\n", wasReturn {
        wasReturn = false
        continue
      }
      wasReturn = scalar == "\r"
      switch scalar.value {
      case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029:
        line += 1
        column = 1
      default: column += 1
      }
    }
    return TextPosition(line: line, column: column)
  }

  /// The first placeholder whose name matches, and the position of the name.
  func firstPlaceholder(where matches: (String) -> Bool) -> (name: String, position: TextPosition)? {
    source.withUnsafeBytes { bytes in
      for piece in pieces where piece.hash != nil {
        let range = piece.start..<(piece.start + piece.count)
        let name = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
        if matches(name) { return (name, Template.position(of: piece.start, in: bytes)) }
      }
      return nil
    }
  }

  /// Appends the command with each placeholder replaced: by the variable of the worker, or else by the value in the
  /// context, or else by the placeholder's own name.
  ///
  /// - Parameter unknown: is called with each name that has no value.
  /// - Returns: the range of the command without the white space around it.
  package func expand(
    _ variables: VariableTable, _ context: ContextValues?, into output: inout ByteBuffer,
    unknown: (UnsafeRawBufferPointer) -> Void = { _ in }
  ) -> Range<Int> {
    let begin = output.count
    source.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      for piece in pieces {
        let text = UnsafeRawBufferPointer(start: base + piece.start, count: piece.count)
        guard let hash = piece.hash else {
          output.append(text)
          continue
        }
        if variables.append(text, hash: hash, to: &output) { continue }
        if let value = context?[text] {
          ValueText.append(value, to: &output)
        } else {
          output.append(text)
          unknown(text)
        }
      }
    }
    return Whitespace.trimmed(output.bytes, from: begin)
  }
}

/// The variables of a worker, by their names, for templates.
package final class VariableTable: Sendable {
  private let names = NameTable()
  private let texts: ContiguousArray<ContiguousArray<UInt8>>

  package init(_ variables: KeyValues) throws(FlowError) {
    var texts: ContiguousArray<ContiguousArray<UInt8>> = []
    for (key, value) in variables.pairs {
      if try names.insert(key).isNew { texts.append(ContiguousArray(value.utf8)) }
    }
    self.texts = texts
  }

  func has(_ name: String) -> Bool { names.number(of: Name(name)) != nil }

  @inline(__always)
  func append(_ name: UnsafeRawBufferPointer, hash: UInt32, to output: inout ByteBuffer) -> Bool {
    guard let number = names.number(of: name, hash: hash), number < texts.count else { return false }
    texts[number].withUnsafeBytes { output.append($0) }
    return true
  }
}
