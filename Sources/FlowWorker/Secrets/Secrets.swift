internal import Glibc

/// What a run must not tell: the values of environment entries and of the context that its worker or its step calls
/// secret.
///
/// A secret of the context reaches the step as an environment variable of its name, and in no other way: it is in no
/// command, because that is an argument of a process, which everybody on the machine may read, and among no parameters
/// of a notebook, because these are written into it. Everywhere else its value is replaced by three stars.
final class Secrets: Sendable {
  /// Names in worker or step.
  private let names: Set<String>
  /// Those of the context, for the environment.
  let env: KeyValues
  /// The values, and the lines of values of several lines; the longest first.
  let patterns: [[UInt8]]

  static let none = Secrets()
  static let stars: StaticString = "***"
  /// Shorter ones would be found everywhere.
  private static let leastSize = 4
  /// Lines of a value that are worth hiding by themselves.
  private static let leastLine = 8

  var isEmpty: Bool { names.isEmpty }

  private init() {
    names = []
    env = KeyValues()
    patterns = []
  }

  /// - Parameters:
  ///   - worker: the names that the worker has.
  ///   - env: the worker's entries, overridden by the step's.
  init(_ worker: [String], _ step: Step, env: KeyValues, _ context: ContextValues?) throws(FlowError) {
    var values: [String] = []
    var hidden = KeyValues()
    for (index, name) in (worker + step.secrets).enumerated() {
      let entry = env[name]
      let value = context?[name].map { ValueText.string($0) }
      for text in [entry, value].compactMap({ $0 }) where !text.isEmpty {
        guard text.utf8.count >= Secrets.leastSize else {
          throw FlowError(
            .document,
            "step \(step.shownName): the secret \(Wording.quoted(name)) has fewer than \(Secrets.leastSize) bytes, which "
              + "cannot be kept out of what is told",
            path: index < worker.count ? "" : "/secrets/\(index - worker.count)")
        }
        values.append(text)
      }
      if entry == nil, let value {
        guard !name.utf8.contains(UInt8(ascii: "=")), !name.isEmpty, !value.utf8.contains(0) else {
          throw FlowError(
            .document, "step \(step.shownName): the secret \(Wording.quoted(name)) cannot be an environment variable")
        }
        hidden.set(name, value)
      } else if entry == nil, index >= worker.count {
        throw FlowError(
          .document,
          "step \(step.shownName) names the secret \(Wording.quoted(name)), which neither its environment nor the context "
            + "has", path: "/secrets/\(index - worker.count)")
      }
    }
    names = Set(worker + step.secrets)
    self.env = hidden
    var patterns: Set<[UInt8]> = []
    for value in values {
      patterns.insert(Array(value.utf8))
      patterns.formUnion(Secrets.quoted(value))
      let lines = value.utf8.split(separator: UInt8(ascii: "\n"))
      if lines.count > 1 { for line in lines where line.count >= Secrets.leastLine { patterns.insert(Array(line)) } }
    }
    self.patterns = patterns.sorted { $0.count > $1.count }
  }

  func contains(_ name: String) -> Bool { names.contains(name) }

  /// The same text without them.
  func masked(_ text: String) -> String {
    guard !patterns.isEmpty else { return text }
    var result = ByteBuffer()
    var mask = Mask(self)
    var text = text
    text.withUTF8 { bytes in mask.take(UnsafeRawBufferPointer(bytes)) { result.append($0) } }
    mask.finish { result.append($0) }
    return String(decoding: result.bytes, as: UTF8.self)
  }

  func masked(_ text: String?) -> String? { text.map { masked($0) } }

  /// A value in whose strings, names and numbers there is none of them; `nil`: there is no memory for it.
  func masked(_ value: JSONValue?) -> JSONValue? {
    guard let value, !patterns.isEmpty else { return value }
    guard let text = value.read({ JSONText.compact($0) }) else { return nil }
    let hidden = masked(json: text.bytes)
    return try? JSONText.parse(hidden.bytes)
  }

