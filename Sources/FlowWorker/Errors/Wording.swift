/// How values and names are shown in messages.
enum Wording {
  /// A name in quotes, on one line, and not longer than a reader wants it.
  static func quoted(_ text: String, limit: Int = 60) -> String {
    var shown = "\""
    for (index, scalar) in text.unicodeScalars.enumerated() {
      if index == limit {
        shown += "\u{2026}"
        break
      }
      switch scalar {
      case "\n": shown += "\\n"
      case "\r": shown += "\\r"
      case "\t": shown += "\\t"
      case "\"": shown += "\\\""
      case "\\": shown += "\\\\"
      default:
        if scalar.value < 0x20 || scalar.value == 0x7F {
          shown += "?"
        } else {
          shown.unicodeScalars.append(scalar)
        }
      }
    }
    return shown + "\""
  }

  /// What somebody else says, as one line.
  static func line(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
      .pieces(at: " ").joined(separator: " ")
  }

  /// A path as `quoted` shows it, but whole: its end is what tells it from others.
  static func path(_ path: String) -> String { quoted(path, limit: 4096) }

  /// `"a", "b" or "c"`.
  static func choice(_ names: [String], joining word: String = "or") -> String {
    let shown = names.map { "\"\($0)\"" }
    guard let last = shown.last, shown.count > 1 else { return shown.first ?? "none" }
    return shown.dropLast().joined(separator: ", ") + " \(word) " + last
  }

  /// The known name that is most like a wrong one, if any is like it at all.
  static func closest(to wrong: String, among known: [String]) -> String? {
    let letters = Array(wrong.utf8.prefix(64))
    var best: (name: String, distance: Int)?
    for name in known {
      let distance = editDistance(letters, Array(name.utf8))
      if distance < best?.distance ?? Int.max { best = (name, distance) }
    }
    guard let best, best.distance <= max(2, best.name.utf8.count / 3), best.distance < letters.count else { return nil }
    return best.name
  }

  /// How many insertions, deletions, changes and swaps of neighbours make one of the other.
  private static func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in 0..<a.count {
      var row = [i + 1]
      for j in 0..<b.count {
        let same = lowercase(a[i]) == lowercase(b[j])
        var cost = min(last[j] + (same ? 0 : 1), min(last[j + 1], row[j]) + 1)
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, beforeLast[j - 1] + 1) }
        row.append(cost)
      }
      beforeLast = last
      last = row
    }
    return last[b.count]
  }

  private static func lowercase(_ byte: UInt8) -> UInt8 {
    byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
  }

  /// A time, as "5 s" or "0.5 s".
  static func seconds(_ number: Double) -> String {
    let text = ValueText.real(number)
    return (text.without(suffix: ".0") ?? text[...]) + " s"
  }
}
