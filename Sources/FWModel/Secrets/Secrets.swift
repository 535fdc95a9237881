package import FWBase
internal import Glibc

/// The values that a run must not reveal: entries of environments, and values of the context, whose names a worker or a
/// step lists as secret. A name that is secret in one step of a workflow is secret in the whole run.
///
/// A step gets a secret of the context only as an environment variable, and only if the step or its worker lists it. A
/// secret is in no command, because everybody on the machine may read the arguments of a process, and among no
/// parameters of a notebook, because these are written into the notebook. Everywhere else the value is replaced by
/// three stars.
package final class Secrets: Sendable {
  /// All names that are secret in the run.
  package let names: Set<Name>
  /// The secrets of the context that the step gets in its environment.
  package let env: KeyValues
  package let tree: PatternTree

  package static let none = Secrets()
  /// The fewest bytes of a secret. A shorter one would be found everywhere.
  private static let leastSize = 4

  package var isEmpty: Bool { names.isEmpty }

  private init() {
    names = []
    env = KeyValues()
    tree = .none
  }

  /// Collects the secrets of a step.
  ///
  /// - Parameters:
  ///   - worker: the names that the worker lists.
  ///   - env: the environment entries of the worker, overridden by those of the step.
  ///   - run: the secrets of the workflow; none for a step by itself.
  package init(_ worker: [String], _ step: Step, env: KeyValues, _ context: ContextValues?, of run: Secrets)
    throws(FlowError)
  {
    var values = SecretValues()
    var hidden = KeyValues()
    for (index, name) in (worker + step.secrets).enumerated() {
      let entry = env[name]
      // An entry without a value keeps a secret of the context from the commands.
      let hasEntry = env.has(name)
      let value = context?[name]
      let text = value.map { ValueText.string($0) }
      for text in [entry, text].compactMap({ $0 }) where !text.isEmpty && text.utf8.count < Secrets.leastSize {
        throw FlowError(
          .document,
          "step \(step.shownName): the secret \(MessageFormat.quoted(name)) has fewer than \(Secrets.leastSize) bytes "
            + "and therefore cannot be masked",
          path: index < worker.count ? "" : "/secrets/\(index - worker.count)")
      }
      if run.isEmpty {
        if let entry { values.add(entry) }
        if let value { values.add(value) }
      }
      if !hasEntry, let text {
        guard !name.utf8.contains(UInt8(ascii: "=")), !name.isEmpty, !text.utf8.contains(0) else {
          throw FlowError(
            .document,
            "step \(step.shownName): the secret \(MessageFormat.quoted(name)) cannot be an environment variable")
        }
        hidden.set(name, text)
      } else if !hasEntry, index >= worker.count {
        throw FlowError(
          .document,
          "step \(step.shownName) names the secret \(MessageFormat.quoted(name)), which neither its environment nor "
            + "the context has", path: "/secrets/\(index - worker.count)")
      }
    }
    self.env = hidden
    names = run.isEmpty ? Set((worker + step.secrets).map { Name($0) }) : run.names
    tree = run.isEmpty ? try PatternTree(values.patterns) : run.tree
  }

  /// Collects the secrets of a whole run.
  ///
  /// - Parameters:
  ///   - envs: the environment entries of all workers and steps.
  ///   - values: the arguments of the run, and the values that commands may refer to.
  ///   - before: secrets whose values stay secret.
  package init(_ names: Set<Name>, envs: [KeyValues], _ values: [ContextValues], before: Secrets = .none)
    throws(FlowError)
  {
    var found = SecretValues(before.tree.patterns)
    if !names.isEmpty {
      for env in envs { for (key, value) in env.pairs where names.contains(Name(key)) { found.add(value) } }
      for name in names { for values in values { if let value = values[name.text] { found.add(value) } } }
    }
    self.names = names
    env = KeyValues()
    tree = try PatternTree(found.patterns)
  }

  package func contains(_ name: String) -> Bool { !names.isEmpty && names.contains(Name(name)) }

  /// The text with its secrets hidden.
  package func masked(_ text: String) -> String {
    guard !tree.isEmpty else { return text }
    var result = ByteBuffer()
    var mask = Mask(self)
    var text = text
    text.withUTF8 { bytes in mask.take(UnsafeRawBufferPointer(bytes)) { result.append($0) } }
    mask.finish { result.append($0) }
    return String(decoding: result.bytes, as: UTF8.self)
  }

  func masked(_ text: String?) -> String? { text.map { masked($0) } }

  /// A message with its secrets hidden. Texts in it may have been cut, so the beginning of a secret before "…" is
  /// hidden, too.
  package func masked(message: String) -> String {
    guard !tree.isEmpty else { return message }
    let bytes = Array(message.utf8)
    let mark = Array("\u{2026}".utf8)
    var result: [UInt8] = []
    var copied = 0
    var node: Int32 = 0
    for (at, byte) in bytes.enumerated() {
      let depth = tree.depth(node)
      if byte == mark[0], depth >= Secrets.leastSize, at - depth >= copied, bytes[at...].starts(with: mark) {
        result += bytes[copied..<(at - depth)] + Array("***".utf8)
        copied = at
      }
      node = tree.open(tree.next(node, byte))
    }
    return masked(String(decoding: result + bytes[copied...], as: UTF8.self))
  }

  package func masked(_ error: FlowError) -> FlowError {
    FlowError(error.code, masked(message: error.message), path: error.path, position: error.position)
  }

  package func masked(_ failure: StepFailure) -> StepFailure { failure.with(reason: masked(message: failure.reason)) }
}

