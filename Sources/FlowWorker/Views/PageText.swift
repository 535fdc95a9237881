internal import FWBase
internal import FWModel
internal import Glibc

/// The forms in which a page shows texts, numbers and times.
enum PageText {
  /// Appends a text in which nothing is markup. A character that is not plain text, such as a control character or a
  /// mark of direction, becomes "␣": on the page it could hide or reorder what stands beside it.
  static func append(_ text: String, to page: inout ByteBuffer) {
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": page.append("&amp;" as StaticString)
      case "<": page.append("&lt;" as StaticString)
      case ">": page.append("&gt;" as StaticString)
      case "\"": page.append("&quot;" as StaticString)
      case "\t", "\n": page.append(byte: UInt8(truncatingIfNeeded: scalar.value))
      default:
        if scalar.isASCII, scalar.value >= 0x20, scalar.value != 0x7F {
          page.append(byte: UInt8(truncatingIfNeeded: scalar.value))
        } else {
          page.append(MessageFormat.isPlain(scalar) ? String(scalar) : "\u{2423}")
        }
      }
    }
  }

  /// The text of output without what only a terminal acts on: colours and other escape sequences are left out, and a
  /// return to the beginning of the line begins a new one.
  static func output(_ bytes: UnsafeRawBufferPointer) -> String {
    var plain: [UInt8] = []
    plain.reserveCapacity(bytes.count)
    var at = 0
    while at < bytes.count {
      let byte = bytes[at]
      at += 1
      if byte == 0x1B {
        at = endOfSequence(bytes, at)
      } else if byte == 0x0D {
        if at == bytes.count || bytes[at] != 0x0A { plain.append(0x0A) }
      } else {
        plain.append(byte)
      }
    }
    return String(decoding: plain, as: UTF8.self)
  }

  /// The end of an escape sequence of ECMA-48: a control sequence ("["), or a command to the terminal with its text
  /// ("]"). Of all others only the escape itself is dropped.
  private static func endOfSequence(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int {
    guard start < bytes.count else { return start }
    if bytes[start] == UInt8(ascii: "[") {
      let end = bytes[(start + 1)...].firstIndex { !(0x20...0x3F).contains($0) }
      return end.map { (0x40...0x7E).contains(bytes[$0]) ? $0 + 1 : $0 } ?? bytes.count
    }
    guard bytes[start] == UInt8(ascii: "]") else { return start }
    let end = bytes[start...].firstIndex { $0 < 0x20 }
    guard let end else { return bytes.count }
    if bytes[end] == 0x07 { return end + 1 }
    return bytes[end] == 0x1B && end + 1 < bytes.count && bytes[end + 1] == UInt8(ascii: "\\") ? end + 2 : end
  }

  /// The end of some bytes, from the beginning of a line if there is one, else of a character.
  static func tail(_ bytes: UnsafeRawBufferPointer, _ limit: Int) -> Int {
    guard bytes.count > limit else { return 0 }
    let start = bytes.count - limit
    if let line = bytes[start...].firstIndex(of: UInt8(ascii: "\n")), line + 1 < bytes.count { return line + 1 }
    return bytes[start...].firstIndex { $0 & 0xC0 != 0x80 } ?? start
  }

  static func percent(_ value: Double) -> String { ValueText.real((value * 1000).rounded() / 1000) }

  /// A time in which no line is broken.
  static func duration(_ seconds: Double) -> String {
    if seconds <= 0 { return "0\u{A0}s" }
    if seconds < 0.0995 { return "\(ValueText.real((seconds * 1e4).rounded() / 10))\u{A0}ms" }
    if seconds < 99.95 { return "\(ValueText.real((seconds * 100).rounded() / 100))\u{A0}s" }
    let whole = seconds < 1e9 ? Int(seconds.rounded()) : 0
    let (hours, minutes) = (whole / 3600, whole / 60 % 60)
    return hours > 0 ? "\(hours)\u{A0}h \(minutes)\u{A0}min" : "\(minutes)\u{A0}min \(whole % 60)\u{A0}s"
  }

  /// A time as "2026-11-30 07:21:09 UTC". The page may be read in another part of the world than it was made in.
  static func date(_ seconds: Double) -> String {
    guard seconds > 0, seconds < 253_402_300_800 else { return "an unknown time" }
    var when = time_t(seconds)
    var parts = tm()
    guard gmtime_r(&when, &parts) != nil else { return "an unknown time" }
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) "
      + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) UTC"
  }

  /// A number with a comma between thousands.
  static func number(_ number: some BinaryInteger) -> String {
    var digits = String(number)
    var at = digits.count - 3
    while at > 0 {
      digits.insert(",", at: digits.index(digits.startIndex, offsetBy: at))
      at -= 3
    }
    return digits
  }

  static func size(_ bytes: some BinaryInteger) -> String {
    let size = Double(bytes)
    if size < 1000 { return "\(bytes) bytes" }
    for (limit, unit) in [(1e6, "KB"), (1e9, "MB"), (1e12, "GB")] where size < limit {
      return "\(ValueText.real((size / limit * 1e4).rounded() / 10)) \(unit)"
    }
    return "\(ValueText.real((size / 1e12 * 10).rounded() / 10)) TB"
  }

  /// "1 step" or "2 steps".
  static func count(_ number: Int, _ word: String) -> String {
    number == 1 ? "1 \(word)" : "\(PageText.number(number)) \(word)s"
  }

  /// How something ended, in words.
  static func end(_ outcome: Outcome, _ returncode: Int32) -> String {
    switch outcome {
    case .exited: return returncode == 0 ? "succeeded" : "exited with status \(returncode)"
    case .signaled: return "ended by signal \(0 - returncode)"
    case .timeout: return "timed out"
    case .cancelled: return "cancelled"
    case .oom: return "out of memory"
    case .spawnFailed: return "could not be started"
    case .engineFailed: return "the engine failed"
    case .outputMissing: return "an output is missing"
    case .statusUnknown: return "status unknown"
    case .inputMissing: return "an input is missing"
    case .volumeFailed: return "a volume failed"
    }
  }

  /// The one word for how a step or a workflow ended.
  static func word(_ outcome: Outcome, _ returncode: Int32) -> String {
    switch outcome {
    case .cancelled: return "cancelled"
    case .timeout: return "timed out"
    default: return returncode == 0 ? "succeeded" : "failed"
    }
  }
}
