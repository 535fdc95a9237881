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
    /// The interpreter has not begun the job.
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
  /// The process of the job.
  private var pid: Int32?
  /// The number that the process has for itself.
  private var told: Int32?
  /// The messages of the runner about the job.
  private var messages = RunnerMessages()
  private var isStopped = false
  private var done: RunnerDone?
  /// How the interpreter has violated the protocol, for which it is being ended; `nil` if it has not.
  private var fault: String?
  /// The job that is sent to the interpreter when it becomes ready.
  private var ticket: JobTicket?
  /// Why the job could not be sent to the interpreter.
  private var beginFailure: StepFailure?
  /// The timer for the start of the job.
  private var startTimer: Timer?
  private let startTimeout: Double

  /// The most reads from the interpreter in one call, so that output and other steps are not delayed.
  private static let maxReads = 16

  /// - Parameter startTimeout: the number of seconds that the interpreter may take to begin the job.
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
    for _ in 0..<PythonCommand.maxReads {
      var received = Interpreter.Received.nothing
      if isListening { received = interpreter.receive() }
      while isListening, let message = interpreter.nextMessage(isWorking: pid != nil) {
        take(message, &readiness, &events)
      }
      if isListening, case .noMemory = received { refuse("there is not enough memory for its messages", &readiness) }
      if isListening, case .end = received {
        // The monitor reports how the interpreter ended, and which processes it left.
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

  /// Whether messages of the interpreter are still read.
  private var isListening: Bool {
    switch phase {
    case .waiting, .working: return true
    case .ending, .over: return false
    }
  }

  /// Lets the output of the job be read and reported from now on.
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

  private func take(_ message: InterpreterLines.Message, _ readiness: inout ReadinessFD, _ events: inout EventQueue) {
    switch message {
    case .ready:
      if let ticket {
        do throws(StepFailure) { try interpreter.begin(ticket) } catch {
          beginFailure = error
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
      told = number
      pid = interpreter.sender > 0 ? interpreter.sender : number
      started = fws_wall()
      events.commandStarted(pid: pid, at: started)
    case "done":
      guard let done = RunnerDone(line), told.map({ $0 == done.pid }) ?? (messages.result == nil) else {
        return refuse("it sent an invalid message about its end", &readiness)
      }
      begin(&readiness)
      finishJob(done, &readiness)
    default:
      if pid == nil { return refuse("it sent \(MessageFormat.quoted(event)) before it had begun", &readiness) }
      switch messages.take(event, line, of: job) {
      case .progress(let progress): events.progress(progress)
      case .result: break
      case .fault(let why): refuse(why, &readiness)
      }
    }
  }

  /// Ends an interpreter that violates the protocol. Its further messages are ignored.
  private func refuse(_ why: String, _ readiness: inout ReadinessFD) {
    fault = why
    interpreter.stop()
    begin(&readiness)
    phase = .ending
  }

  private func finishJob(_ done: RunnerDone, _ readiness: inout ReadinessFD) {
    // The interpreter is ended if the monitor may already be ending it, if the job has left processes, which the
    // monitor ends with it, or if it is in a sandbox.
    let mayBeEnded = messages.result == nil && (done.signal == SIGTERM || done.exitCode == 128 + SIGTERM)
    let isReusable = interpreter.isReaper && interpreter.confinement == nil
    if isStopped || mayBeEnded || !done.isClean || !isReusable {
      self.done = done
      interpreter.stop()
      phase = .ending
      return
    }
    interpreter.limit(nil, grace: grace)
    finish(resolvedEnd(done), &readiness)
    interpreters.keep(interpreter)
  }

  /// The end of a job whose process has ended by itself.
  private func resolvedEnd(_ done: RunnerDone) -> CommandEnd {
    var end = CommandEnd(outcome: .exited, started: started)
    end.pid = pid
    end.duration = fws_wall() - started
    end.usage = done.usage
    end.containment = interpreter.isReaper ? .subreaper : .session
    let result = messages.result
    if let result, !result.isSuccess || done.isSuccess {
      result.apply(to: &end)
      return end
    }
    // A process that ended without a result is a failure, and so is a process that failed after it had reported its
    // success.
    let when = result == nil ? "before it had given a result" : "after it had given its result"
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
    if let beginFailure, !isStopped { return CommandEnd(failure: beginFailure, started: started) }
    let wasEnded = messages.result == nil && (isStopped || reply.reason == UInt32(FWSV_BY_TIMEOUT))
    if let done, !wasEnded {
      // The result has the processes that the job left, and not the interpreter, which was ended with them.
      var end = resolvedEnd(done)
      let interpreterEnd = CommandEnd(reply, sandbox: interpreter.confinement?.options)
      end.isEnded = interpreterEnd.isEnded
      if interpreter.confinement == nil {
        end.survivors = done.left(among: interpreterEnd.survivors)
        end.survivorsCount = done.left.count
      } else {
        // Nobody else was in the sandbox, and what a job says of it does not count.
        end.survivors = interpreterEnd.survivors
        end.survivorsCount = interpreterEnd.survivorsCount
        end.containment = interpreterEnd.containment
        end.treeUsage = interpreterEnd.treeUsage
        end.sandbox = interpreterEnd.sandbox
        end.notes += interpreterEnd.notes
      }
      return end
    }
    var end = CommandEnd(reply, sandbox: interpreter.confinement?.options)
    // The library itself ended the interpreter, because it had closed its connection.
    if fault == nil, let signal = end.signal, signal == end.endedBy?.number { fault = "it closed its connection" }
    end.started = started
    end.duration = fws_wall() - started
    if let pid {
      // The main process of the step is the process of the job, and not the interpreter.
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
      end.position = messages.progress.map { "in cell \($0.cell) of \($0.of)" }
      return end
    }
    if end.loss != nil {
      end.outcome = .statusUnknown
      return end
    }
    return endWithoutDone(end)
  }

  /// The end of a job whose interpreter has ended by itself, or has violated the protocol.
  private func endWithoutDone(_ interpreterEnd: CommandEnd) -> CommandEnd {
    var end = interpreterEnd
    let stderrText = interpreter.stderrText
    let reason = stderrText.isEmpty ? "" : ": \(stderrText)"
    if let fault {
      end.fail(StepFailure(engine: "\(interpreter.shown) violated the protocol: \(fault)\(reason)"))
      return end
    }
    if let result = messages.result {
      if result.isSuccess {
        end.fail(StepFailure(engine: "\(interpreter.shown) ended before it reported the end of \(job.shown)\(reason)"))
      } else {
        result.apply(to: &end)
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
    if let confinement = interpreter.confinement,
      let failure = StepFailure(sandbox: confinement.options, reply, rundir: confinement.path)
        ?? StepFailure(
          program: interpreter.key.program, "the Python interpreter \(shown)", in: confinement.options, reply)
    {
      return failure
    }
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
