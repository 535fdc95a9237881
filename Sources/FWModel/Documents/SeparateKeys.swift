internal import FWBase

/// Keys that differ between any two instances because of their templates alone, so that no key has to be looked at.
///
/// All that is written begins with the same parts, in which each name that varies stands before text that no value has
/// in it, as in `out/$sample.bam` and `out/$sample.log`. So the beginning of a key tells which instance has it.
struct SeparateKeys {
  /// The parts that all templates of written keys begin with, up to the byte behind the last name that varies.
  private let prefix: [Template.Part]
  /// The text before the first name ends with this folder.
  private let folder: VolumeKey?

  /// The most bytes of a part of a path. Longer keys are refused, which only looking at them finds.
  private static let longest = 255

  /// - Parameter first: the files of the first instance.
  static func areSeparate(_ templates: StepTemplates, _ first: FilesDocument, _ instances: Instances) -> Bool {
    guard let one = templates.outputs.first else { return false }
    let varying = instances.axes.filter { $0.count > 1 }
    var shared = one.parts
    for other in templates.outputs.dropFirst() { shared = common(shared, other.parts) }
    guard let last = shared.lastIndex(where: { part in varying.contains { isPart(part, of: $0.names) } }) else {
      return false
    }
    var prefix = Array(shared[...last])
    if last + 1 < shared.count, case .text(let text) = shared[last + 1] {
      prefix.append(.text(Array(text.prefix(1))))
    } else if templates.outputs.count > 1 {
      return false
    }
    var extra = 0
    for axis in varying {
      guard axis.names.count == 1, let name = axis.names.first, let list = axis.lists.first,
        let separators = separators(behind: name, in: prefix), let longest = longest(list, without: separators)
      else { return false }
      let reads = templates.inputs + [templates.input].compactMap { $0 }
      let uses = (templates.outputs + reads).map { template in template.parts.filter { $0 == .name(name) }.count }
      extra += longest * (uses.max() ?? 0)
    }
    guard (first.inputs + first.outputs).allSatisfy({ $0.bytes.count + extra <= SeparateKeys.longest }) else {
      return false
    }
    let keys = SeparateKeys(prefix: prefix)
    return (templates.inputs + [templates.input].compactMap { $0 }).allSatisfy(keys.isApart)
  }

  private init(prefix: [Template.Part]) {
    self.prefix = prefix
    folder = KeyTemplate.literalFolder(prefix)
  }

  private static func isPart(_ part: Template.Part, of names: [Name]) -> Bool {
    if case .name(let name) = part { return names.contains(name) }
    return false
  }

  /// The parts that two templates begin with. The last one may be the beginning of a text.
  private static func common(_ one: [Template.Part], _ other: [Template.Part]) -> [Template.Part] {
    var parts: [Template.Part] = []
    for (part, second) in zip(one, other) {
      if part == second {
        parts.append(part)
        continue
      }
      if case (.text(let text), .text(let otherText)) = (part, second) {
        let shared = zip(text, otherText).prefix { $0 == $1 }.map { $0.0 }
        if !shared.isEmpty { parts.append(.text(shared)) }
      }
      break
    }
    return parts
  }

  /// The bytes that end the values of a name; `nil` if the name is not there, or if no text follows it.
  private static func separators(behind name: Name, in prefix: [Template.Part]) -> Set<UInt8>? {
    var separators: Set<UInt8> = []
    var isThere = false
    for (index, part) in prefix.enumerated() where part == .name(name) {
      isThere = true
      if index + 1 == prefix.count { continue }
      guard case .text(let text) = prefix[index + 1], let first = text.first else { return nil }
      separators.insert(first)
    }
    return isThere ? separators : nil
  }

  /// The length of the longest value of a list; `nil` if two values are equal, or if one cannot stand in a key as it
  /// is.
  private static func longest(_ list: JSONValue, without separators: Set<UInt8>) -> Int? {
    list.read { list in
      var hashes: [UInt64] = []
      var longest = 0
      var isPlain = true
      var text = ByteBuffer()
      list.forEachElement { _, value in
        guard isPlain else { return }
        text.truncate(0)
        ValueText.append(value, to: &text)
        let bytes = text.bytes
        longest = max(longest, bytes.count)
        isPlain = !text.isExhausted && !bytes.allSatisfy { $0 == UInt8(ascii: ".") }
        for byte in bytes where byte == UInt8(ascii: "/") || byte == 0 || separators.contains(byte) { isPlain = false }
        var hasher = Hasher()
        hasher.combine(bytes: bytes)
        hashes.append(UInt64(bitPattern: Int64(hasher.finalize())))
      }
      guard isPlain else { return nil }
      hashes.sort()
      return zip(hashes, hashes.dropFirst()).contains { $0 == $1 } ? nil : longest
    }
  }

  /// Whether no instance can read with a template what another instance writes.
  private func isApart(_ read: KeyTemplate) -> Bool {
    if case .text? = prefix.last {
      if SeparateKeys.common(read.parts, prefix) == prefix { return true }
    } else if read.parts == prefix {
      return true
    }
    guard let folder else { return false }
    // A key without a placeholder is one file or folder, and any other key is somewhere in a folder.
    guard let key = read.constant ?? read.literalFolder else { return false }
    return !key.isInside(folder) && key.folder != folder && !folder.isInside(key)
  }
}
