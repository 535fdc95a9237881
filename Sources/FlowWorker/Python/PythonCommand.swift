internal import CFlowShims
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
  /// What the job came to, before that is told by whoever ends it.
  private var report: RunnerReport?
  private var isStopped = false
  private var done: RunnerDone?
  private var progress: CellProgress?
  /// Until the interpreter is ready for it.
  private var ticket: JobTicket?
  /// Why it was not given its job.
  private var unbegun: SpawnFailure?

  init(
    _ job: PythonJob, _ interpreter: Interpreter, _ interpreters: Interpreters, _ pipes: consuming OutputPipes,
    grace: Double
  ) {
    self.job = job
    self.interpreter = interpreter
    self.interpreters = interpreters
    stdout = pipes.stdout
    stderr = pipes.stderr
    self.grace = grace
  }

  /// Gives the interpreter its job, now or when it is ready.
  func begin(with ticket: JobTicket) throws(SpawnFailure) {
    if interpreter.isReady { try interpreter.begin(ticket) } else { self.ticket = ticket }
  }

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

  func advance(_ ready: Waiting.Ready, _ signpost: inout Signpost, _ events: inout EventQueue) -> CommandEnd? {
    if ready.channel { listen(&signpost, &events) }
    guard case .over(var end) = phase else {
      if ready.stdout { stdout.read(&signpost, &events) }
      if ready.stderr { stderr.read(&signpost, &events) }
      return nil
    }
    while !stdout.isDone || !stderr.isDone {
      if !stdout.isDone { stdout.read(&signpost, &events) }
      if !stderr.isDone { stderr.read(&signpost, &events) }
      if !events.isEmpty, !stdout.isDone || !stderr.isDone { return nil }
    }
    end.stdout = stdout.finish(&signpost, &events)
    end.stderr = stderr.finish(&signpost, &events)
    end.note(unread: .stdout, stdout.failure)
    end.note(unread: .stderr, stderr.failure)
    return end
  }

  private func listen(_ signpost: inout Signpost, _ events: inout EventQueue) {
    listening: while true {
      if case .over = phase { return }
      if case .ending = phase { break }
      switch interpreter.listen() {
      case .nothing: break listening
      case .end:
        // Its end, or what it left, is told by its monitor.
        interpreter.stop()
        begin(&signpost)
        phase = .ending
      case .line(let line): line.read { take($0, &signpost, &events) }
      }
    }
    guard let reply = interpreter.monitorReply() else { return }
    begin(&signpost)
    finish(end(reply), &signpost)
  }

  /// Its output may be told from now on.
  private func begin(_ signpost: inout Signpost) {
    guard case .waiting = phase else { return }
    phase = .working
    signpost.watch(Waiting(stdout: stdout.fd, stderr: stderr.fd))
  }

  private func take(_ line: JSONRef, _ signpost: inout Signpost, _ events: inout EventQueue) {
    guard let event = line["event"]?.string else { return }
    switch event {
    case "ready":
      interpreter.isReady = true
      interpreter.isReaper = line["reaper"]?.boolean ?? false
      if let ticket {
        do throws(SpawnFailure) { try interpreter.begin(ticket) } catch {
          unbegun = error
          interpreter.stop()
        }
      }
      ticket = nil
    case "started":
      begin(&signpost)
      pid = line["pid"]?.integer.flatMap { Int32(exactly: $0) }
      started = fws_wall()
      events.commandStarted(pid: pid, at: started)
    case "cell":
      let progress = CellProgress(line)
      self.progress = progress
      events.progress(progress)
    case "done":
      begin(&signpost)
      finishJob(RunnerDone(line), &signpost)
    default: if let report = RunnerReport(event, line, of: job) { self.report = report }
    }
  }

  private func finishJob(_ done: RunnerDone, _ signpost: inout Signpost) {
    // It is being ended, or may be, by its monitor; or it has left something, which its monitor ends.
    let mayBeEnded = report == nil && (done.signal == SIGTERM || done.exitCode == 128 + SIGTERM)
    if isStopped || mayBeEnded || !done.isClean || !interpreter.isReaper {
      self.done = done
      interpreter.stop()
      phase = .ending
      return
    }
    interpreter.limit(nil, grace: grace)
    finish(judged(done), &signpost)
    interpreters.keep(interpreter)
  }

  /// How a job ended that came to its end.
  private func judged(_ done: RunnerDone) -> CommandEnd {
    var end = CommandEnd(outcome: .exited, started: started)
    end.pid = pid
    end.duration = fws_wall() - started
    end.usage = done.usage
    end.containment = interpreter.isReaper ? .subreaper : .session
    guard let report else {
      end.signal = done.signal
      end.outcome = done.signal == nil ? .exited : .signaled
      // A process that ends itself has done nothing that we know of.
      end.exitCode = done.signal == nil ? (done.exitCode == 0 ? 1 : done.exitCode) : nil
      end.explanation = done.explanation(of: job)
      return end
    }
    report.tell(in: &end)
    return end
  }

  /// How a job ended whose interpreter has ended.
  private func end(_ reply: fwk_reply?) -> CommandEnd {
    guard let reply else {
      var end = CommandEnd(outcome: .statusUnknown, started: started)
      end.pid = pid
      end.loss = interpreter.loss
      end.isEnded = false
      return end
    }
    if reply.kind == FWK_FAILED {
      return CommandEnd(failure: startFailure(reply), started: started)
    }
    if let unbegun, !isStopped { return CommandEnd(failure: unbegun, started: started) }
    let wasEnded = report == nil && (isStopped || reply.reason == UInt32(FWK_BY_TIMEOUT))
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
    end.started = started
    end.duration = fws_wall() - started
    if let pid {
      // The main process is the job's, and not the interpreter's.
      end.pid = pid
      end.endedBy = end.survivors.first { $0.pid == pid }?.endedBy
      let count = end.survivors.count
      end.survivors.removeAll { $0.pid == pid }
      end.survivorsCount -= count - end.survivors.count
    }
    if end.outcome == .timeout || isStopped {
      if end.outcome != .timeout { end.outcome = .cancelled }
      end.place = progress.map { "in cell \($0.cell) of \($0.of)" }
      return end
    }
    if let report {
      report.tell(in: &end)
      return end
    }
    let complaint = interpreter.complaint
    let reason = complaint.isEmpty ? "" : ": \(complaint)"
    let shown = "the Python interpreter \(Wording.path(interpreter.key.program))"
    guard pid != nil else {
      return CommandEnd(
        failure: SpawnFailure("\(shown) ended before it had begun with \(job.shown)\(reason)"), started: started)
    }
    // Our asking for its end is not why it ended.
    end.outcome = end.signal == nil ? .exited : .signaled
    if end.exitCode == 0 { end.exitCode = 1 }
    end.explanation = "failed: \(shown) ended while \(job.shown) ran\(reason)"
    return end
  }

  private func startFailure(_ reply: fwk_reply) -> SpawnFailure {
    let shown = Wording.path(interpreter.key.program)
    switch (Int(reply.stage), reply.error) {
    case (FWK_AT_EXEC, ENOENT): return SpawnFailure("the Python interpreter \(shown) does not exist")
    case (FWK_AT_EXEC, EACCES): return SpawnFailure("the Python interpreter \(shown) is not an executable file")
    default: return SpawnFailure(start: reply, of: "the Python interpreter \(shown)")
    }
  }

  private func finish(_ end: CommandEnd, _ signpost: inout Signpost) {
    signpost.forget(interpreter.fd)
    stdout.markEnd()
    stderr.markEnd()
    phase = .over(end)
  }
}
