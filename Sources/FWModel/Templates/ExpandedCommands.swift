package import FWBase

/// The commands of a step after substitution, each followed by a NUL.
package struct ExpandedCommands: ~Copyable {
  private var bytes = ByteBuffer()
  private var ranges: ContiguousArray<Range<Int>> = []

  package init(_ step: Step, _ variables: VariableTable, _ context: ContextValues?, _ secrets: Secrets) throws(FlowError) {
    for (index, template) in step.commands.enumerated() {
      if let fault = template.fault {
        throw FlowError(
          .template,
          "step \(step.shownName), command \(index + 1) of \(step.commands.count): invalid placeholder at line "
            + "\(fault.position.line), column \(fault.position.column), near \(MessageFormat.quoted(fault.following)): "
            + "use $name or ${name} for a value, and $$ for a dollar",
          path: "/action/commands/\(index)", position: fault.position)
      }
      if !secrets.isEmpty, let (name, position) = template.firstPlaceholder(where: { secrets.contains($0) }) {
        throw FlowError(
          .template,
          "step \(step.shownName), command \(index + 1) of \(step.commands.count): the secret \(MessageFormat.quoted(name)) "
            + "at line \(position.line), column \(position.column) would be seen by everybody as an argument of the "
            + "command: use $$\(MessageFormat.foreign(name)), the variable of the environment that has it",
          path: "/action/commands/\(index)", position: position)
      }
      if let objects = context?.objects, !objects.isEmpty,
        let (name, position) = template.firstPlaceholder(where: {
          objects[Name($0)]?.unfit != nil && !variables.has($0)
        })
      {
        throw FlowError(
          .template,
          "step \(step.shownName), command \(index + 1) of \(step.commands.count): the value of "
            + "\(MessageFormat.quoted(name)) \(objects[Name(name)]?.unfit ?? "")",
          path: "/action/commands/\(index)", position: position)
      }
      let range = template.expand(variables, context, into: &bytes)
      // Behind the range is at most white space, which the NUL replaces.
      bytes.truncate(range.upperBound)
      bytes.append(byte: 0)
      ranges.append(range)
    }
    if bytes.isExhausted { throw .noMemory }
  }

  /// One command without a template: the name of a function or of a notebook.
  package init(named name: String) throws(FlowError) {
    bytes.append(name)
    ranges.append(0..<bytes.count)
    bytes.append(byte: 0)
    if bytes.isExhausted { throw .noMemory }
  }

  package var count: Int { ranges.count }
  package var indices: [Int] { Array(ranges.indices) }

  package func text(_ index: Int) -> String { String(decoding: self[index], as: UTF8.self) }

  package subscript(index: Int) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes.bytes[ranges[index]]) }
}
