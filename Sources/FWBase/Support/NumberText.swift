/// Numbers in texts, as Python's `int()` and `float()` read them: with white space around them, with an underscore
/// between two digits, and with the decimal digits of any script.
package enum NumberText {
  /// The integer that a text has; `nil` if it has none, or one beyond 64 bits.
  package static func integer(_ text: String) -> Int64? {
    guard let plain = plain(text) else { return nil }
    let digits = plain.first == UInt8(ascii: "+") || plain.first == UInt8(ascii: "-") ? plain.dropFirst() : plain[...]
    guard !digits.isEmpty, digits.allSatisfy(isDigit) else { return nil }
    return Int64(String(decoding: plain, as: UTF8.self))
  }

  /// The number that a text has, which may be infinite or not a number; `nil` if it has none.
  package static func real(_ text: String) -> Double? {
    guard let plain = plain(text) else { return nil }
    let isNegative = plain.first == UInt8(ascii: "-")
    let unsigned = isNegative || plain.first == UInt8(ascii: "+") ? plain.dropFirst() : plain[...]
    switch String(decoding: unsigned, as: UTF8.self).smallLetters {
    case "inf", "infinity": return isNegative ? -Double.infinity : .infinity
    case "nan": return .nan
    default: break
    }
    // Swift also reads hexadecimal numbers, which Python refuses.
    guard isDecimal(unsigned) else { return nil }
    return Double(String(decoding: plain, as: UTF8.self))
  }

  /// Whether a text is digits with at most one point among them, and an optional exponent.
  private static func isDecimal(_ text: ArraySlice<UInt8>) -> Bool {
    let parts = text.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 | 0x20 == UInt8(ascii: "e") }
    guard let mantissa = parts.first else { return false }
    let points = mantissa.count { $0 == UInt8(ascii: ".") }
    guard points <= 1, mantissa.count > points, mantissa.allSatisfy({ isDigit($0) || $0 == UInt8(ascii: ".") })
    else { return false }
    guard parts.count == 2, var exponent = parts.last else { return true }
    if exponent.first == UInt8(ascii: "+") || exponent.first == UInt8(ascii: "-") { exponent = exponent.dropFirst() }
    return !exponent.isEmpty && exponent.allSatisfy(isDigit)
  }

  /// The text in ASCII, without white space around it and without underscores between digits; `nil` if it has other
  /// characters.
  private static func plain(_ text: String) -> [UInt8]? {
    var found: [UInt8] = []
    var isAfterUnderscore = false
    for scalar in Whitespace.trimmed(text).unicodeScalars {
      let byte: UInt8
      if scalar.isASCII {
        byte = UInt8(ascii: scalar)
      } else if scalar.properties.numericType == .decimal, let digit = scalar.properties.numericValue,
        let value = UInt8(exactly: digit), value < 10
      {
        byte = UInt8(ascii: "0") + value
      } else {
        return nil
      }
      if byte == UInt8(ascii: "_") {
        guard let last = found.last, isDigit(last), !isAfterUnderscore else { return nil }
        isAfterUnderscore = true
        continue
      }
      if isAfterUnderscore, !isDigit(byte) { return nil }
      isAfterUnderscore = false
      found.append(byte)
    }
    return isAfterUnderscore ? nil : found
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
}
