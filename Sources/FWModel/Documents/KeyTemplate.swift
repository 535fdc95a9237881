package import FWBase

/// A key with placeholders, as the files and the notebook of a step with `foreach` have them. `$name` and `${name}`
/// stand for the value that the name has in an instance, and `$$` for a dollar.
package struct KeyTemplate: Sendable {
  /// The text in the document.
  package let text: String
  private let template: Template
  /// The parts of the text, in order.
  package let parts: [Template.Part]

  init(_ text: String, of forEach: ForEach) throws(ValidationError) {
    self.text = text
    template = Template(text)
    parts = template.parts
    if let fault = template.fault {
      throw ValidationError(
        "invalid placeholder at column \(fault.position.column), near \(MessageFormat.quoted(fault.following)): in a "
          + "step with \"foreach\", use $name or ${name} for a value of the instance, and $$ for a dollar sign")
    }
    for placeholder in template.placeholders(where: { _, _ in true }) {
      let name = MessageFormat.foreign(placeholder.name, limit: 60)
      if placeholder.isQuoted {
        throw ValidationError(
          "a key needs no quotes, because no shell reads it: write ${\(name)} instead of ${\(name):q}")
      }
      if forEach.has(Name(placeholder.name)) { continue }
      let known = forEach.names.map(\.text)
      throw ValidationError(
        "$\(name) is no name of the step's \"foreach\", which has \(MessageFormat.names(known)); write $$\(name) for "
          + "a dollar sign"
          + (MessageFormat.closest(to: placeholder.name, among: known)
            .map { "; did you mean $\(MessageFormat.foreign($0))?" } ?? ""))
    }
  }

  /// The text with the values of an instance in it. A value has the text that it has in a command.
  package func expanded(_ values: ContextValues) throws(ValidationError) -> String {
    var bytes = ByteBuffer()
    _ = template.expand(nil, values, into: &bytes)
    if bytes.isExhausted { throw ValidationError(FlowError.noMemory.message) }
    return String(decoding: bytes.bytes, as: UTF8.self)
  }

  /// The key with the values of an instance in it, in normal form.
  package func key(_ values: ContextValues) throws(ValidationError) -> VolumeKey {
    try VolumeKey(checking: expanded(values))
  }

  /// The key, if all instances have the same one because it has no placeholder.
  package var constant: VolumeKey? {
    guard parts.count == 1, case .text(let text)? = parts.first else { return nil }
    return try? VolumeKey(checking: text)
  }

  /// The folder that all keys of the template are in, as far as the text before the first placeholder says it; `nil` if
  /// they may be anywhere.
  package var literalFolder: VolumeKey? {
    KeyTemplate.literalFolder(parts)
  }

  static func literalFolder(_ parts: [Template.Part]) -> VolumeKey? {
    guard case .text(let text)? = parts.first, let slash = text.lastIndex(of: UInt8(ascii: "/")) else { return nil }
    return try? VolumeKey(checking: Array(text[...slash]))
  }
}

/// The templates of a step with `foreach`.
package struct StepTemplates: Sendable {
  package var inputs: [KeyTemplate] = []
  package var outputs: [KeyTemplate] = []
  /// The file that the commands read as their standard input.
  package var input: KeyTemplate?
  package var notebook: KeyTemplate?
  /// The notebook that is written, if the document says its path.
  package var output: KeyTemplate?

  var isEmpty: Bool { inputs.isEmpty && outputs.isEmpty && input == nil && notebook == nil }
}
