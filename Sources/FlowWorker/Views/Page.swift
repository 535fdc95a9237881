internal import FWBase
internal import FWModel

/// A page about a result, for people. It is one HTML file without a program, and refers to nothing outside.
///
/// Its size is bounded: of a large run it shows some of the steps, commands and files, and of each text the end, and it
/// says what is left out.
struct Page: ~Copyable {
  let timeline: Timeline
  let origin: Double
  let span: Double
  /// The steps that the page shows, by their positions among all. Where there are too many, the first, the last, and
  /// those between them that failed.
  let shown: [Int]
  /// The most commands that are shown of one step.
  let mostCommands: Int
  /// The most bytes that are shown of one text.
  let mostText: Int
  var text = ByteBuffer()

  private let copies: [StepPlace: [RunResult.Copy]]

  private static let mostSteps = (first: 100, failed: 400, all: 1000)
  private static let longest = 8192
  private static let mostFiles = 200
  private static let mostArguments = 200
  private static let mostNames = 200

  init(of timeline: Timeline) {
    self.timeline = timeline
    (origin, span) = timeline.extent
    copies = Dictionary(grouping: timeline.copies) { StepPlace(index: $0.step, instance: $0.instance) }
    let rows = timeline.rows
    shown = Page.positions(of: rows)
    // A page of all steps has about 2,000 commands and a megabyte of their texts.
    let mostCommands = max(2, min(100, 2000 / max(1, shown.count)))
    let texts = shown.reduce(0) { $0 + 2 * min(mostCommands, rows[$1].commands.count) }
    self.mostCommands = mostCommands
    mostText = max(300, min(4096, 1_000_000 / max(1, texts)))
  }

  private static func positions(of rows: [Timeline.Row]) -> [Int] {
    let most = Page.mostSteps
    guard rows.count > most.all else { return Array(rows.indices) }
    let between = most.first..<(rows.count - (most.all - most.first - most.failed))
    let failed = between.lazy.filter { rows[$0].returncode != 0 }.prefix(most.failed)
    let last = rows.count - (most.all - most.first - failed.count)
    return Array(0..<most.first) + failed.filter { $0 < last } + Array(last..<rows.count)
  }

  consuming func buffer() -> ByteBuffer {
    var taken = ByteBuffer()
    swap(&taken, &text)
    return taken
  }

  mutating func write() {
    let word = PageText.word(timeline.outcome, timeline.returncode)
    let name = timeline.run == nil ? timeline.rows.first?.name : timeline.run?.name
    let title = name ?? "Workflow run"
    add("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>")
    put("\(title): \(word)")
    add("</title>\n")
    add(Page.style)
    add("</head><body><main><header><h1>")
    put(title)
    add(" <span class=\"status \(timeline.returncode == 0 ? "good" : "bad")\" id=\"outcome\">\(word)</span></h1>")
    add("<p id=\"totals\">")
    put(totals)
    add("</p>")
    if let message = timeline.message { write(message, of: timeline.failed, " id=\"message\"") }
    facts()
    add("</header>")
    arguments()
    phases()
    lanes()
    criticalPath()
    add("<section id=\"steps\"><h2>\(timeline.run == nil ? "Step" : "Steps")</h2>")
    if timeline.rows.isEmpty { add("<p>No step was run.</p>") } else { axis() }
    var next = 0
    for position in shown {
      leftOut(next..<position)
      write(timeline.rows[position])
      next = position + 1
    }
    let unkept = timeline.succeeded - timeline.rows.count { $0.returncode == 0 }
    if unkept > 0 {
      add("<p class=\"left\">The results of \(PageText.count(unkept, "step")) that succeeded were not kept.</p>")
    }
    notReached()
    add("</section>")
    if !timeline.copies.isEmpty { write(timeline.copies) }
    add("</main></body></html>\n")
  }

  /// Says that the page does not show some steps.
  private mutating func leftOut(_ positions: Range<Int>) {
    if positions.isEmpty { return }
    let failed = positions.count { timeline.rows[$0].returncode != 0 }
    let what = failed == 0 ? " that succeeded" : ", of which \(PageText.number(failed)) did not succeed,"
    add("<p class=\"left\">\(PageText.count(positions.count, "step"))\(what) ")
    add("\(positions.count == 1 ? "is" : "are") left out here.</p>")
  }

  // MARK: The beginning

