package import FWBase

/// The commands of a step after substitution, each followed by a NUL.
package struct ExpandedCommands: ~Copyable {
  private var bytes = ByteBuffer()
  private var ranges: ContiguousArray<Range<Int>> = []
  /// What is worth knowing about the commands: the first placeholders that have no value.
  package private(set) var notes: [String] = []

  private static let mostNotes = 10

  /// - Parameter step: one whose commands `checkCommands` has found to be right.
  package init(_ step: Step, _ variables: VariableTable, _ context: ContextValues?) throws(FlowError) {
    var notes: [String] = []
    for (index, template) in step.commands.enumerated() {
      let range = template.expand(variables, context, into: &bytes) { name in
        guard notes.count < ExpandedCommands.mostNotes else { return }
        let shown = MessageFormat.foreign(String(decoding: name, as: UTF8.self), limit: 60)
        notes.append(
          "command \(index + 1) has \"\(shown)\" in place of $\(shown), which has no value: write $$\(shown) for a "
            + "variable of the shell")
      }
      // Only white space can follow the range in the buffer, so the NUL takes its place.
      bytes.truncate(range.upperBound)
      bytes.append(byte: 0)
      ranges.append(range)
    }
    self.notes = notes
    if bytes.isExhausted { throw .noMemory }
  }

  /// A function or a notebook, which is run as one command with a name.
  package init(named name: String) throws(FlowError) {
    bytes.append(name)
    ranges.append(0..<bytes.count)
    bytes.append(byte: 0)
    if bytes.isExhausted { throw .noMemory }
  }

  package var count: Int { ranges.count }
  package var indices: [Int] { Array(ranges.indices) }

  package func text(_ index: Int) -> String { String(decoding: self[index], as: UTF8.self) }

  package subscript(index: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes.bytes[ranges[index]])
  }
}

extension Step {
  /// Refuses a command that no values can make right: its placeholders are wrong, or name what no command may have.
  ///
  /// - Parameter variables: the variables of the worker, which win over the values of the context.
  package func checkCommands(_ variables: VariableTable, _ context: ContextValues?, _ secrets: Secrets)
    throws(FlowError)
  {
    for (index, template) in commands.enumerated() {
      if let fault = template.fault {
        throw refusal(
          of: index,
          "invalid placeholder at line \(fault.position.line), column \(fault.position.column), near "
            + "\(MessageFormat.quoted(fault.following)): use $name or ${name} for a value, and $$ for a dollar sign"
            + (fault.following.begins(with: "$[[") ? "; a reference $[[name]] stands for a whole string" : ""),
          at: fault.position)
      }
      if !secrets.isEmpty, let (name, position) = template.firstPlaceholder(where: { secrets.contains($0) }) {
        throw refusal(
          of: index,
          "the secret \(MessageFormat.quoted(name)) at line \(position.line), column \(position.column) would be "
            + "visible to all users as an argument of the command: use the environment variable "
            + "$$\(MessageFormat.foreign(name)) instead",
          at: position)
      }
      if let objects = context?.objects, !objects.isEmpty,
        let (name, position) = template.firstPlaceholder(where: {
          objects[Name($0)]?.unfit != nil && !variables.has($0)
        })
      {
        throw refusal(
          of: index, "the value of \(MessageFormat.quoted(name)) \(objects[Name(name)]?.unfit ?? "")", at: position)
      }
    }
  }

  private func refusal(of command: Int, _ reason: String, at position: TextPosition) -> FlowError {
    FlowError(
      .template, "step \(shownName), command \(command + 1) of \(commands.count): \(reason)",
      path: "/action/commands/\(command)", position: position)
  }
}
