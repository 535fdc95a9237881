internal import CSupervisorClient
internal import CSystem
internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWOutput
internal import FWProcess
internal import FWSystem
internal import Glibc

/// A job of an interpreter in flight.
final class PythonCommand: RunningCommand {
  private enum Phase {
    /// Until the interpreter has begun with it.
    case waiting
    case working
    /// The interpreter is being ended, with all that comes from it.
    case ending
    /// The rest of the output is read.
    case over(CommandEnd)
  }

  private let job: PythonJob
  private let interpreter: Interpreter
  private let interpreters: Interpreters
  private var stdout: OutputSink
  private var stderr: OutputSink
  private let grace: Double
  private var phase = Phase.waiting
  private var started = fws_wall()
  private var pid: Int32?
  /// What has been said of the job, before its end is told by whoever ends it.
  private var speech = RunnerSpeech()
  private var isStopped = false
  private var done: RunnerDone?
  /// Why the interpreter is ended that does not speak as it should.
  private var fault: String?
  /// Until the interpreter is ready for it.
  private var ticket: JobTicket?
  /// Why it was not given its job.
  private var unbegun: StepFailure?
  /// Until the interpreter has begun with it.
  private var startTimer: Pause?
  private let startTimeout: Double

  /// How often the interpreter is listened to before others have their turn, and how much is taken in at once.
  private static let turns = 16

  /// - Parameter startTimeout: seconds that the interpreter may take until it begins with the job.
  init(
    _ job: PythonJob, _ interpreter: Interpreter, _ interpreters: Interpreters, _ pipes: consuming OutputPipes,
    grace: Double, startTimeout: Double
  ) {
    self.startTimeout = startTimeout
    self.job = job
    self.interpreter = interpreter
    self.interpreters = interpreters
    stdout = pipes.stdout
    stderr = pipes.stderr
    self.grace = grace
  }

  /// Gives the interpreter its job, now or when it is ready.
  func begin(with ticket: JobTicket) throws(StepFailure) {
    if interpreter.isReady { try interpreter.begin(ticket) } else { self.ticket = ticket }
    let startTimer = try Pause(startTimeout)
    fws_epoll_add(interpreter.fd, startTimer.fd)
    self.startTimer = startTimer
  }

  deinit { endTimeout() }

  var waiting: Waiting {
    switch phase {
    case .waiting: return Waiting(channel: interpreter.fd)
    case .working, .ending: return Waiting(channel: interpreter.fd, stdout: stdout.fd, stderr: stderr.fd)
    case .over: return Waiting(stdout: stdout.current, stderr: stderr.current)
    }
  }

  func stop() {
    if case .over = phase { return }
    isStopped = true
    interpreter.stop()
  }

  func advance(_ ready: Waiting.Ready, _ readiness: inout ReadinessFD, _ events: inout EventQueue) -> CommandEnd? {
    if ready.channel { listen(&readiness, &events) }
    guard case .over(var end) = phase else {
      if ready.stdout { stdout.read(&readiness, &events) }
      if ready.stderr { stderr.read(&readiness, &events) }
      return nil
    }
    while !stdout.isDone || !stderr.isDone {
      if !stdout.isDone { stdout.read(&readiness, &events) }
      if !stderr.isDone { stderr.read(&readiness, &events) }
      if !events.isEmpty, !stdout.isDone || !stderr.isDone { return nil }
    }
    end.stdout = stdout.finish(&readiness, &events)
    end.stderr = stderr.finish(&readiness, &events)
    end.note(unread: .stdout, stdout.failure)
    end.note(unread: .stderr, stderr.failure)
    return end
  }

