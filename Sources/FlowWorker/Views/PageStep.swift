internal import FWBase
internal import FWModel

/// The part of a page about one step: its line with the times, and all that is known of it below.
extension Page {
  mutating func write(_ row: Timeline.Row) {
    let isOpen = row.returncode != 0 || timeline.run == nil
    add("<details class=\"step\"\(isOpen ? " open" : "")><summary class=\"row\"><span class=\"what\">")
    if timeline.run != nil { add("\(row.index + 1). ") }
    add("<b>")
    put(row.name)
    add("</b> <small title=\"worker ")
    put(row.worker)
    add("\">\(row.result.workerType.name)</small></span>")
    lane(row)
    add("<span class=\"end \(row.isRestored ? "soft" : row.returncode == 0 ? "good" : "bad")\">")
    add(row.isRestored ? "restored" : Page.end(row.outcome, row.returncode, row.duration, of: row.result))
    add("</span></summary><div class=\"body\">")
    about(row)
    attempts(of: row)
    add("</div></details>\n")
  }

  private static func end(_ outcome: Outcome, _ returncode: Int32, _ duration: Double, of step: StepResult) -> String {
    let time = PageText.duration(duration)
    return returncode == 0 ? time : "\(end(outcome, returncode, of: step)), \(time)"
  }

  /// How a step or one of its parts ended. Functions and notebooks have no status of their own.
  private static func end(_ outcome: Outcome, _ returncode: Int32, of step: StepResult) -> String {
    let isFunction = step.workerType.stepType != .container && outcome == .exited
    return isFunction ? PageText.word(outcome, returncode) : PageText.end(outcome, returncode)
  }

  // MARK: Times

  /// The step from its beginning to its end, with its commands and the copies of its files in it.
  private mutating func lane(_ row: Timeline.Row) {
    guard !row.isRestored else {
      return add(
        "<span class=\"lane past\">ran \(PageText.date(row.started)), \(PageText.duration(row.duration))</span>")
    }
    let begin = row.started - origin
    add("<span class=\"lane\" role=\"img\" aria-label=\"from \(PageText.duration(begin)) to ")
    add("\(PageText.duration(begin + row.duration))\">")
    bar("waiting", row.started, row.duration)
    for copy in copies(for: row).prefix(mostCommands) {
      bar("copying", copy.ended - copy.file.duration, copy.file.duration)
    }
    for attempt in row.result.attempts.suffix(mostCommands) {
      guard let delay = attempt.delay, let last = attempt.commands.last?.end, last.started > 0 else { continue }
      bar("pausing", last.started + last.duration, delay)
    }
    for command in row.commands.suffix(mostCommands) {
      bar(command.returncode == 0 ? "running" : "running bad", command.started, command.duration)
    }
    add("</span>")
  }

  private mutating func bar(_ kind: StaticString, _ started: Double, _ duration: Double) {
    add("<i class=\"\(kind)\"")
    style(started, duration)
    add("></i>")
  }

  /// Puts a bar where its time is.
  mutating func style(_ started: Double, _ duration: Double) {
    let left = max(0, min(100, (started - origin) / span * 100))
    let width = max(0, min(100 - left, duration / span * 100))
    add(" style=\"left:\(PageText.percent(left))%;width:\(PageText.percent(width))%\"")
  }

  // MARK: Facts

  private mutating func about(_ row: Timeline.Row) {
    let result = row.result
    // The message of the step at which a run ended is the run's, which the page begins with.
    if let message = row.message, message != timeline.message { write(message, of: row) }
    if let tried = result.last.explanation?.tried, !tried.isEmpty {
      add("<p class=\"tried\"><b>Tried:</b> ")
      put(tried.joined(separator: "; "))
      add("</p>")
    }
    for note in result.notes.prefix(mostCommands) {
      add("<p class=\"note\"><b>Note:</b> ")
      put(note)
      add("</p>")
    }
    left(result.notes.count - mostCommands, "note")
    guard let run = timeline.run else { return engine(of: result.last) }
    add("<dl>")
    fact("Worker", "\(row.worker) (\(result.workerType.name))")
    let when = "\(PageText.date(row.started)), for \(PageText.duration(row.duration))"
    fact("Ran", row.isRestored ? "\(when), in an earlier run" : when)
    schedule(of: row)
    if let rundir = result.rundir, rundir != run.rundir { fact("Run directory", rundir, isCode: true) }
    add("</dl>")
    engine(of: result.last)
  }

