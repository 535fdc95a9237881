internal import FWBase
internal import FWModel

/// A page with a timeline of a result, for people. It is one HTML file without a program, and refers to nothing
/// outside.
struct Page: ~Copyable {
  private var text = ByteBuffer()
  private var origin = 0.0
  private var span = 1.0

  /// The number of bytes that are shown of a stream, from its end.
  private static let tail = 4096

  consuming func buffer() -> ByteBuffer {
    var taken = ByteBuffer()
    swap(&taken, &text)
    return taken
  }

  mutating func write(_ timeline: Timeline) {
    let fresh = timeline.rows.filter { !$0.isRestored }
    origin = fresh.map(\.started).min().map { min($0, timeline.started) } ?? timeline.started
    let ends = fresh.map { $0.started + $0.duration } + [timeline.started + timeline.duration]
    span = max(1e-6, (ends.max() ?? origin) - origin)
    add(Page.head)
    let isGood = timeline.rows.allSatisfy { $0.returncode == 0 } && timeline.message == nil
    add("<body><h1>")
    add(timeline.rows.count == 1 ? "1 step" : "\(timeline.rows.count) steps")
    add(" <span class=\"\(isGood ? "good" : "bad")\" id=\"outcome\">\(isGood ? "succeeded" : "failed")</span></h1>")
    add("<p>\(Page.duration(timeline.duration))")
    if timeline.missing > 0 { add(", \(timeline.missing) not reached") }
    add("</p>")
    if let message = timeline.message {
      add("<p class=\"message\" id=\"message\">")
      escape(message)
      add("</p>")
    }
    axis()
    for row in timeline.rows { write(row) }
    if !timeline.copies.isEmpty { write(timeline.copies) }
    add("</body></html>\n")
  }

  private mutating func axis() {
    add("<div class=\"axis\"><div class=\"what\"></div><div class=\"lane\">")
    for part in 0...4 {
      add("<span style=\"left:\(part * 25)%\">\(Page.duration(span * Double(part) / 4))</span>")
    }
    add("</div></div>")
  }

  private mutating func write(_ row: Timeline.Row) {
    add(
      "<details class=\"step\"\(row.returncode == 0 ? "" : " open")><summary><div class=\"row\"><div class=\"what\"><b>"
    )
    escape(row.name)
    add("</b><small title=\"")
    escape(row.worker)
    add("\">\(row.result.workerType.name)</small></div>")
    lane("step", row.started, row.duration, row.returncode == 0, row.isRestored)
    add("<div class=\"end\">")
    add(
      row.isRestored
        ? "restored"
        : row.returncode == 0 ? Page.duration(row.duration) : Page.end(row.outcome, row.returncode, row.duration))
    add("</div></div></summary>")
    for bar in row.commands {
      add("<div class=\"row\"><div class=\"what\"><code>")
      escape(bar.name)
      add("</code></div>")
      lane("command", bar.started, bar.duration, bar.returncode == 0, row.isRestored)
      add("<div class=\"end\">")
      add(bar.returncode == 0 ? Page.duration(bar.duration) : Page.end(bar.outcome, bar.returncode, bar.duration))
      add("</div></div>")
    }
    if let message = row.message {
      add("<p class=\"message\">")
      escape(message)
      add("</p>")
    }
    output(row.result, .stdout)
    output(row.result, .stderr)
    add("</details>")
  }

  private mutating func write(_ copies: [RunResult.Copy]) {
    add("<details class=\"files\"><summary>Files copied: \(copies.count)</summary>")
    for copy in copies {
      add("<div class=\"row\"><div class=\"what\"><code>")
      escape(copy.file.key.text)
      add("</code><small>")
      escape("\(copy.file.from.volume) → \(copy.file.to.volume), \(copy.file.bytes) bytes")
      add("</small></div>")
      lane("copy", copy.ended - copy.file.duration, copy.file.duration, true, false)
      add("<div class=\"end\">\(Page.duration(copy.file.duration))</div></div>")
    }
    add("</details>")
  }

  private mutating func lane(
    _ kind: StaticString, _ started: Double, _ duration: Double, _ isGood: Bool, _ isRestored: Bool
  ) {
    add("<div class=\"lane\">")
    if !isRestored {
      let left = max(0, min(100, (started - origin) / span * 100))
      let width = max(0, min(100 - left, duration / span * 100))
      add(
        "<i class=\"\(kind) \(isGood ? "good" : "bad")\" style=\"left:\(Page.percent(left))%;"
          + "width:max(2px,\(Page.percent(width))%)\"></i>"
      )
    }
    add("</div>")
  }