  private func listen(_ readiness: inout ReadinessFD, _ events: inout EventQueue) {
    for _ in 0..<PythonCommand.turns {
      var received = Interpreter.Received.nothing
      if isListening { received = interpreter.receive() }
      while isListening, let word = interpreter.nextWord(works: pid != nil) { take(word, &readiness, &events) }
      if isListening, case .noMemory = received { refuse("there is no memory for what it says", &readiness) }
      if isListening, case .end = received {
        // Its end, or what it left, is told by its monitor.
        interpreter.stop()
        begin(&readiness)
        phase = .ending
      }
      guard case .something = received else { break }
    }
    if case .over = phase { return }
    if case .waiting = phase, startTimer?.isOver == true {
      refuse("it has not begun with its work in \(ValueText.real(startTimeout)) s", &readiness)
    }
    guard let reply = interpreter.monitorReply() else { return }
    begin(&readiness)
    finish(end(reply), &readiness)
  }

  /// Whether what the interpreter says matters.
  private var isListening: Bool {
    switch phase {
    case .waiting, .working: return true
    case .ending, .over: return false
    }
  }

  /// Its output may be told from now on.
  private func begin(_ readiness: inout ReadinessFD) {
    guard case .waiting = phase else { return }
    phase = .working
    endTimeout()
    readiness.watch(Waiting(stdout: stdout.fd, stderr: stderr.fd))
  }

  private func endTimeout() {
    guard let startTimer else { return }
    fws_epoll_remove(interpreter.fd, startTimer.fd)
    self.startTimer = nil
  }

  private func take(_ word: Interpreter.Word, _ readiness: inout ReadinessFD, _ events: inout EventQueue) {
    switch word {
    case .ready:
      if let ticket {
        do throws(StepFailure) { try interpreter.begin(ticket) } catch {
          unbegun = error
          interpreter.stop()
        }
      }
      ticket = nil
    case .line(let line): line.read { take($0, &readiness, &events) }
    case .fault(let why): refuse(why, &readiness)
    }
  }

  private func take(_ line: JSONRef, _ readiness: inout ReadinessFD, _ events: inout EventQueue) {
    let event = line["event"]?.string ?? ""
    switch event {
    case "started":
      guard case .waiting = phase, pid == nil, let number = line["pid"]?.processNumber else {
        return refuse("its account of a beginning makes no sense", &readiness)
      }
      begin(&readiness)
      pid = number
      started = fws_wall()
      events.commandStarted(pid: pid, at: started)
    case "done":
      guard let done = RunnerDone(line), pid.map({ $0 == done.pid }) ?? (speech.report == nil) else {
        return refuse("its account of an end makes no sense", &readiness)
      }
      begin(&readiness)
      finishJob(done, &readiness)
    default:
      if pid == nil { return refuse("it says \(MessageFormat.quoted(event)) before it has begun", &readiness) }
      switch speech.take(event, line, of: job) {
      case .progress(let progress): events.progress(progress)
      case .report: break
      case .fault(let why): refuse(why, &readiness)
      }
    }
  }

  /// Ends an interpreter that does not speak as it should: nothing that it says is believed any more.
  private func refuse(_ why: String, _ readiness: inout ReadinessFD) {
    fault = why
    interpreter.stop()
    begin(&readiness)
    phase = .ending
  }

  private func finishJob(_ done: RunnerDone, _ readiness: inout ReadinessFD) {
    // It is being ended, or may be, by its monitor; or it has left something, which its monitor ends.
    let mayBeEnded = speech.report == nil && (done.signal == SIGTERM || done.exitCode == 128 + SIGTERM)
    if isStopped || mayBeEnded || !done.isClean || !interpreter.isReaper {
      self.done = done
      interpreter.stop()
      phase = .ending
      return
    }
    interpreter.limit(nil, grace: grace)
    finish(judged(done), &readiness)
    interpreters.keep(interpreter)
  }

  /// How a job ended that came to its end.
  private func judged(_ done: RunnerDone) -> CommandEnd {
    var end = CommandEnd(outcome: .exited, started: started)
    end.pid = pid
    end.duration = fws_wall() - started
    end.usage = done.usage
    end.containment = interpreter.isReaper ? .subreaper : .session
    let report = speech.report
    if let report, !report.isSuccess || done.isSuccess {
      report.tell(in: &end)
      return end
    }
    // A process that ends itself has done nothing that we know of; one that fails behind its success has not ended well.
    let when = report == nil ? "before it had given a result" : "after it had given its result"
    end.signal = done.signal
    end.outcome = done.signal == nil ? .exited : .signaled
    end.exitCode = done.signal == nil ? (done.exitCode == 0 ? 1 : done.exitCode) : nil
    end.explanation = "failed: the process of \(job.shown) \(done.ending), \(when)"
    return end
  }

