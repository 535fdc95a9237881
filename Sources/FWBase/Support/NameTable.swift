public import Glibc

/// Gives numbers to names, from 0. One thread fills the table. After that any number of threads may look names up at
/// once, without a lock and without counting references.
@usableFromInline package final class NameTable: @unchecked Sendable {
  // The conformance is unchecked because the memory does not change once the table is shared.

  @usableFromInline struct Entry {
    @usableFromInline let start: Int
    @usableFromInline let count: Int
    @usableFromInline let hash: UInt32
  }

  @usableFromInline var names = ByteBuffer()
  @usableFromInline var entries: UnsafeMutablePointer<Entry>
  private var entryCapacity = 16
  /// The hash table, with open addressing. A slot has 0 if it is empty, and otherwise 1 more than the number of an
  /// entry.
  @usableFromInline var slots: UnsafeMutablePointer<UInt32>
  @usableFromInline var mask = 31
  package private(set) var count = 0

  package init() {
    entries = .allocate(capacity: entryCapacity)
    slots = .allocate(capacity: mask + 1)
    slots.initialize(repeating: 0, count: mask + 1)
  }

  deinit {
    entries.deallocate()
    slots.deallocate()
  }

  @usableFromInline package func number(of name: Name) -> Int? {
    name.bytes.withUnsafeBytes { number(of: $0, hash: name.hash) }
  }

  @inlinable @inline(__always)
  package func number(of name: UnsafeRawBufferPointer, hash: UInt32) -> Int? {
    var slot = Int(hash) & mask
    while true {
      let tagged = slots[slot]
      if tagged == 0 { return nil }
      let number = Int(tagged) - 1
      let entry = entries[number]
      if entry.hash == hash, entry.count == name.count {
        // Only the empty name has no bytes to compare.
        guard let all = names.start, let wanted = name.baseAddress else { return number }
        if memcmp(all + entry.start, wanted, name.count) == 0 { return number }
      }
      slot = (slot + 1) & mask
    }
  }

  /// Puts a name in. If the table already has it, nothing changes and `isNew` is false.
  package func insert(_ name: UnsafeRawBufferPointer) throws(FlowError) -> (number: Int, isNew: Bool) {
    let hash = Name.hash(name)
    if let number = number(of: name, hash: hash) { return (number, false) }
    guard count < Int(Int32.max) - 1 else { throw .noMemory }
    if count == entryCapacity { growEntries() }
    if (count + 1) * 2 > mask + 1 { growSlots() }
    // The NUL behind each name makes it C text.
    entries[count] = Entry(start: names.count, count: name.count, hash: hash)
    names.append(name)
    names.append(byte: 0)
    if names.isExhausted { throw .noMemory }
    insert(count)
    count += 1
    return (count - 1, true)
  }

  package func insert(_ name: String) throws(FlowError) -> (number: Int, isNew: Bool) {
    let bytes = ContiguousArray(name.utf8)
    // `withUnsafeBytes` takes no closure with typed throws.
    let result: Result<(number: Int, isNew: Bool), FlowError> = bytes.withUnsafeBytes { bytes in
      do throws(FlowError) { return .success(try insert(bytes)) } catch { return .failure(error) }
    }
    return try result.get()
  }

  package func name(_ number: Int) -> String {
    guard number >= 0, number < count, let all = names.start else { return "" }
    let entry = entries[number]
    return String(decoding: UnsafeRawBufferPointer(start: all + entry.start, count: entry.count), as: UTF8.self)
  }

  /// A name as C text, which lives as long as the table; `nil` if there is no such name.
  package func cName(_ number: Int) -> UnsafePointer<CChar>? {
    guard number >= 0, number < count, let all = names.start else { return nil }
    return UnsafeRawPointer(all + entries[number].start).assumingMemoryBound(to: CChar.self)
  }

  private func insert(_ number: Int) {
    var slot = Int(entries[number].hash) & mask
    while slots[slot] != 0 { slot = (slot + 1) & mask }
    slots[slot] = UInt32(number + 1)
  }

  private func growEntries() {
    let larger = UnsafeMutablePointer<Entry>.allocate(capacity: entryCapacity * 2)
    larger.moveInitialize(from: entries, count: count)
    entries.deallocate()
    entries = larger
    entryCapacity *= 2
  }

  private func growSlots() {
    slots.deallocate()
    mask = (mask + 1) * 2 - 1
    slots = .allocate(capacity: mask + 1)
    slots.initialize(repeating: 0, count: mask + 1)
    for number in 0..<count { insert(number) }
  }
}