/// Collects the texts by which secrets are found.
struct SecretValues {
  private(set) var patterns: Set<[UInt8]>

  /// The fewest bytes of a line of a value, and of an element of an array or object. Shorter ones would be found
  /// everywhere.
  private static let leastLine = 8
  private static let leastElement = 4

  init(_ patterns: [[UInt8]] = []) { self.patterns = Set(patterns) }

  /// Adds a text, the forms in which JSON, Python and a shell write it, and its lines if it has several.
  mutating func add(_ text: String) {
    guard text.utf8.count >= SecretValues.leastElement else { return }
    add(forms: text)
    if text.utf8.contains(UInt8(ascii: "'")) { add(forms: Secrets.ofShell(text)) }
    let lines = text.utf8.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
    if lines.count > 1 { for line in lines { add(line: line) } }
    add(line: text.utf8[...])
  }

  private mutating func add(forms text: String) {
    patterns.insert(Array(text.utf8))
    var writer = JSONWriter()
    writer.string(text)
    let written = writer.buffer()
    patterns.insert(Array(written.bytes.dropFirst().dropLast()))
    patterns.formUnion(Secrets.quoted(text))
  }

  /// Adds a line, also without the blanks around it, as a shell's `read` gives it.
  private mutating func add(line: Substring.UTF8View) {
    func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
    let begin = line.drop { isBlank($0) }
    let end = begin.lastIndex { !isBlank($0) }.map { begin.index(after: $0) } ?? begin.startIndex
    for part in [line, begin[..<end]] where part.count >= SecretValues.leastLine { patterns.insert(Array(part)) }
  }

  /// Adds a value and everything in it, because a program may print a single element.
  mutating func add(_ value: JSONRef) {
    add(ValueText.string(value))
    // There is no recursion here, because a value may be deeper than the stack of the thread allows.
    var left = [value]
    while let value = left.popLast() {
      switch value.kind {
      case .array: value.forEachElement { left.append($1) }
      case .object: value.forEachMember { left.append($1) }
      case .string: add(value.string ?? "")
      case .integer, .real:
        add(ValueText.string(value))
        if let text = JSONText.compact(value) { add(text.string) }
      case .boolean, .null: break
      }
    }
  }
}
