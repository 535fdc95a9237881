internal import CSystem
package import FWBase
package import FWModel
internal import Glibc

/// Strings one behind the other, each with a NUL, as the supervisor takes them (supervisor.h).
package struct TextBlock: ~Copyable {
  package private(set) var texts = ByteBuffer()
  /// Where each begins; -1 where a list of them ends.
  private(set) var offsets: ContiguousArray<Int> = []

  private static let endOfList = -1

  package init() {}

  var count: Int { offsets.count }

  /// One of them, without its NUL; nothing where there is none.
  func text(_ index: Int) -> UnsafeRawBufferPointer {
    guard !texts.isExhausted, offsets.indices.contains(index), offsets[index] >= 0, let start = texts.start else {
      return UnsafeRawBufferPointer(start: nil, count: 0)
    }
    let text = start + offsets[index]
    return UnsafeRawBufferPointer(
      start: text, count: strlen(UnsafeRawPointer(text).assumingMemoryBound(to: CChar.self)))
  }

  /// The environment of a step's commands, as it is now.
  ///
  /// - Parameters:
  ///   - values: the worker's and the step's.
  ///   - secrets: what comes to these, and does not count as values.
  ///   - inherits: the host's under them. Without values it is the host's in any case, as in flowServ.
  ///   - isForeign: what of the host's is left out.
  package init(
    environment values: KeyValues, _ secrets: Secrets = .none, inherits: Bool,
    leavingOut isForeign: ((UnsafeRawBufferPointer) -> Bool)? = nil
  ) {
    let inherits = inherits || values.isEmpty
    let values = values.overridden(by: secrets.env)
    // What most environments need: growing there takes longer than filling it.
    _ = texts.room(for: 8192)
    offsets.reserveCapacity(64)
    if inherits {
      let names = Set(values.pairs.map { Name($0.key) })
      var at = fws_environ()
      while let start = at.pointee {
        let entry = UnsafeRawBufferPointer(start: start, count: strlen(start))
        let name = TextBlock.name(of: entry)
        if isForeign?(name) != true, names.isEmpty || !names.contains(Name(String(decoding: name, as: UTF8.self))) { add(entry) }
        at += 1
      }
    }
    for (key, value) in values.pairs { add(key + "=" + value) }
  }

  /// The name of an entry of an environment.
  private static func name(of entry: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: entry.prefix { $0 != UInt8(ascii: "=") })
  }

  package static func name(of entry: String) -> Name {
    var entry = entry
    return entry.withUTF8 { Name(String(decoding: name(of: UnsafeRawBufferPointer($0)), as: UTF8.self)) }
  }

  package mutating func add(_ text: String) {
    offsets.append(texts.count)
    texts.append(text)
    texts.append(byte: 0)
  }

  mutating func add(_ text: UnsafeRawBufferPointer) {
    offsets.append(texts.count)
    texts.append(text)
    texts.append(byte: 0)
  }

  /// The texts of another, and the end of their list.
  mutating func add(list: borrowing TextBlock) {
    for index in 0..<list.count { add(list.text(index)) }
    offsets.append(TextBlock.endOfList)
  }

  /// How many offsets the table has.
  package func slots(_ environment: borrowing TextBlock) -> Int { offsets.count + environment.offsets.count + 2 }

  /// The texts of a request to the supervisor: a table of offsets from its beginning, in which 0 ends a
  /// list, and the strings. This block has the program and its arguments, and the lists before them.
  package func request(environment: borrowing TextBlock) -> ByteBuffer {
    let environmentAt = slots(environment) * MemoryLayout<UInt64>.size
    let argumentsAt = environmentAt + environment.texts.count
    var bytes = ByteBuffer()
    _ = bytes.room(for: argumentsAt + texts.count)
    for offset in offsets { bytes.append(word: offset < 0 ? 0 : argumentsAt + offset) }
    bytes.append(word: 0)
    for offset in environment.offsets { bytes.append(word: environmentAt + offset) }
    bytes.append(word: 0)
    bytes.append(environment.texts.bytes)
    bytes.append(texts.bytes)
    return bytes
  }

  /// Where in a request's texts is all that the environment alone decides, as long as there are as many arguments.
  package func placeOfEnvironment(_ environment: borrowing TextBlock) -> (begin: Int, end: Int) {
    let word = MemoryLayout<UInt64>.size
    return ((offsets.count + 1) * word, slots(environment) * word + environment.texts.count)
  }
}

extension ByteBuffer {
  fileprivate mutating func append(word: Int) {
    withUnsafeBytes(of: UInt64(clamping: word)) { append($0) }
  }
}
