package import FWBase
internal import Glibc

/// The commands of a step after substitution, each followed by a NUL.
package struct ExpandedCommands: ~Copyable {
  private var bytes = ByteBuffer()
  private var entries: ContiguousArray<Entry> = []
  /// What is worth knowing about the commands: the first placeholders that have no value, or that add quotes to quotes.
  package private(set) var notes: [String] = []

  private struct Entry {
    let range: Range<Int>
    let isWords: Bool
  }

  private static let mostNotes = 10
  private static let nul = "a value in it contains a NUL, which no argument of a program can contain"

  /// - Parameter step: one whose commands `checkCommands` has found to be right.
  package init(_ step: Step, _ variables: VariableTable, _ context: ContextValues?) throws(FlowError) {
    var notes: [String] = []
    for (index, command) in step.commands.enumerated() {
      let unknown = { (name: UnsafeRawBufferPointer) in
        guard notes.count < ExpandedCommands.mostNotes else { return }
        let shown = MessageFormat.foreign(String(decoding: name, as: UTF8.self), limit: 60)
        notes.append(
          "command \(index + 1) has \"\(shown)\" in place of $\(shown), which has no value"
            + (command.isWords ? "" : ": write $$\(shown) for a variable of the shell"))
      }
      let range =
        command.isWords
        ? try addWords(command, step, index, variables, context, unknown)
        : try addText(command, step, index, variables, context, unknown)
      entries.append(Entry(range: range, isWords: command.isWords))
      for name in command.unprotected where notes.count < ExpandedCommands.mostNotes {
        notes.append(
          "command \(index + 1) has ${\(name):q} in a place where quotes do not protect it: between other quotes, in a "
            + "here-document, in a comment, between backquotes, or behind a backslash")
      }
    }
    self.notes = notes
    if bytes.isExhausted { throw .noMemory }
  }

  private mutating func addText(
    _ command: CommandTemplate, _ step: Step, _ index: Int, _ variables: VariableTable, _ context: ContextValues?,
    _ unknown: (UnsafeRawBufferPointer) -> Void
  ) throws(FlowError) -> Range<Int> {
    guard let template = command.templates.first else { return bytes.count..<bytes.count }
    let range = template.expand(variables, context, into: &bytes, unknown: unknown)
    if UnsafeRawBufferPointer(rebasing: bytes.bytes[range]).hasNUL {
      throw step.refusal(of: index, ExpandedCommands.nul, word: nil)
    }
    // Only white space can follow the range in the buffer, so the NUL takes its place.
    bytes.truncate(range.upperBound)
    bytes.append(byte: 0)
    return range
  }

  private mutating func addWords(
    _ command: CommandTemplate, _ step: Step, _ index: Int, _ variables: VariableTable, _ context: ContextValues?,
    _ unknown: (UnsafeRawBufferPointer) -> Void
  ) throws(FlowError) -> Range<Int> {
    let begin = bytes.count
    for (number, word) in command.templates.enumerated() {
      let start = bytes.count
      let count = word.expandWords(variables, context, into: &bytes, unknown: unknown)
      // A NUL follows each word, and no other one may be there.
      guard bytes.isExhausted || bytes.bytes[start...].count(of: 0) == count else {
        throw step.refusal(of: index, ExpandedCommands.nul, word: number)
      }
    }
    let words = UnsafeRawBufferPointer(rebasing: bytes.bytes[begin...])
    if bytes.isExhausted { throw .noMemory }
    guard let first = words.first, first != 0 else {
      throw step.refusal(
        of: index,
        words.isEmpty
          ? "it has no program, because the list in its place is empty" : "the name of its program is empty",
        word: 0)
    }
    return begin..<(bytes.count - 1)
  }

  /// A function or a notebook, which is run as one command with a name.
  package init(named name: String) throws(FlowError) {
    bytes.append(name)
    entries.append(Entry(range: 0..<bytes.count, isWords: false))
    bytes.append(byte: 0)
    if bytes.isExhausted { throw .noMemory }
  }

  package var count: Int { entries.count }
  package var indices: [Int] { Array(entries.indices) }

  package func text(_ index: Int) -> String { self[index].text }

  /// Writes a command as documents have it: a string, or an array of words.
  package func write(_ index: Int, to writer: inout JSONWriter) {
    let command = self[index]
    guard command.isWords else { return writer.string(command.text) }
    writer.array(command.words) { $0.string(String(decoding: $1, as: UTF8.self)) }
  }

  /// Writes the arguments of the process of a command: its words, or a shell and the text for it.
  package func write(process index: Int, shell: String, to writer: inout JSONWriter) {
    let command = self[index]
    if command.isWords { return write(index, to: &writer) }
    writer.array([shell, "-c", command.text]) { $0.string($1) }
  }

  package subscript(index: Int) -> Command {
    Command(UnsafeRawBufferPointer(rebasing: bytes.bytes[entries[index].range]), isWords: entries[index].isWords)
  }
}