  /// What is known of the engine that ran an attempt, which each engine writes itself.
  private mutating func engine(of attempt: Attempt) {
    guard let engine = attempt.engine else { return }
    var writer = JSONWriter()
    engine.write(to: &writer)
    let text = writer.buffer()
    guard let facts = try? JSONText.parse(text.bytes) else { return }
    var pairs: [(String, String)] = []
    facts.read { json in
      json.forEachMember { key, value in
        guard value.kind != .null else { return }
        let text = value.string ?? JSONText.compact(value)?.string ?? ""
        if text != "[]" { pairs.append((key.string, text)) }
      }
    }
    add("<dl class=\"engine\">")
    for (name, value) in pairs {
      add("<dt>")
      put(name.split(separator: "_").joined(separator: " "))
      add("</dt><dd><code>")
      put(value)
      add("</code></dd>")
    }
    add("</dl>")
  }

  // MARK: Attempts

  private mutating func attempts(of row: Timeline.Row) {
    let result = row.result
    let attempts = result.attempts + [result.last]
    guard attempts.count > 1 else { return write(result.last, of: result, most: mostCommands, isNewest: true) }
    let most = max(2, min(20, mostCommands / 2))
    let skipped = max(0, attempts.count - most)
    if skipped > 0 {
      add(
        "<p class=\"left\">\(PageText.count(skipped, "earlier attempt")), which failed, \(skipped == 1 ? "is" : "are")")
      add(" left out.</p>")
    }
    for (position, attempt) in attempts.enumerated().dropFirst(skipped) {
      let isLast = position == attempts.count - 1
      add("<section class=\"attempt\"><h3>Attempt \(position + 1) of \(attempts.count): ")
      add(Page.end(attempt.outcome, attempt.returncode, of: result))
      if let delay = attempt.delay { add("<small>; the next one began \(PageText.duration(delay)) later</small>") }
      add("</h3>")
      if !isLast, let message = attempt.message?.string, message != row.message {
        add("<p class=\"message\">")
        put(message)
        add("</p>")
      }
      write(attempt, of: result, most: max(1, mostCommands / min(most, attempts.count)), isNewest: isLast)
      add("</section>")
    }
  }

  private mutating func write(_ attempt: Attempt, of step: StepResult, most: Int, isNewest: Bool) {
    let commands = attempt.commands.filter { $0.index != nil }
    let skipped = max(0, commands.count - most)
    if skipped > 0 {
      add("<p class=\"left\">\(PageText.count(skipped, "earlier command")), which succeeded, ")
      add("\(skipped == 1 ? "is" : "are") left out.</p>")
    }
    for command in commands.dropFirst(skipped) {
      write(command, of: commands.count, in: step, isOpen: isNewest)
    }
  }

  private mutating func write(_ record: CommandRecord, of count: Int, in step: StepResult, isOpen: Bool) {
    let end = record.end
    let hasOutput = end.stdout.written + end.stderr.written + end.stdout.bytes.count + end.stderr.bytes.count > 0
    let isOpen = isOpen && (hasOutput || record.returncode != 0 || end.exception != nil)
    add("<details class=\"command\"\(isOpen ? " open" : "")><summary>")
    if count > 1, let index = record.index { add("<small>\(index + 1)/\(count)</small> ") }
    add("<code>")
    let short = Page.short(record.command)
    put(short ?? record.command)
    add("</code> <span class=\"end \(record.returncode == 0 ? "good" : "bad")\">")
    add("\(Page.end(end.outcome, record.returncode, end.duration, of: step))</span></summary>")
    if short != nil { text("Command", of: record.command) }
    let facts = Page.facts(of: record)
    if !facts.isEmpty {
      add("<p class=\"small\">")
      put(facts.joined(separator: " · "))
      add("</p>")
    }
    if let exception = end.exception {
      add("<p class=\"message\">")
      put(exception.text)
      add("</p>")
      if !exception.trace.isEmpty { text("Trace", of: exception.trace) }
    }
    output("stdout", end.stdout)
    output("stderr", end.stderr)
    if let value = end.value?.read({ JSONText.compact($0)?.string }) { text("Value", of: value) }
    add("</details>")
  }

