/// A command's words, as a POSIX shell splits them and Python's shlex.split does: quotes and backslashes, and
/// nothing else of a shell.
enum Words {
  /// Why a command has no words.
  enum Fault: Error {
    case openQuote(UInt8)
    case lastBackslash

    var text: String {
      switch self {
      case .openQuote(let quote): return "the quotation mark \(quote == UInt8(ascii: "'") ? "'" : "\"") is not closed"
      case .lastBackslash: return "it ends with a backslash, which needs a character behind it"
      }
    }
  }

  static func split(_ command: UnsafeRawBufferPointer) throws(Fault) -> [String] {
    var words: [String] = []
    var word: [UInt8] = []
    // A word may be empty: '' is one.
    var hasWord = false
    var quote: UInt8?
    var at = 0
    while at < command.count {
      let byte = command[at]
      at += 1
      switch (quote, byte) {
      case (UInt8(ascii: "'"), UInt8(ascii: "'")), (UInt8(ascii: "\""), UInt8(ascii: "\"")): quote = nil
      case (UInt8(ascii: "'"), _): word.append(byte)
      case (UInt8(ascii: "\""), UInt8(ascii: "\\")):
        guard at < command.count else { throw .openQuote(UInt8(ascii: "\"")) }
        // Only these two are quoted by it there.
        if command[at] != UInt8(ascii: "\"") && command[at] != UInt8(ascii: "\\") { word.append(byte) }
        word.append(command[at])
        at += 1
      case (UInt8(ascii: "\""), _): word.append(byte)
      case (_, UInt8(ascii: "'")), (_, UInt8(ascii: "\"")):
        quote = byte
        hasWord = true
      case (_, UInt8(ascii: "\\")):
        guard at < command.count else { throw .lastBackslash }
        word.append(command[at])
        hasWord = true
        at += 1
      case (_, UInt8(ascii: " ")), (_, UInt8(ascii: "\t")), (_, UInt8(ascii: "\r")), (_, UInt8(ascii: "\n")):
        if hasWord { words.append(String(decoding: word, as: UTF8.self)) }
        word = []
        hasWord = false
      default:
        word.append(byte)
        hasWord = true
      }
    }
    if let quote { throw .openQuote(quote) }
    if hasWord { words.append(String(decoding: word, as: UTF8.self)) }
    return words
  }
}
