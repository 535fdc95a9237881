internal import CSystem
package import FWBase
package import FWModel
internal import Glibc

/// Strings one after the other, each followed by a NUL, in the form that the supervisor takes (supervisor.h).
package struct TextBlock: ~Copyable {
  package private(set) var texts = ByteBuffer()
  /// The position of each string; -1 marks the end of a list of strings.
  private(set) var offsets: ContiguousArray<Int> = []

  private static let endOfList = -1

  package init() {}

  var count: Int { offsets.count }

  /// One of the strings, without its NUL. It is empty at the end of a list, and where there is no such string.
  func text(_ index: Int) -> UnsafeRawBufferPointer {
    guard !texts.isExhausted, offsets.indices.contains(index), offsets[index] >= 0, let start = texts.start else {
      return UnsafeRawBufferPointer(start: nil, count: 0)
    }
    let text = start + offsets[index]
    return UnsafeRawBufferPointer(
      start: text, count: strlen(UnsafeRawPointer(text).assumingMemoryBound(to: CChar.self)))
  }

  /// The environment of a step's commands at this moment.
  ///
  /// - Parameter isForeign: whether a name is not inherited from the host.
  package init(
    environment: CommandEnvironment, leavingOut isForeign: ((UnsafeRawBufferPointer) -> Bool)? = nil
  ) {
    // This is enough for most environments. Growing to it in steps would take longer than filling it.
    _ = texts.room(for: 8192)
    offsets.reserveCapacity(64)
    environment.forEachInherited(leavingOut: isForeign) { entry, _ in add(entry) }
    for case (let key, let value?) in environment.variables.entries { add(key + "=" + value) }
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

  /// Adds the strings of another block as a list that ends behind them.
  mutating func add(list: borrowing TextBlock) {
    for index in 0..<list.count { add(list.text(index)) }
    endList()
  }

  /// Ends the list of the strings that were added last. The list at the end of the block needs no mark.
  mutating func endList() { offsets.append(TextBlock.endOfList) }

  /// The value of an environment variable; `nil` if this environment does not have it. Of two entries the last one
  /// counts, as for a shell.
  func value(of name: StaticString) -> UnsafeRawBufferPointer? {
    let length = name.utf8CodeUnitCount
    for index in (0..<count).reversed() {
      let entry = text(index)
      guard entry.count > length, entry[length] == UInt8(ascii: "=") else { continue }
      guard name.withUTF8Buffer({ $0.elementsEqual(entry[..<length]) }) else { continue }
      return UnsafeRawBufferPointer(rebasing: entry[(length + 1)...])
    }
    return nil
  }

  /// The number of entries in the table of a request.
  package func slots(_ environment: borrowing TextBlock) -> Int { offsets.count + environment.offsets.count + 2 }

  /// The texts of a request to the supervisor: a table of offsets from the beginning of the texts, in which 0 ends a
  /// list, and the strings. This block has the program and its arguments, and the lists before them.
  ///
  /// - Parameter room: the bytes that are added later.
  package func request(environment: borrowing TextBlock, room: Int = 0) -> ByteBuffer {
    let environmentAt = slots(environment) * MemoryLayout<UInt64>.size
    let argumentsAt = environmentAt + environment.texts.count
    var bytes = ByteBuffer()
    _ = bytes.room(for: argumentsAt + texts.count + room)
    for offset in offsets { bytes.append(word: offset < 0 ? 0 : argumentsAt + offset) }
    bytes.append(word: 0)
    for offset in environment.offsets { bytes.append(word: environmentAt + offset) }
    bytes.append(word: 0)
    bytes.append(environment.texts.bytes)
    bytes.append(texts.bytes)
    // A command must not run with a part of its words or of its environment.
    if texts.isExhausted || environment.texts.isExhausted { bytes.giveBack() }
    return bytes
  }

  /// The part of a request's texts that depends on the environment alone, for a given number of arguments.
  package func rangeOfEnvironment(_ environment: borrowing TextBlock) -> (begin: Int, end: Int) {
    let word = MemoryLayout<UInt64>.size
    return ((offsets.count + 1) * word, slots(environment) * word + environment.texts.count)
  }
}

extension ByteBuffer {
  fileprivate mutating func append(word: Int) {
    withUnsafeBytes(of: UInt64(clamping: word)) { append($0) }
  }
}
