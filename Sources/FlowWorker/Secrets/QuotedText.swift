extension Secrets {
  /// What a text is between the quotes that Python shows it in, where that is another text: a trace has it so, and
  /// the text of many an exception.
  static func quoted(_ text: String) -> [[UInt8]] {
    var forms: [[UInt8]] = []
    for escapesQuote in [false, true] {
      var shown: [UInt8] = []
      for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "\\"): shown += Array("\\\\".utf8)
        case UInt8(ascii: "\n"): shown += Array("\\n".utf8)
        case UInt8(ascii: "\r"): shown += Array("\\r".utf8)
        case UInt8(ascii: "\t"): shown += Array("\\t".utf8)
        case UInt8(ascii: "'") where escapesQuote: shown += Array("\\'".utf8)
        case 0..<0x20, 0x7F:
          let digits = String(byte, radix: 16)
          shown += Array("\\x\(digits.utf8.count < 2 ? "0" : "")\(digits)".utf8)
        default: shown.append(byte)
        }
      }
      if shown != Array(text.utf8) { forms.append(shown) }
    }
    return forms
  }
}