/// A placeholder of a command that has no value.
package struct UnknownPlaceholder {
  /// The number of the command, from 0, and of the word in it; no word if the command is the text of a shell.
  package let command: Int
  package let word: Int?
  package let name: String
  package let position: TextPosition
  /// The known name that is most like it.
  package let closest: String?

  package func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("command", command)
      writer.member("word", word)
      writer.member("name", name)
      writer.member("line", position.line)
      writer.member("column", position.column)
      writer.member("closest", closest)
    }
  }
}

extension Step {
  /// Refuses a command that no values can make right: its placeholders are wrong, or name what no command may have.
  ///
  /// - Parameter variables: the variables of the worker, which win over the values of the context.
  package func checkCommands(_ variables: VariableTable, _ context: ContextValues?, _ secrets: Secrets)
    throws(FlowError)
  {
    for (index, command) in commands.enumerated() {
      for (number, template) in command.templates.enumerated() {
        let word = command.isWords ? number : nil
        if let fault = template.fault {
          throw refusal(
            of: index,
            "invalid placeholder at line \(fault.position.line), column \(fault.position.column), near "
              + "\(MessageFormat.quoted(fault.following)): use $name or ${name} for a value, "
              + (word == nil ? "${name:q} for a value in quotes, " : "") + "and $$ for a dollar sign"
              + (fault.following.begins(with: "$[[") ? "; a reference $[[name]] stands for a whole string" : ""),
            word: word, at: fault.position)
        }
        if word != nil, let found = template.placeholders(atMost: 1, where: { $1 }).first {
          throw refusal(
            of: index,
            "a word needs no quotes, because no shell reads it: write ${\(MessageFormat.foreign(found.name))} instead "
              + "of ${\(MessageFormat.foreign(found.name)):q}", word: word, at: found.position)
        }
        if !secrets.isEmpty, let found = template.firstPlaceholder(where: { secrets.contains($0) }) {
          throw refusal(
            of: index,
            "the secret \(MessageFormat.quoted(found.name)) at line \(found.position.line), column "
              + "\(found.position.column) would be visible to all users as an argument of the command: "
              + (word == nil
                ? "use the environment variable $$\(MessageFormat.foreign(found.name)) instead"
                : "its environment variable \(MessageFormat.foreign(found.name)) has it"),
            word: word, at: found.position)
        }
        if let objects = context?.objects, !objects.isEmpty,
          let found = template.firstPlaceholder(where: { objects[Name($0)]?.unfit != nil && !variables.has($0) })
        {
          throw refusal(
            of: index,
            "the value of \(MessageFormat.quoted(found.name)) \(objects[Name(found.name)]?.unfit ?? "")", word: word,
            at: found.position)
        }
      }
    }
  }

  /// The placeholders without a value, in the order of the commands.
  ///
  /// - Parameters:
  ///   - given: names that will have a value when the step runs.
  ///   - most: how many are looked for.
  package func unknownPlaceholders(
    _ variables: VariableTable, _ context: ContextValues?, given: Set<Name> = [], atMost most: Int
  ) -> [UnknownPlaceholder] {
    var unknown: [UnknownPlaceholder] = []
    lazy var known = known(variables, context) + given.map { $0.text }
    for (index, command) in commands.enumerated() {
      for (number, template) in command.templates.enumerated() where unknown.count < most {
        let found = template.placeholders(atMost: most - unknown.count) { name, _ in
          !variables.has(name) && context?[name] == nil && !given.contains(Name(name))
        }
        for placeholder in found {
          unknown.append(
            UnknownPlaceholder(
              command: index, word: command.isWords ? number : nil, name: placeholder.name,
              position: placeholder.position,
              closest: MessageFormat.closest(to: placeholder.name, among: known)))
        }
      }
    }
    return unknown
  }

  private func known(_ variables: VariableTable, _ context: ContextValues?) -> [String] {
    variables.all + (context?.names ?? [])
  }

  /// Throws if a command has a placeholder without a value.
  package func checkPlaceholders(_ variables: VariableTable, _ context: ContextValues?, given: Set<Name> = [])
    throws(FlowError)
  {
    guard let unknown = unknownPlaceholders(variables, context, given: given, atMost: 1).first else { return }
    let name = MessageFormat.foreign(unknown.name)
    throw refusal(
      of: unknown.command,
      "$\(name) at line \(unknown.position.line), column \(unknown.position.column) has no value"
        + (unknown.word == nil ? "; write $$\(name) for a variable of the shell" : "")
        + (unknown.closest.map { "; did you mean $\(MessageFormat.foreign($0))?" } ?? ""),
      word: unknown.word, at: unknown.position)
  }

  func refusal(of command: Int, _ reason: String, word: Int?, at position: TextPosition? = nil) -> FlowError {
    FlowError(
      .template,
      "step \(shownName), command \(command + 1) of \(commands.count)\(word.map { ", word \($0 + 1)" } ?? ""): "
        + reason,
      path: "/action/commands/\(command)" + (word.map { "/\($0)" } ?? ""), position: position)
  }
}

extension UnsafeRawBufferPointer {
  fileprivate var hasNUL: Bool { baseAddress.map { memchr($0, 0, count) != nil } ?? false }
}

extension Slice where Base == UnsafeRawBufferPointer {
  fileprivate func count(of byte: UInt8) -> Int { reduce(0) { $0 + ($1 == byte ? 1 : 0) } }
}
