internal import CFlowShims
internal import Glibc

/// Strings one behind the other, each with a NUL, as the keeper takes them (keeper.h).
struct TextBlock: ~Copyable {
  private(set) var texts = ByteBuffer()
  /// Where each begins; -1 where a list of them ends.
  private(set) var places: ContiguousArray<Int> = []

  private static let endOfList = -1

  init() {}

  var count: Int { places.count }

  /// One of them, without its NUL; nothing where there is none.
  func text(_ index: Int) -> UnsafeRawBufferPointer {
    guard !texts.isExhausted, places.indices.contains(index), places[index] >= 0, let start = texts.start else {
      return UnsafeRawBufferPointer(start: nil, count: 0)
    }
    let text = start + places[index]
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
  init(
    environment values: KeyValues, _ secrets: Secrets = .none, inherits: Bool,
    leavingOut isForeign: (([UInt8]) -> Bool)? = nil
  ) {
    let inherits = inherits || values.isEmpty
    let values = values.overridden(by: secrets.env)
    // What most environments need: growing there takes longer than filling it.
    _ = texts.room(for: 8192)
    places.reserveCapacity(64)
    if inherits {
      let names = Set(values.pairs.map { Array($0.key.utf8) })
      var at = fws_environ()
      while let entry = at.pointee {
        if names.isEmpty, isForeign == nil {
          add(UnsafeRawBufferPointer(start: entry, count: strlen(entry)))
        } else {
          let bytes = UnsafeRawBufferPointer(start: entry, count: strlen(entry))
          let name = Array(bytes.prefix { $0 != UInt8(ascii: "=") })
          if !names.contains(name), isForeign?(name) != true { add(bytes) }
        }
        at += 1
      }
    }
    for (key, value) in values.pairs { add(key + "=" + value) }
  }

  /// The bytes of an entry's name, which are what names are compared by.
  static func name(ofEntry entry: String) -> [UInt8] { Array(entry.utf8.prefix { $0 != UInt8(ascii: "=") }) }

  mutating func add(_ text: String) {
    places.append(texts.count)
    texts.append(text)
    texts.append(byte: 0)
  }

  mutating func add(_ text: UnsafeRawBufferPointer) {
    places.append(texts.count)
    texts.append(text)
    texts.append(byte: 0)
  }

  /// The texts of another, and the end of their list.
  mutating func add(list: borrowing TextBlock) {
    for index in 0..<list.count { add(list.text(index)) }
    places.append(TextBlock.endOfList)
  }

  /// How many places the table has.
  func slots(_ environment: borrowing TextBlock) -> Int { places.count + environment.places.count + 2 }

  /// The texts of a request to the keeper: a table of offsets from its beginning, in which 0 ends a
  /// list, and the strings. This block has the program and its arguments, and the lists before them.
  func request(environment: borrowing TextBlock) -> ByteBuffer {
    let environmentAt = slots(environment) * MemoryLayout<UInt64>.size
    let argumentsAt = environmentAt + environment.texts.count
    var bytes = ByteBuffer()
    _ = bytes.room(for: argumentsAt + texts.count)
    for place in places { bytes.append(word: place < 0 ? 0 : argumentsAt + place) }
    bytes.append(word: 0)
    for place in environment.places { bytes.append(word: environmentAt + place) }
    bytes.append(word: 0)
    bytes.append(environment.texts.bytes)
    bytes.append(texts.bytes)
    return bytes
  }

  /// Where in a request's texts is all that the environment alone decides, as long as there are as many arguments.
  func placeOfEnvironment(_ environment: borrowing TextBlock) -> (begin: Int, end: Int) {
    let word = MemoryLayout<UInt64>.size
    return ((places.count + 1) * word, slots(environment) * word + environment.texts.count)
  }
}

extension ByteBuffer {
  fileprivate mutating func append(word: Int) {
    withUnsafeBytes(of: UInt64(clamping: word)) { append($0) }
  }
}