  /// Goes over the text, and not down into the value: that may be deep, and the thread's stack small.
  private func masked(json text: UnsafeRawBufferPointer) -> ByteBuffer {
    var result = ByteBuffer()
    var at = 0
    while at < text.count {
      let begin = at
      let isString = text[at] == UInt8(ascii: "\"")
      if isString {
        at += 1
        while at < text.count, text[at] != UInt8(ascii: "\"") { at += text[at] == UInt8(ascii: "\\") ? 2 : 1 }
        at += 1
      } else {
        while at < text.count, text[at] == UInt8(ascii: "-") || text[at] == UInt8(ascii: ".") || isAlphanumeric(text[at]) {
          at += 1
        }
      }
      // What is between values stands for itself.
      if at == begin { at += 1 }
      let token = UnsafeRawBufferPointer(rebasing: text[begin..<min(at, text.count)])
      if isString || token.count > 1 { append(token, isString: isString, to: &result) } else { result.append(token) }
    }
    return result
  }

  private func isAlphanumeric(_ byte: UInt8) -> Bool {
    let letter = byte | 0x20
    return byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") || letter >= UInt8(ascii: "a") && letter <= UInt8(ascii: "z")
      || byte == UInt8(ascii: "+")
  }

  private func append(_ token: UnsafeRawBufferPointer, isString: Bool, to result: inout ByteBuffer) {
    let text = isString ? (try? JSONText.parse(token))?.read { $0.string } : String(decoding: token, as: UTF8.self)
    guard let text else { return result.append("null" as StaticString) }
    let hidden = masked(text)
    if hidden == text { return result.append(token) }
    var writer = JSONWriter()
    writer.string(hidden)
    let shown = writer.buffer()
    result.append(shown.bytes)
  }
}

/// Replaces secrets in a stream whose pieces may end anywhere.
struct Mask {
  private let secrets: Secrets
  /// For each byte whether a secret begins with it.
  private let begins: [Bool]
  /// The end of what has come, which may be the beginning of one.
  private var pending: [UInt8] = []

  init(_ secrets: Secrets) {
    self.secrets = secrets
    var begins = [Bool](repeating: false, count: 256)
    for pattern in secrets.patterns { if let first = pattern.first { begins[Int(first)] = true } }
    self.begins = begins
  }

  /// Whether the end of what has come is held back.
  var isPending: Bool { !pending.isEmpty }

  private enum Match {
    case none
    case whole(Int)
    /// It may become one.
    case begun
  }

  mutating func take(_ bytes: UnsafeRawBufferPointer, _ give: (UnsafeRawBufferPointer) -> Void) {
    if pending.isEmpty { return scan(bytes, isEnd: false, give) }
    let all = pending + bytes
    pending = []
    all.withUnsafeBytes { scan($0, isEnd: false, give) }
  }

  /// No more comes.
  mutating func finish(_ give: (UnsafeRawBufferPointer) -> Void) {
    let rest = pending
    pending = []
    rest.withUnsafeBytes { scan($0, isEnd: true, give) }
  }

  private mutating func scan(_ bytes: UnsafeRawBufferPointer, isEnd: Bool, _ give: (UnsafeRawBufferPointer) -> Void) {
    var plain = 0
    var at = 0
    func flush() { if at > plain { give(UnsafeRawBufferPointer(rebasing: bytes[plain..<at])) } }
    while at < bytes.count {
      guard begins[Int(bytes[at])] else {
        at += 1
        continue
      }
      switch match(UnsafeRawBufferPointer(rebasing: bytes[at...]), isEnd) {
      case .none: at += 1
      case .whole(let count):
        flush()
        give(UnsafeRawBufferPointer(start: Secrets.stars.utf8Start, count: Secrets.stars.utf8CodeUnitCount))
        at += count
        plain = at
      case .begun:
        flush()
        pending = Array(bytes[at...])
        return
      }
    }
    flush()
  }

  private func match(_ rest: UnsafeRawBufferPointer, _ isEnd: Bool) -> Match {
    guard let start = rest.baseAddress else { return .none }
    for pattern in secrets.patterns {
      let count = min(pattern.count, rest.count)
      if pattern.count > rest.count, isEnd { continue }
      guard pattern.withUnsafeBytes({ $0.baseAddress.map { memcmp($0, start, count) == 0 } ?? false }) else { continue }
      return pattern.count <= rest.count ? .whole(pattern.count) : .begun
    }
    return .none
  }
}