  /// How many steps did what.
  private var totals: String {
    guard let run = timeline.run else {
      let attempts = timeline.rows.first?.result.attempts.count ?? 0
      let tries = attempts == 0 ? "" : " in the last of \(attempts + 1) attempts"
      let word = PageText.word(timeline.outcome, timeline.returncode)
      return "The step \(timeline.outcome == .cancelled ? "was " : "")\(word)\(tries)."
    }
    let missing = run.notRun.reduce(0) { $0 + ($1.instances ?? 1) }
    let bad = timeline.fresh.filter { $0.returncode != 0 }
    let (good, restored) = (timeline.succeeded - timeline.restored, timeline.restored)
    // Instances count as steps, and a step without instances is a step.
    let isMany =
      run.notRun.contains { $0.instances != nil } || timeline.rows.contains { $0.result.place?.instance != nil }
    let of = "of \(PageText.count(isMany ? bad.count + timeline.succeeded + missing : timeline.total, "step"))"
    var parts: [String] = []
    func add(_ number: Int, _ what: String, _ verb: (one: String, many: String)? = nil) {
      guard number > 0 else { return }
      let verb = verb.map { number == 1 ? "\($0.one) " : "\($0.many) " } ?? ""
      parts.append("\(PageText.number(number)) \(parts.isEmpty ? "\(of) " : "")\(verb)\(what)")
    }
    var ends: [(word: String, count: Int)] = []
    for row in bad where row.outcome != .cancelled {
      let word = PageText.word(row.outcome, row.returncode)
      if let known = ends.firstIndex(where: { $0.word == word }) {
        ends[known].count += 1
      } else {
        ends.append((word, 1))
      }
    }
    for end in ends { add(end.count, end.word) }
    add(bad.count { $0.outcome == .cancelled }, PageText.word(.cancelled, 1), ("was", "were"))
    add(good, restored > 0 ? "succeeded now" : "succeeded")
    add(restored, "restored from an earlier run", ("was", "were"))
    add(missing, "not reached", ("was", "were"))
    let failed = bad.count
    if parts.isEmpty { return "The workflow has no steps." }
    let sentence = parts.joined(separator: ", ") + "."
    // The steps are all well, and what the workflow does besides is not.
    return failed == 0 && timeline.returncode != 0 ? "\(sentence) The workflow itself did not succeed." : sentence
  }

  /// A message, and the remedy that is likely to help.
  mutating func write(_ message: String, of row: Timeline.Row?, _ attribute: StaticString = "") {
    add("<p class=\"message\"\(attribute)>")
    put(message)
    add("</p>")
    guard let row, let likely = row.result.last.explanation?.likely, row.message == message else { return }
    add("<p class=\"likely\"><b>Likely:</b> ")
    put(likely)
    add("</p>")
  }

  private mutating func facts() {
    add("<dl id=\"facts\">")
    fact("Started", PageText.date(timeline.started))
    fact("Duration", PageText.duration(timeline.duration))
    if let run = timeline.run {
      if let rundir = run.rundir { fact("Run directory", rundir, isCode: true) }
      if let state = run.state { fact("State directory", state, isCode: true) }
      let restored = timeline.rows.filter(\.isRestored)
      if let first = restored.first, let last = restored.last {
        let (began, ended) = (PageText.date(first.started), PageText.date(last.started))
        let when = began == ended ? "begun at \(began)" : "begun between \(began) and \(ended)"
        fact("Restored", "\(PageText.count(restored.count, "step")), \(when)")
      }
    } else if let row = timeline.rows.first {
      fact("Worker", "\(row.worker) (\(row.result.workerType.name))")
      if let rundir = row.result.rundir { fact("Run directory", rundir, isCode: true) }
    }
    add("</dl>")
  }

  mutating func fact(_ name: StaticString, _ value: String, isCode: Bool = false) {
    add("<dt>\(name)</dt><dd>")
    if isCode { add("<code>") }
    put(value)
    if isCode { add("</code>") }
    add("</dd>")
  }

  private mutating func arguments() {
    guard let run = timeline.run, let arguments = run.arguments else { return }
    var pairs: [(name: String, value: String)] = []
    var count = 0
    arguments.read { json in
      json.forEachMember { key, value in
        count += 1
        guard count <= Page.mostArguments else { return }
        pairs.append((key.string, value.string ?? JSONText.compact(value)?.string ?? ""))
      }
    }
    guard count > 0 else { return }
    add("<section id=\"arguments\"><h2>Arguments</h2><dl>")
    for (name, value) in pairs {
      add("<dt><code>")
      put(name)
      add("</code></dt><dd><code>")
      put(value)
      add("</code></dd>")
    }
    add("</dl>")
    left(count - pairs.count, "argument")
    add("</section>")
  }

  // MARK: Where time went

