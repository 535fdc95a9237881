internal import CSupervisorClient
internal import CSystem
internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWOutput
internal import FWProcess
internal import FWSystem
internal import Glibc

/// A job that an interpreter does.
final class PythonCommand: RunningCommand {
  private enum Phase {
    /// The interpreter has not begun with the job.
    case waiting
    case working
    /// The interpreter is being ended, with all of its processes.
    case ending
    /// The job has ended, and the rest of its output is read.
    case over(CommandEnd)
  }

  private let job: PythonJob
  private let interpreter: Interpreter
  private let interpreters: Interpreters
  private var output: CommandOutput
  private let grace: Double
  private var phase = Phase.waiting
  private var started = fws_wall()
  private var pid: Int32?
  /// What the runner has said of the job.
  private var speech = RunnerSpeech()
  private var isStopped = false
  private var done: RunnerDone?
  /// How the interpreter has broken its protocol, for which it is ended.
  private var fault: String?
  /// What is sent to the interpreter when it becomes ready.
  private var ticket: JobTicket?
  /// Why the job could not be sent to the interpreter.
  private var unbegun: StepFailure?
  /// The timer for the beginning of the job.
  private var startTimer: Timer?
  private let startTimeout: Double

  /// How often the interpreter is read before the output and other steps have their turn.
  private static let turns = 16

  /// - Parameter startTimeout: seconds that the interpreter may take to begin with the job.
  init(
    _ job: PythonJob, _ interpreter: Interpreter, _ interpreters: Interpreters, _ pipes: consuming OutputPipes,
    grace: Double, startTimeout: Double
  ) {
    self.startTimeout = startTimeout
    self.job = job
    self.interpreter = interpreter
    self.interpreters = interpreters
    output = pipes.output
    self.grace = grace
  }

  /// Sends the job to the interpreter, now or when it becomes ready.
  func begin(with ticket: JobTicket) throws(StepFailure) {
    if interpreter.isReady { try interpreter.begin(ticket) } else { self.ticket = ticket }
    let startTimer = try Timer(startTimeout)
    fws_epoll_add(interpreter.fd, startTimer.fd)
    self.startTimer = startTimer
  }

  deinit { endTimeout() }

  var waiting: Waiting {
    switch phase {
    case .waiting: return Waiting(channel: interpreter.fd)
    case .working, .ending:
      var waiting = output.waiting
      waiting.channel = interpreter.fd
      return waiting
    case .over: return output.waitingForRest
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
      output.read(ready, &readiness, &events)
      return nil
    }
    return output.drain(into: &end, &readiness, &events) ? end : nil
  }

  private func listen(_ readiness: inout ReadinessFD, _ events: inout EventQueue) {
    for _ in 0..<PythonCommand.turns {
      var received = Interpreter.Received.nothing
      if isListening { received = interpreter.receive() }
      while isListening, let word = interpreter.nextWord(works: pid != nil) { take(word, &readiness, &events) }
      if isListening, case .noMemory = received { refuse("there is not enough memory for its messages", &readiness) }
      if isListening, case .end = received {
        // The monitor tells how the interpreter ended, and what it left.
        interpreter.stop()
        begin(&readiness)
        phase = .ending
      }
      guard case .something = received else { break }
    }
    if case .over = phase { return }
    if case .waiting = phase, startTimer?.isOver == true {
      refuse("it did not begin its work within \(ValueText.real(startTimeout)) s", &readiness)
    }
    guard let reply = interpreter.monitorReply() else { return }
    begin(&readiness)
    finish(end(reply), &readiness)
  }

  /// Whether what the interpreter says is still listened to.
  private var isListening: Bool {
    switch phase {
    case .waiting, .working: return true
    case .ending, .over: return false
    }
  }

  /// Lets the output of the job be read and told from now on.
  private func begin(_ readiness: inout ReadinessFD) {
    guard case .waiting = phase else { return }
    phase = .working
    endTimeout()
    readiness.watch(output.waiting)
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
        return refuse("it sent an invalid message about its beginning", &readiness)
      }
      begin(&readiness)
      pid = number
      started = fws_wall()
      events.commandStarted(pid: pid, at: started)
    case "done":
      guard let done = RunnerDone(line), pid.map({ $0 == done.pid }) ?? (speech.report == nil) else {
        return refuse("it sent an invalid message about its end", &readiness)
      }
      begin(&readiness)
      finishJob(done, &readiness)
    default:
      if pid == nil { return refuse("it sent \(MessageFormat.quoted(event)) before it had begun", &readiness) }
      switch speech.take(event, line, of: job) {
      case .progress(let progress): events.progress(progress)
      case .report: break
      case .fault(let why): refuse(why, &readiness)
      }
    }
  }

  /// Ends an interpreter that breaks its protocol. Nothing that it says is believed any more.
  private func refuse(_ why: String, _ readiness: inout ReadinessFD) {
    fault = why
    interpreter.stop()
    begin(&readiness)
    phase = .ending
  }

  private func finishJob(_ done: RunnerDone, _ readiness: inout ReadinessFD) {
    // The monitor ends the interpreter, or may be doing so; or the job has left processes, which the monitor ends.
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

  /// The end of a job whose process has ended by itself.
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
    // A process that ended without a result is a failure, and so is one that failed after it had told its success.
    let when = report == nil ? "before it had given a result" : "after it had given its result"
    end.signal = done.signal
    end.outcome = done.signal == nil ? .exited : .signaled
    end.exitCode = done.signal == nil ? (done.exitCode == 0 ? 1 : done.exitCode) : nil
    end.explanation = "failed: the process of \(job.shown) \(done.ending), \(when)"
    return end
  }

  /// The end of a job whose interpreter has ended.
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
      // The result tells of the processes that the job left, and not of the interpreter, which was ended with them.
      var end = judged(done)
      let told = CommandEnd(reply)
      end.survivors = done.left(among: told.survivors)
      end.survivorsCount = done.left.count
      end.isEnded = told.isEnded
      return end
    }
    var end = CommandEnd(reply)
    // The library itself asked for the end, because the interpreter had closed its connection.
    if fault == nil, let signal = end.signal, signal == end.endedBy?.number { fault = "it closed its connection" }
    end.started = started
    end.duration = fws_wall() - started
    if let pid {
      // The main process of the step is the one that did the job, and not the interpreter.
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

  /// The end of a job whose interpreter has ended by itself, or has broken its protocol.
  private func endWithoutWord(_ told: CommandEnd) -> CommandEnd {
    var end = told
    let stderrText = interpreter.stderrText
    let reason = stderrText.isEmpty ? "" : ": \(stderrText)"
    if let fault {
      end.fail(StepFailure(engine: "\(interpreter.shown) violated the protocol: \(fault)\(reason)"))
      return end
    }
    if let report = speech.report {
      if report.isSuccess {
        end.fail(StepFailure(engine: "\(interpreter.shown) ended before it reported the end of \(job.shown)\(reason)"))
      } else {
        report.tell(in: &end)
      }
      return end
    }
    guard pid != nil else {
      end.fail(StepFailure("\(interpreter.shown) ended before it began \(job.shown)\(reason)"))
      return end
    }
    // The interpreter had ended before it was asked to.
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
    output.markEnd()
    phase = .over(end)
  }
}
