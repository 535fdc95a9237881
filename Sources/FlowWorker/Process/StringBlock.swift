internal import CFlowShims
internal import Glibc

/// A list of C strings that ends with NULL, as exec takes it.
struct StringBlock: ~Copyable {
  /// The texts that are copied, each with a NUL.
  private var texts = ByteBuffer()
  private var places: ContiguousArray<Place> = []
  private var list: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> = .allocate(capacity: 1)

  private enum Place {
    case copied(at: Int)
    case borrowed(UnsafeMutablePointer<CChar>)
  }

  init() { list.initialize(to: nil) }

  deinit { list.deallocate() }

  /// Valid as long as the block is, after `finish`.
  var pointers: UnsafePointer<UnsafeMutablePointer<CChar>?> { UnsafePointer(list) }

  /// The first string.
  var program: UnsafePointer<CChar> {
    list.pointee.map { UnsafePointer($0) }
      ?? UnsafeRawPointer(StaticString("").utf8Start).assumingMemoryBound(to: CChar.self)
  }

  mutating func add(_ text: String) {
    places.append(.copied(at: texts.count))
    texts.append(text)
    texts.append(byte: 0)
  }

  mutating func add(_ bytes: Slice<UnsafeRawBufferPointer>) {
    places.append(.copied(at: texts.count))
    texts.append(UnsafeRawBufferPointer(rebasing: bytes))
    texts.append(byte: 0)
  }

  /// Adds text that outlives the block and is followed by a NUL.
  mutating func add(borrowed bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress else { return add("") }
    add(borrowed: UnsafeMutablePointer(mutating: start.assumingMemoryBound(to: CChar.self)))
  }

  mutating func add(borrowed text: UnsafeMutablePointer<CChar>) { places.append(.borrowed(text)) }

  /// Makes the list; false if memory has run out.
  mutating func finish() -> Bool {
    if texts.isExhausted { return false }
    list.deallocate()
    list = .allocate(capacity: places.count + 1)
    for (index, place) in places.enumerated() {
      switch place {
      case .copied(let at):
        (list + index).initialize(
          to: texts.start.map { UnsafeMutableRawPointer($0 + at).assumingMemoryBound(to: CChar.self) })
      case .borrowed(let text): (list + index).initialize(to: text)
      }
    }
    (list + places.count).initialize(to: nil)
    return true
  }
}

/// The environment of a step's commands.
enum Environment: ~Copyable {
  /// The host's, as it is when a command starts.
  case host
  case own(StringBlock)

  /// - Parameters:
  ///   - values: the worker's and the step's.
  ///   - inherits: the host's under them. Without values it is the host's in any case, as in flowServ.
  init(_ values: KeyValues, inherits: Bool) throws(SpawnFailure) {
    if values.isEmpty {
      self = .host
      return
    }
    var block = StringBlock()
    if inherits {
      let names = Set(values.pairs.map(\.key))
      var at = fws_environ()
      while let entry = at.pointee {
        let text = String(cString: entry)
        if !names.contains(String(text.prefix { $0 != "=" })) { block.add(text) }
        at += 1
      }
    }
    for (key, value) in values.pairs { block.add(key + "=" + value) }
    guard block.finish() else { throw SpawnFailure(message: "there is not enough memory for its environment") }
    self = .own(block)
  }

  var pointers: UnsafePointer<UnsafeMutablePointer<CChar>?> {
    switch self {
    case .host: return fws_environ()
    case .own(let block): return block.pointers
    }
  }
}
