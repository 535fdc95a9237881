internal import FWBase
internal import FWModel

/// What a container runs for a command.
struct ContainerProgram {
  /// Takes the place of the entry point of the image; `nil` stands for that of the image.
  let entrypoint: [String]?
  /// The words behind the entry point. If there are none and no entry point either, the image's own command is run.
  let words: [String]

  /// The words of a command are used as they are. A text is split into words, or given to a shell.
  ///
  /// - Parameter shell: a shell in the image, which takes the place of the image's entry point. Words need no shell:
  ///   their program then takes that place.
  init(_ command: Command, shell: String?) throws(StepFailure) {
    if command.isWords {
      var words = command.words.map { String(decoding: $0, as: UTF8.self) }
      entrypoint = shell == nil ? nil : [words.removeFirst()]
      self.words = words
      return
    }
    if let shell {
      entrypoint = [shell]
      words = ["-c", command.text]
      return
    }
    entrypoint = nil
    do throws(CommandWords.Fault) { words = try CommandWords.split(command.bytes) } catch {
      throw StepFailure(
        "it cannot be split into words: \(error.text): " + MessageFormat.quoted(command.text, limit: 100))
    }
  }

  /// The description of a container that runs the program.
  ///
  /// - Parameter hasInput: whether the program gets a standard input.
  func container(image: String, _ plan: ContainerPlan, hasInput: Bool) -> ByteBuffer {
    plan.container(
      image: image, command: entrypoint == nil && words.isEmpty ? nil : words, entrypoint: entrypoint,
      hasInit: plan.options.hasInit, hasInput: hasInput)
  }

  /// All words of an exec, for which an engine knows no entry point. They are empty if there is nothing to run.
  func exec(_ image: ImageFacts?) -> [String] {
    if let entrypoint { return entrypoint + words }
    return (image?.entrypoint ?? []) + (words.isEmpty ? image?.command ?? [] : words)
  }
}

/// Splits a command into words as a POSIX shell and Python's shlex.split do. Quotes and backslashes have their meaning,
/// and nothing else of a shell.
enum CommandWords {
  /// Why a command cannot be split.
  enum Fault: Error {
    case openQuote(UInt8)
    case lastBackslash

    var text: String {
      switch self {
      case .openQuote(let quote): return "the quotation mark \(quote == UInt8(ascii: "'") ? "'" : "\"") is not closed"
      case .lastBackslash: return "it ends with a backslash, which must be followed by a character"
      }
    }
  }

  static func split(_ command: UnsafeRawBufferPointer) throws(Fault) -> [String] {
    var words: [String] = []
    var word: [UInt8] = []
    // An empty pair of quotation marks is a word as well.
    var hasWord = false
    var quote: UInt8?
    var index = 0
    while index < command.count {
      let byte = command[index]
      index += 1
      switch (quote, byte) {
      case (UInt8(ascii: "'"), UInt8(ascii: "'")), (UInt8(ascii: "\""), UInt8(ascii: "\"")): quote = nil
      case (UInt8(ascii: "'"), _): word.append(byte)
      case (UInt8(ascii: "\""), UInt8(ascii: "\\")):
        guard index < command.count else { throw .openQuote(UInt8(ascii: "\"")) }
        // Between double quotation marks, a backslash quotes only these two characters.
        if command[index] != UInt8(ascii: "\"") && command[index] != UInt8(ascii: "\\") { word.append(byte) }
        word.append(command[index])
        index += 1
      case (UInt8(ascii: "\""), _): word.append(byte)
      case (_, UInt8(ascii: "'")), (_, UInt8(ascii: "\"")):
        quote = byte
        hasWord = true
      case (_, UInt8(ascii: "\\")):
        guard index < command.count else { throw .lastBackslash }
        word.append(command[index])
        hasWord = true
        index += 1
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
