/// A hash that is the same in each process, for what is written to a disk. Swift's own hash differs from process to
/// process. This is FNV-1a with 64 bits.
package struct StableHash {
  package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  package init() {}

  package mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }

  package mutating func add(_ bytes: some Sequence<UInt8>) { for byte in bytes { add(byte) } }

  package mutating func add(_ number: UInt64) {
    for shift in stride(from: UInt64(0), to: 64, by: 8) { add(UInt8(truncatingIfNeeded: number >> shift)) }
  }

  /// Adds bytes, and where they end.
  package mutating func add(whole bytes: some Collection<UInt8>) {
    add(bytes)
    add(UInt64(bytes.count))
  }
}
