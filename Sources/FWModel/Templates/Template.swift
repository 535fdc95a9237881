package import FWBase

/// A command with placeholders. It is parsed once, and expanded for each run.
///
/// The syntax is that of Python's `string.Template`, which flowServ uses: `$name`, `${name}`, and `$$` for a dollar.
/// Names have ASCII letters, digits and `_`. flowServ refuses `${name:q}`, which stands for the value quoted for a
/// shell.
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
    /// Whether the value is quoted for a shell.
    var isQuoted = false
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
        let isQuoted =
          isBraced && end + 1 < bytes.count && bytes[end] == UInt8(ascii: ":") && bytes[end + 1] == UInt8(ascii: "q")
        let close = isQuoted ? end + 2 : end
        guard end > start, !isBraced || close < bytes.count && bytes[close] == UInt8(ascii: "}") else {
          return Fault(
            position: position(of: at, in: bytes),
            following: String(decoding: UnsafeRawBufferPointer(rebasing: bytes[at...].prefix(20)), as: UTF8.self))
        }
        if at > plain { pieces.append(Piece(start: plain, count: at - plain, hash: nil)) }
        let name = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        pieces.append(Piece(start: start, count: end - start, hash: Name.hash(name), isQuoted: isQuoted))
        at = isBraced ? close + 1 : end
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

  /// Whether a text can be the name of a placeholder.
  package static func isName(_ text: String) -> Bool {
    var text = text
    return text.withUTF8 { !$0.isEmpty && nameEnd(UnsafeRawBufferPointer($0), 0) == $0.count }
  }

  /// A part of the text: bytes as they are, or the name of a placeholder.
  package enum Part: Sendable, Equatable {
    case text([UInt8])
    case name(Name)
  }

  /// The parts of the text, in order. Texts that follow each other are one part.
  var parts: [Part] {
    var parts: [Part] = []
    for piece in pieces {
      let bytes = Array(source[piece.start..<(piece.start + piece.count)])
      if piece.hash != nil {
        parts.append(.name(Name(String(decoding: bytes, as: UTF8.self))))
      } else if case .text(let before)? = parts.last {
        parts[parts.count - 1] = .text(before + bytes)
      } else {
        parts.append(.text(bytes))
      }
    }
    return parts
  }

  /// Calls `body` with the name of each placeholder, and its hash.
  func forEachName(_ body: (UnsafeRawBufferPointer, UInt32) -> Void) {
    source.withUnsafeBytes { bytes in
      for piece in pieces {
        guard let hash = piece.hash else { continue }
        body(UnsafeRawBufferPointer(rebasing: bytes[piece.start..<(piece.start + piece.count)]), hash)
      }
    }
  }

  /// A placeholder, and the position of its name.
  struct Placeholder {
    let name: String
    let isQuoted: Bool
    let position: TextPosition
  }

  /// The placeholders that match, in their order.
  ///
  /// - Parameter most: how many of them are looked for.
  func placeholders(atMost most: Int = .max, where matches: (String, Bool) -> Bool) -> [Placeholder] {
    source.withUnsafeBytes { bytes in
      var found: [Placeholder] = []
      for piece in pieces where piece.hash != nil && found.count < most {
        let range = piece.start..<(piece.start + piece.count)
        let name = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
        guard matches(name, piece.isQuoted) else { continue }
        found.append(
          Placeholder(name: name, isQuoted: piece.isQuoted, position: Template.position(of: piece.start, in: bytes)))
      }
      return found
    }
  }

  /// The first placeholder whose name matches.
  func firstPlaceholder(where matches: (String) -> Bool) -> Placeholder? {
    placeholders(atMost: 1) { name, _ in matches(name) }.first
  }

  /// The names of the placeholders `${name:q}` that stand where quotes do not protect a value.
  var unprotected: [String] {
    if !pieces.contains(where: \.isQuoted) { return [] }
    var tokens: [ShellText.Token] = []
    for piece in pieces {
      let text = source[piece.start..<(piece.start + piece.count)]
      if piece.hash == nil {
        tokens += text.map { .byte($0) }
      } else {
        tokens.append(.placeholder(quoted: piece.isQuoted ? Array(text) : nil))
      }
    }
    return ShellText.unprotected(tokens).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Whether the text is one placeholder and nothing else.
  private var isPlaceholder: Bool { pieces.count == 1 && pieces[0].hash != nil }

  /// Appends the command with each placeholder replaced: by the variable of the worker, or else by the value in the
  /// context, or else by the placeholder's own name.
  ///
  /// - Parameters:
  ///   - variables: `nil` where no worker has a say.
  ///   - unknown: is called with each name that has no value.
  /// - Returns: the range of the command without the white space around it.
  package func expand(
    _ variables: VariableTable?, _ context: ContextValues?, into output: inout ByteBuffer,
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
        if piece.isQuoted {
          if !appendQuoted(text, hash: hash, variables, context, to: &output) {
            Quoting.appendForShell(text, to: &output)
            unknown(text)
          }
          continue
        }
        if let variables, variables.append(text, hash: hash, to: &output) { continue }
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

  /// Appends a value as one word of a shell, or the elements of a list as one word each. Gives false if the name has no
  /// value.
  private func appendQuoted(
    _ name: UnsafeRawBufferPointer, hash: UInt32, _ variables: VariableTable?, _ context: ContextValues?,
    to output: inout ByteBuffer
  ) -> Bool {
    if variables?.read(name, hash: hash, { Quoting.appendForShell($0, to: &output) }) == true { return true }
    guard let value = context?[name] else { return false }
    ValueText.appendForShell(value, to: &output)
    return true
  }

  /// Appends the text as words of a program, each followed by a NUL. The text is one word, except that a placeholder
  /// alone whose value is a list becomes as many words as the list has elements.
  ///
  /// - Returns: the number of words.
  @discardableResult
  func expandWords(
    _ variables: VariableTable, _ context: ContextValues?, into output: inout ByteBuffer,
    unknown: (UnsafeRawBufferPointer) -> Void
  ) -> Int {
    let list: JSONRef? = source.withUnsafeBytes { bytes in
      guard isPlaceholder else { return nil }
      let name = UnsafeRawBufferPointer(rebasing: bytes[pieces[0].start..<(pieces[0].start + pieces[0].count)])
      guard let value = context?[name], value.kind == .array else { return nil }
      return variables.has(String(decoding: name, as: UTF8.self)) ? nil : value
    }
    guard let list else {
      _ = expand(variables, context, into: &output, unknown: unknown)
      output.append(byte: 0)
      return 1
    }
    var count = 0
    list.forEachElement { _, element in
      ValueText.append(element, to: &output)
      output.append(byte: 0)
      count += 1
    }
    return count
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

  package func has(_ name: String) -> Bool { names.number(of: Name(name)) != nil }

  /// The names of all variables.
  var all: [String] { (0..<names.count).map { names.name($0) } }

  @inline(__always)
  func append(_ name: UnsafeRawBufferPointer, hash: UInt32, to output: inout ByteBuffer) -> Bool {
    read(name, hash: hash) { output.append($0) }
  }

  /// Lends the text of a variable to a closure. Gives false if there is no such variable.
  @inline(__always)
  func read(_ name: UnsafeRawBufferPointer, hash: UInt32, _ body: (UnsafeRawBufferPointer) -> Void) -> Bool {
    guard let number = names.number(of: name, hash: hash), number < texts.count else { return false }
    texts[number].withUnsafeBytes { body($0) }
    return true
  }
}
