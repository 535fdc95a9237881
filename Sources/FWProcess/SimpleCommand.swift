internal import FWBase

/// A command that a POSIX shell would run as one program, and whose words can be known without a shell: it has plain
/// words and quotes, and no variable, pattern, operator or builtin of the shell. Everything that is not certain is left
/// to the shell. (`Words` splits by Python's rules, for commands that have no shell.)
enum SimpleCommand {
  /// The builtins and the reserved words of dash. In quotes a reserved word is an ordinary word for dash; it is left to
  /// the shell here all the same.
  static let shellsOwn: Set<String> = [
    ".", ":", "[", "alias", "bg", "break", "cd", "chdir", "command", "continue", "echo", "eval", "exec", "exit",
    "export",
    "false", "fc", "fg", "getopts", "hash", "jobs", "kill", "let", "local", "printf", "pwd", "read", "readonly",
    "return",
    "set", "shift", "test", "times", "trap", "true", "type", "ulimit", "umask", "unalias", "unset", "wait",
    "!", "{", "}", "case", "do", "done", "elif", "else", "esac", "fi", "for", "if", "in", "then", "until", "while",
  ]

  /// The words of the command, beginning with the name of the program; `nil` if only a shell can know them.
  static func words(_ command: UnsafeRawBufferPointer) -> TextBlock? {
    var words = TextBlock()
    var word = ByteBuffer()
    /// Whether a word has begun. A pair of quotes makes a word even if nothing is in it.
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
        // A backslash at the end of a line, or of the command, is left to the shell.
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
        // A second command behind the end of the line is left to the shell.
        guard
          command[at...].allSatisfy({ $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") })
        else { return nil }
        at = command.count
      case (_, UInt8(ascii: "#")) where !isWord:
        return nil
      case (_, UInt8(ascii: "=")) where words.count == 0:
        // The word is an assignment, or looks like one.
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