  /// Writes the end of the output of all commands to a stream.
  private mutating func output(_ result: StepResult, _ stream: Stream) {
    let count = result.outputCount(of: stream)
    guard count > 0 else { return }
    var pieces: [UnsafeRawBufferPointer] = []
    var size = 0
    for index in stride(from: count - 1, through: 0, by: -1) where size < Page.tail {
      guard let bytes = result.output(of: stream, index)?.bytes else { continue }
      let part = UnsafeRawBufferPointer(rebasing: bytes.suffix(Page.tail - size))
      pieces.append(part)
      size += part.count
    }
    add("<h2>\(stream.name)</h2><pre>")
    for piece in pieces.reversed() { escape(String(decoding: piece, as: UTF8.self)) }
    add("</pre>")
  }

  // MARK: Text

  private mutating func add(_ more: String) { text.append(more) }

  private mutating func escape(_ more: String) {
    var more = more
    more.withUTF8 { bytes in
      for byte in bytes {
        switch byte {
        case UInt8(ascii: "&"): text.append("&amp;" as StaticString)
        case UInt8(ascii: "<"): text.append("&lt;" as StaticString)
        case UInt8(ascii: ">"): text.append("&gt;" as StaticString)
        case UInt8(ascii: "\""): text.append("&quot;" as StaticString)
        case 0x09, 0x0A, 0x0D: text.append(byte: byte)
        // A page cannot hold control characters, on which a terminal would act.
        case 0..<0x20, 0x7F: text.append("\u{2423}" as StaticString)
        default: text.append(byte: byte)
        }
      }
    }
  }

  private static func end(_ outcome: Outcome, _ returncode: Int32, _ duration: Double) -> String {
    "\(outcome.name) \(returncode), \(Page.duration(duration))"
  }

  private static func percent(_ value: Double) -> String { ValueText.real((value * 1000).rounded() / 1000) }

  private static func duration(_ seconds: Double) -> String {
    if seconds <= 0 { return "0 s" }
    if seconds < 0.0995 { return "\(ValueText.real((seconds * 1e4).rounded() / 10)) ms" }
    if seconds < 99.95 { return "\(ValueText.real((seconds * 100).rounded() / 100)) s" }
    let whole = seconds < 1e9 ? Int(seconds.rounded()) : 0
    let (hours, minutes) = (whole / 3600, whole / 60 % 60)
    return hours > 0 ? "\(hours) h \(minutes) min" : "\(minutes) min \(whole % 60) s"
  }

  private static let head = """
    <!DOCTYPE html>
    <html lang="en"><head><meta charset="utf-8"><title>Workflow run</title>
    <meta name="viewport" content="width=device-width"><style>
    :root{color-scheme:light dark;--good:#2a7f4f;--bad:#c0392b;--line:#8884;--soft:#8882}
    body{font:14px/1.4 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em}
    h1{font-size:1.3em;margin:0}h2{font-size:.85em;margin:.6em 0 .2em;opacity:.7}
    span.good{color:var(--good)}span.bad,.message{color:var(--bad)}
    .row,.axis{display:flex;align-items:center;gap:.8em;min-height:1.7em}
    .what{flex:0 0 28%;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
    .what small{opacity:.6;margin-left:.6em}.lane{flex:1;position:relative;height:1.1em;background:var(--soft)}
    .end{flex:0 0 9em;text-align:right;font-variant-numeric:tabular-nums}
    .axis .lane{background:none;border-bottom:1px solid var(--line);margin-right:9.8em}
    .axis span{position:absolute;font-size:.75em;opacity:.7;white-space:nowrap;transform:translateX(-50%)}
    i{position:absolute;top:0;bottom:0;border-radius:2px}i.good{background:var(--good)}i.bad{background:var(--bad)}
    i.command{top:25%;bottom:25%;opacity:.75}i.copy{opacity:.5}
    details{border-bottom:1px solid var(--line);padding:.2em 0}summary{cursor:pointer;list-style-position:outside}
    pre{background:var(--soft);padding:.6em;overflow:auto;max-height:20em;margin:0 0 .6em;white-space:pre-wrap}
    </style></head>

    """
}
