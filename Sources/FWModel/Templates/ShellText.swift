/// The text of a shell command as far as it must be known to tell where a quoted value stays one word. It has been read
/// up to some byte; what other placeholders bring is not known.
struct ShellText {
  /// What the text is in, from the outside to the inside.
  private var nesting: [Nesting] = []
  private var isEscaped = false
  private var isComment = false
  /// Whether a word may begin at the next byte.
  private var beginsWord = true
  /// The here-documents that begin with the next line, and those that the text is in.
  private var announced: [Delimiter] = []
  private var documents: [Delimiter] = []

  private enum Nesting {
    case single
    case double
    case backquotes
    case parentheses
  }

  /// The line that ends a here-document.
  private struct Delimiter {
    var line: [UInt8]
    /// Whether tabs at the beginning of lines do not count.
    let skipsTabs: Bool
  }

  /// A byte of the text, or a placeholder in it.
  enum Token: Equatable {
    case byte(UInt8)
    /// - quoted: the name of a placeholder whose value is quoted; `nil` for any other placeholder.
    case placeholder(quoted: [UInt8]?)
  }

  /// The names of the quoted placeholders that stand where their quotes do not protect the value.
  static func unprotected(_ tokens: [Token]) -> [[UInt8]] {
    var text = ShellText()
    var found: [[UInt8]] = []
    var at = 0
    while at < tokens.count {
      if let document = text.documents.first {
        let line = tokens[at...].prefix { $0 != .byte(UInt8(ascii: "\n")) }
        if text.ends(document, line) {
          text.documents.removeFirst()
        } else {
          for case .placeholder(let name?) in line { found.append(name) }
        }
        at = line.endIndex + 1
        continue
      }
      switch tokens[at] {
      case .placeholder(let name):
        if let name, !text.protects { found.append(name) }
        text.isEscaped = false
        text.beginsWord = false
        at += 1
      case .byte(let byte): at += text.take(byte, tokens[(at + 1)...])
      }
    }
    return found
  }

  /// Whether a word in quotes is one word here.
  private var protects: Bool {
    if isEscaped || isComment { return false }
    return nesting.last == nil || nesting.last == .parentheses
  }

  private func ends(_ document: Delimiter, _ line: ArraySlice<Token>) -> Bool {
    let line = document.skipsTabs ? line.drop { $0 == .byte(UInt8(ascii: "\t")) } : line
    return line.elementsEqual(document.line.map { Token.byte($0) })
  }

  /// Takes a byte, and returns how many bytes were taken in all.
  private mutating func take(_ byte: UInt8, _ following: ArraySlice<Token>) -> Int {
    if byte == UInt8(ascii: "\n"), !isEscaped, nesting.last != .single, nesting.last != .double {
      isComment = false
      documents = announced
      announced = []
    }
    if isComment { return 1 }
    let mayBeginComment = beginsWord
    beginsWord = " \t\n;&|(".utf8.contains(byte) && !isEscaped
    if isEscaped {
      isEscaped = false
      return 1
    }
    let inner = nesting.last
    if inner == .single {
      if byte == UInt8(ascii: "'") { nesting.removeLast() }
      return 1
    }
    switch byte {
    case UInt8(ascii: "\\"): isEscaped = true
    case UInt8(ascii: "\""): toggle(.double)
    case UInt8(ascii: "`"): toggle(.backquotes)
    case UInt8(ascii: "$") where following.first == .byte(UInt8(ascii: "(")):
      nesting.append(.parentheses)
      beginsWord = true
      return 2
    case _ where inner == .double: break
    case UInt8(ascii: "'"): nesting.append(.single)
    case UInt8(ascii: "("): nesting.append(.parentheses)
    case UInt8(ascii: ")") where inner == .parentheses: nesting.removeLast()
    case UInt8(ascii: "#") where mayBeginComment: isComment = true
    case UInt8(ascii: "<") where following.first == .byte(UInt8(ascii: "<")):
      return 2 + announce(following.dropFirst())
    default: break
    }
    return 1
  }

  private mutating func toggle(_ kind: Nesting) {
    if nesting.last == kind { nesting.removeLast() } else { nesting.append(kind) }
  }

  /// Takes what follows the two characters that announce a here-document. Returns how many bytes were taken.
  private mutating func announce(_ following: ArraySlice<Token>) -> Int {
    // Three of them are bash's here-string, which is a word.
    if following.first == .byte(UInt8(ascii: "<")) { return 1 }
    let skipsTabs = following.first == .byte(UInt8(ascii: "-"))
    var line: [UInt8] = []
    var taken = skipsTabs ? 1 : 0
    for token in following.dropFirst(taken) {
      guard case .byte(let byte) = token else { break }
      let isBlank = byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
      if isBlank ? !line.isEmpty : "\n;&|()<>".utf8.contains(byte) { break }
      taken += 1
      if !isBlank, !"'\"\\".utf8.contains(byte) { line.append(byte) }
    }
    announced.append(Delimiter(line: line, skipsTabs: skipsTabs))
    return taken
  }
}