  /// How a job ended whose interpreter has ended.
  private func end(_ reply: fwsv_reply?) -> CommandEnd {
    guard let reply else {
      var end = CommandEnd(outcome: .statusUnknown, started: started)
      end.pid = pid
      end.loss = interpreter.loss
      end.isEnded = false
      return end
    }
    if reply.kind == FWSV_FAILED {
      return CommandEnd(failure: startFailure(reply), started: started)
    }
    if let unbegun, !isStopped { return CommandEnd(failure: unbegun, started: started) }
    let wasEnded = speech.report == nil && (isStopped || reply.reason == UInt32(FWSV_BY_TIMEOUT))
    if let done, !wasEnded {
      // What was left is told of, and not the interpreter, which goes with it.
      var end = judged(done)
      let told = CommandEnd(reply)
      end.survivors = done.left(among: told.survivors)
      end.survivorsCount = done.left.count
      end.isEnded = told.isEnded
      return end
    }
    var end = CommandEnd(reply)
    // Nobody asked for its end but us, because it had closed its connection.
    if fault == nil, let signal = end.signal, signal == end.endedBy?.number { fault = "it has closed its connection" }
    end.started = started
    end.duration = fws_wall() - started
    if let pid {
      // The main process is the job's, and not the interpreter's.
      end.pid = pid
      end.endedBy = end.survivors.first { $0.pid == pid }?.endedBy
      let count = end.survivors.count
      end.survivors.removeAll { $0.pid == pid }
      end.survivorsCount -= count - end.survivors.count
    } else {
      end.pid = nil
    }
    if end.outcome == .timeout || isStopped {
      if end.outcome != .timeout { end.outcome = .cancelled }
      end.position = speech.progress.map { "in cell \($0.cell) of \($0.of)" }
      return end
    }
    return endWithoutWord(end)
  }

  /// How a job ended whose interpreter has ended by itself, or does not speak as it should.
  private func endWithoutWord(_ told: CommandEnd) -> CommandEnd {
    var end = told
    let stderrText = interpreter.stderrText
    let reason = stderrText.isEmpty ? "" : ": \(stderrText)"
    if let fault {
      end.fail(StepFailure(engine: "\(interpreter.shown) does not speak as it should: \(fault)\(reason)"))
      return end
    }
    if let report = speech.report {
      if report.isSuccess {
        end.fail(StepFailure(engine: "\(interpreter.shown) ended before it had told the end of \(job.shown)\(reason)"))
      } else {
        report.tell(in: &end)
      }
      return end
    }
    guard pid != nil else {
      end.fail(StepFailure("\(interpreter.shown) ended before it had begun with \(job.shown)\(reason)"))
      return end
    }
    // Our asking for its end is not why it ended.
    end.outcome = end.signal == nil ? .exited : .signaled
    if end.exitCode == 0 { end.exitCode = 1 }
    end.explanation = "failed: \(interpreter.shown) ended while \(job.shown) ran\(reason)"
    return end
  }

  private func startFailure(_ reply: fwsv_reply) -> StepFailure {
    let shown = MessageFormat.path(interpreter.key.program)
    switch (Int(reply.stage), reply.error) {
    case (FWSV_AT_EXEC, ENOENT): return StepFailure("the Python interpreter \(shown) does not exist")
    case (FWSV_AT_EXEC, EACCES): return StepFailure("the Python interpreter \(shown) is not an executable file")
    default: return StepFailure(start: reply, of: "the Python interpreter \(shown)")
    }
  }

  private func finish(_ end: CommandEnd, _ readiness: inout ReadinessFD) {
    readiness.forget(interpreter.fd)
    stdout.markEnd()
    stderr.markEnd()
    phase = .over(end)
  }
}
