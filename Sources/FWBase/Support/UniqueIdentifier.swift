internal import CSystem

/// A name that nothing else has: 32 hexadecimal digits.
package func uniqueIdentifier() -> String {
  var bits: (UInt64, UInt64) = (0, 0)
  if !withUnsafeMutableBytes(of: &bits, { $0.baseAddress.map { base in fws_random(base, 16) } ?? false }) {
    bits = (.random(in: .min ... .max), .random(in: .min ... .max))
  }
  func hex(_ number: UInt64) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.utf8.count) + digits
  }
  return hex(bits.0) + hex(bits.1)
}