  private static func facts(of record: CommandRecord) -> [String] {
    let end = record.end
    var facts: [String] = []
    if let pid = end.pid { facts.append("pid \(pid)") }
    if let container = end.container { facts.append("container \(container)") }
    if let usage = end.usage, usage.user + usage.system > 0 {
      facts.append("\(PageText.duration(usage.user + usage.system)) of processor time")
      if let peak = usage.peakMemory { facts.append("\(PageText.size(peak)) at most in memory") }
    }
    if let position = end.position { facts.append(position) }
    if let signal = end.endedBy { facts.append("the library sent \(signal.rawValue)") }
    let ended = end.survivors.filter { $0.endedBy != nil }.map { "\($0.name) (\($0.pid))" }
    if !ended.isEmpty { facts.append("processes that were ended with it: \(ended.joined(separator: ", "))") }
    let running = end.survivors.filter { $0.endedBy == nil }.map { "\($0.name) (\($0.pid))" }
    if !running.isEmpty { facts.append("processes that were left running: \(running.joined(separator: ", "))") }
    let more = end.survivorsCount - end.survivors.count
    if more > 0 { facts.append("and \(PageText.number(more)) other \(more == 1 ? "process" : "processes")") }
    if !end.isEnded { facts.append("some of its processes may still be running") }
    if let error = record.spillError { facts.append(error) }
    return facts
  }

  // MARK: Texts

  /// The beginning of a command that is too long for one line; `nil` if all of it fits.
  private static func short(_ command: String) -> String? {
    let line = command.prefix { $0 != "\n" && $0 != "\r\n" }
    if line.utf8.count == command.utf8.count, command.count <= 120 { return nil }
    return line.prefix(110) + " …"
  }

  /// A text of several lines, with its end if it is long.
  private mutating func text(_ title: StaticString, of text: String) {
    var text = text
    text.withUTF8 { bytes in
      let bytes = UnsafeRawBufferPointer(bytes)
      let start = PageText.tail(bytes, mostText)
      heading(title, shown: bytes.count - start, of: bytes.count)
      add("<pre>\n")
      putAll(PageText.output(UnsafeRawBufferPointer(rebasing: bytes[start...])))
      add("</pre>")
    }
  }

  private mutating func output(_ title: StaticString, _ output: Output) {
    let bytes = output.bytes
    guard bytes.count > 0 || output.missing > 0 else { return }
    let start = PageText.tail(bytes, mostText)
    heading(title, shown: bytes.count - start, of: bytes.count)
    if let file = output.file {
      add("<p class=\"small\">All of it is in <code>")
      put(file)
      add("</code></p>")
    }
    if output.missing > 0, output.cut <= start { cut(output.missing) }
    add("<pre>\n")
    if output.missing > 0, output.cut > start {
      putAll(PageText.output(UnsafeRawBufferPointer(rebasing: bytes[start..<output.cut])))
      add("</pre>")
      cut(output.missing)
      add("<pre>\n")
      putAll(PageText.output(UnsafeRawBufferPointer(rebasing: bytes[output.cut...])))
    } else {
      putAll(PageText.output(UnsafeRawBufferPointer(rebasing: bytes[start...])))
    }
    add("</pre>")
  }

  private mutating func heading(_ title: StaticString, shown: Int, of count: Int) {
    add("<h4>\(title)")
    if shown < count {
      add(" <small>the last \(PageText.number(shown)) of \(PageText.number(count)) bytes</small>")
    }
    add("</h4>")
  }

  private mutating func cut(_ missing: Int) {
    add("<p class=\"left\">\(PageText.count(missing, "byte")) of the output were not kept.</p>")
  }
}