  private mutating func phases() {
    let spent = timeline.spent.filter { $0.seconds >= timeline.duration / 1000 && $0.seconds > 0 }
    guard timeline.duration > 0, !spent.isEmpty else { return }
    let all = spent.reduce(0) { $0 + $1.seconds }
    add("<section id=\"time\"><h2>Where time went</h2><div class=\"phases\" aria-hidden=\"true\">")
    for (phase, seconds) in spent {
      let width = PageText.percent(min(100, seconds / all * 100))
      add("<i class=\"\(phase.rawValue)\" style=\"width:\(width)%\"></i>")
    }
    add("</div><ul>")
    for (phase, seconds) in spent {
      let share = Int(min(100, (seconds / all * 100).rounded()))
      add("<li><i class=\"\(phase.rawValue)\"></i>\(phase.words): <b>\(PageText.duration(seconds))</b>")
      add(" <small>\(share == 0 ? "less than 1" : "\(share)") %</small></li>")
    }
    add("</ul>")
    if timeline.hasLanes { add("<p class=\"small\">The times of steps that ran at once are added up.</p>") }
    add("</section>")
  }

  mutating func axis() {
    add("<div class=\"axis\" aria-hidden=\"true\"><span class=\"lane\">")
    for part in 0...4 {
      add("<span style=\"left:\(part * 25)%\">\(PageText.duration(span * Double(part) / 4))</span>")
    }
    add("</span></div>")
  }

  // MARK: The end

  private mutating func notReached() {
    guard let run = timeline.run else { return }
    for step in run.notRun.prefix(Page.mostNames) {
      add("<div class=\"row gone\"><span class=\"what\">\(step.index + 1). <b>")
      put(step.step)
      add("</b></span><span class=\"why\">")
      put(step.reason)
      add("</span><span class=\"end\">")
      let count = step.instances.map { "\(PageText.count($0, "instance")) " } ?? ""
      add("\(step.isWhole ? "" : count)not reached</span></div>")
    }
    left(run.notRun.count - Page.mostNames, "step")
  }

  private mutating func write(_ copies: [RunResult.Copy]) {
    let bytes = copies.reduce(0) { $0 + Double($1.file.bytes) }
    let total = PageText.size(Int64(exactly: bytes.rounded()) ?? Int64.max)
    add("<section id=\"files\"><h2>Files copied</h2><details><summary>\(PageText.count(copies.count, "file")), ")
    add("\(total)</summary><div class=\"wide\"><table><thead><tr><th>File</th><th>From</th><th>To</th><th>For</th>")
    add("<th>Size</th><th>Time</th></tr></thead><tbody>")
    for copy in copies.prefix(Page.mostFiles) {
      let place = StepPlace(index: copy.step, instance: copy.instance)
      let step = timeline.rows.first { $0.result.place == place }
      add("<tr><td><code>")
      put(copy.file.key.text)
      add("</code></td><td>")
      put(Page.shown(copy.file.from, beside: copy.file.to))
      add("</td><td>")
      put(Page.shown(copy.file.to, beside: copy.file.from))
      add("</td><td>")
      put(step?.name ?? "the workflow")
      add("</td><td>\(PageText.size(copy.file.bytes))</td><td>\(PageText.duration(copy.file.duration))</td></tr>")
    }
    add("</tbody></table></div>")
    left(copies.count - Page.mostFiles, "file")
    add("</details></section>")
  }

  /// The name of a volume as people know it.
  private static func shown(_ location: Location, beside other: Location) -> String {
    let name = location.volume == WorkerSpec.defaultVolume ? "run directory" : location.volume
    return location.isLocalCopy && other.volume == location.volume ? "local copy of \(name)" : name
  }

  /// Says how many things are left out, if any are.
  mutating func left(_ number: Int, _ what: String) {
    guard number > 0 else { return }
    add("<p class=\"left\">\(PageText.count(number, "more \(what)")) \(number == 1 ? "is" : "are") left out.</p>")
  }

  // MARK: Text

  /// Appends markup of the library's own.
  mutating func add(_ more: String) { text.append(more) }

  /// Appends text from outside, or the beginning of one that is longer than any output on the page.
  mutating func put(_ more: String) {
    guard more.utf8.count > Page.longest else { return PageText.append(more, to: &text) }
    PageText.append(String(decoding: more.utf8.prefix(Page.longest), as: UTF8.self), to: &text)
    add("… (\(PageText.number(more.utf8.count)) bytes)")
  }

  /// Appends text from outside that has been cut to `mostText` bytes. It may be longer than they were, because U+FFFD
  /// stands for each byte that is no UTF-8.
  mutating func putAll(_ more: String) { PageText.append(more, to: &text) }

  /// The files that were copied for a step.
  func copies(for row: Timeline.Row) -> [RunResult.Copy] { row.result.place.flatMap { copies[$0] } ?? [] }
}
