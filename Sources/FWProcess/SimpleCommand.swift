internal import FWBase

/// A command that a POSIX shell would run as one program, with words that are known without it: words and quotes, no
/// variable, no pattern, no operator, and nothing that is the shell's own. (`Words` splits by Python's rules, for commands
/// that have no shell; here whatever is not certain is the shell's.)
enum SimpleCommand {
  /// What a shell that is dash runs itself, and the words that it knows. In quotes it would not know some of them; those
  /// are its own all the same.
  static let shellsOwn: Set<String> = [
    ".", ":", "[", "alias", "bg", "break", "cd", "chdir", "command", "continue", "echo", "eval", "exec", "exit",
    "export",
    "false", "fc", "fg", "getopts", "hash", "jobs", "kill", "let", "local", "printf", "pwd", "read", "readonly",
    "return",
    "set", "shift", "test", "times", "trap", "true", "type", "ulimit", "umask", "unalias", "unset", "wait",
    "!", "{", "}", "case", "do", "done", "elif", "else", "esac", "fi", "for", "if", "in", "then", "until", "while",
  ]

  /// Its words, the first of which is the program's name; `nil` if only a shell can tell.
  static func words(_ command: UnsafeRawBufferPointer) -> TextBlock? {
    var words = TextBlock()
    var word = ByteBuffer()
    /// A quote makes a word of nothing.
    var isWord = false
    var quote: UInt8?
    var at = 0
    while at < command.count {
      let byte = command[at]
      at += 1
      let next = at < command.count ? command[at] : nil
      switch (quote, byte) {
      case (UInt8(ascii: "'"), UInt8(ascii: "'")), (UInt8(ascii: "\""), UInt8(ascii: "\"")):
        quote = nil
      case (.some, 0):
        return nil
      case (UInt8(ascii: "'"), _):
        word.append(byte: byte)
      case (_, UInt8(ascii: "\\")):
        // The end of a line in the midst of a word, or nothing to be taken as it is.
        guard let next, next != UInt8(ascii: "\n"), next != 0 else { return nil }
        let isEscape =
          quote == nil || next == UInt8(ascii: "$") || next == UInt8(ascii: "`") || next == UInt8(ascii: "\"")
          || next == UInt8(ascii: "\\")
        if isEscape { at += 1 }
        word.append(byte: isEscape ? next : byte)
        isWord = true
      case (UInt8(ascii: "\""), UInt8(ascii: "$")), (UInt8(ascii: "\""), UInt8(ascii: "`")):
        return nil
      case (UInt8(ascii: "\""), _):
        word.append(byte: byte)
      case (_, UInt8(ascii: "'")), (_, UInt8(ascii: "\"")):
        quote = byte
        isWord = true
      case (_, UInt8(ascii: " ")), (_, UInt8(ascii: "\t")):
        if isWord { words.add(word.bytes) }
        word.truncate(0)
        isWord = false
      case (_, UInt8(ascii: "\n")):
        // Behind it there may be nothing: no second command.
        guard
          command[at...].allSatisfy({ $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") })
        else { return nil }
        at = command.count
      case (_, UInt8(ascii: "#")) where !isWord:
        return nil
      case (_, UInt8(ascii: "=")) where words.count == 0:
        // An assignment, or it looks like one.
        return nil
      case (_, UInt8(ascii: "|")), (_, UInt8(ascii: "&")), (_, UInt8(ascii: ";")), (_, UInt8(ascii: "<")),
        (_, UInt8(ascii: ">")), (_, UInt8(ascii: "(")), (_, UInt8(ascii: ")")), (_, UInt8(ascii: "$")),
        (_, UInt8(ascii: "`")), (_, UInt8(ascii: "*")), (_, UInt8(ascii: "?")), (_, UInt8(ascii: "[")),
        (_, UInt8(ascii: "~")), (_, 0):
        return nil
      default:
        word.append(byte: byte)
        isWord = true
      }
    }
    guard quote == nil else { return nil }
    if isWord { words.add(word.bytes) }
    guard !words.texts.isExhausted, !word.isExhausted, case let program = words.text(0), !program.isEmpty,
      !shellsOwn.contains(String(decoding: program, as: UTF8.self))
    else { return nil }
    return words
  }
}
