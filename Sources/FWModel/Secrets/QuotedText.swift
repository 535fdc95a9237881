internal import FWBase

extension Secrets {
  /// The forms that a text has between quotes, as far as they differ from the text itself: those of Python's `repr` and
  /// `ascii`, which traces and the messages of exceptions have, for a text and for its bytes, and that of JSON in
  /// ASCII.
  static func quoted(_ text: String) -> Set<[UInt8]> {
    var forms: Set<[UInt8]> = []
    for escapesQuote in [false, true] {
      forms.insert(shown(text, escapesQuote) { isPrintable($0) ? nil : escape($0) })
      forms.insert(shown(text, escapesQuote) { $0.isASCII && isPrintable($0) ? nil : escape($0) })
      forms.insert(
        shown(text, escapesQuote) { scalar in
          if scalar.isASCII, isPrintable(scalar) { return nil }
          return String(scalar).utf8.map { "\\x" + digits(UInt32($0), 2) }.joined()
        })
    }
    forms.insert(json(text))
    forms.remove(Array(text.utf8))
    return forms
  }

  /// The text between the quotes of a shell, as the text of a command has it.
  static func ofShell(_ text: String) -> String {
    var text = text
    var output = ByteBuffer()
    text.withUTF8 { Quoting.appendForShell(UnsafeRawBufferPointer($0), to: &output) }
    return String(decoding: output.bytes.dropFirst().dropLast(), as: UTF8.self)
  }

  private static func shown(_ text: String, _ escapesQuote: Bool, _ special: (Unicode.Scalar) -> String?) -> [UInt8] {
    var shown: [UInt8] = []
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": shown += Array("\\\\".utf8)
      case "\n": shown += Array("\\n".utf8)
      case "\r": shown += Array("\\r".utf8)
      case "\t": shown += Array("\\t".utf8)
      case "'" where escapesQuote: shown += Array("\\'".utf8)
      default: shown += Array((special(scalar) ?? String(scalar)).utf8)
      }
    }
    return shown
  }

  /// The text in JSON that escapes all but ASCII, as Python and many other programs write it.
  private static func json(_ text: String) -> [UInt8] {
    var shown: [UInt8] = []
    for unit in text.utf16 {
      switch unit {
      case 0x08: shown += Array("\\b".utf8)
      case 0x09: shown += Array("\\t".utf8)
      case 0x0A: shown += Array("\\n".utf8)
      case 0x0C: shown += Array("\\f".utf8)
      case 0x0D: shown += Array("\\r".utf8)
      case 0x22: shown += Array("\\\"".utf8)
      case 0x5C: shown += Array("\\\\".utf8)
      case 0x20..<0x80: shown.append(UInt8(truncatingIfNeeded: unit))
      default: shown += Array(("\\u" + digits(UInt32(unit), 4)).utf8)
      }
    }
    return shown
  }

  /// The rule of Python's `str.isprintable`.
  private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: return false
    case .spaceSeparator: return scalar == " "
    default: return true
    }
  }

  private static func escape(_ scalar: Unicode.Scalar) -> String {
    switch scalar.value {
    case 0..<0x100: return "\\x" + digits(scalar.value, 2)
    case 0..<0x10000: return "\\u" + digits(scalar.value, 4)
    default: return "\\U" + digits(scalar.value, 8)
    }
  }

  private static func digits(_ value: UInt32, _ count: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
  }
}
