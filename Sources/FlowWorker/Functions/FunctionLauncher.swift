internal import CFlowShims
internal import Glibc

/// Calls a function of the host for a code step.
final class FunctionLauncher: CommandLauncher {
  private let function: Function
  private let arguments: [Name: CText]
  private let settings: RunSettings
  private let grace: Double
  private let rundir: CText
  private let directory: Descriptor

  init(_ function: Function, _ arguments: [Name: CText], _ settings: RunSettings, grace: Double, rundir: CText)
    throws(SpawnFailure)
  {
    self.function = function
    self.arguments = arguments
    self.settings = settings
    self.grace = grace
    self.rundir = rundir
    directory = try Keepers.retrying { () throws(SpawnFailure) in try RunDirectory.open(rundir, isKept: true) }
  }

  func start(_ command: UnsafeRawBufferPointer, isLast: Bool, timeout: Double?, events: RunOptions.Events?)
    throws(SpawnFailure) -> any RunningCommand
  {
    let pipes = try OutputPipes(settings, events, for: .host)
    let timeout = timeout ?? FunctionCommand.never
    // Where its beginning is told, it is told first.
    let timer = try Pause(events == nil ? timeout : 0)
    fws_use()
    let call: Call
    do throws(FlowError) {
      call = try Call(
        function, arguments: arguments, rundir: rundir, directory, out: pipes.outEnd, err: pipes.errEnd,
        wake: { timer.stop() })
    } catch { throw .noMemory }
    let command = FunctionCommand(call, timer, pipes, timeout: timeout, grace: grace, isTold: events == nil)
    let error = call.start()
    if error != 0 { throw SpawnFailure("no thread for the function could be started", error, call: "clone of a thread") }
    return command
  }
}

/// A call of a function in flight.
final class FunctionCommand: RunningCommand {
  private enum Phase {
    case running
    /// Asked to return, for that reason.
    case asked(Outcome)
    /// The rest of its output is read.
    case over(CommandEnd)
  }

  private let call: Call
  /// Its time is the timeout's, then the grace's, and comes at once when the function has returned.
  private let timer: Pause
  private var stdout: OutputSink
  private var stderr: OutputSink
  private let timeout: Double
  private let grace: Double
  private let started = fws_wall()
  private var isTold: Bool
  private var phase = Phase.running
  private var isStopped = false

  /// Seconds.
  static let never = 1e9

  init(_ call: Call, _ timer: Pause, _ pipes: consuming OutputPipes, timeout: Double, grace: Double, isTold: Bool) {
    self.call = call
    self.timer = timer
    stdout = pipes.stdout
    stderr = pipes.stderr
    self.timeout = timeout
    self.grace = grace
    self.isTold = isTold
  }

  // Nobody waits for it any more: there is no one to end it either.
  deinit { call.giveUp() }

  var waiting: Waiting {
    if case .over = phase { return Waiting(stdout: stdout.current, stderr: stderr.current) }
    if !isTold { return Waiting(channel: timer.fd) }
    return Waiting(channel: timer.fd, stdout: stdout.fd, stderr: stderr.fd)
  }

  func stop() {
    // One that had returned before stays as it ended.
    if call.returned != nil { return }
    call.cancel()
    isStopped = true
    if case .running = phase { timer.stop() }
  }

  func advance(_ ready: Waiting.Ready, _ signpost: inout Signpost, _ events: inout EventQueue) -> CommandEnd? {
    if !isTold {
      isTold = true
      events.commandStarted(at: started)
      signpost.watch(Waiting(stdout: stdout.fd, stderr: stderr.fd))
      if !isStopped { setTimer(timeout) }
      return nil
    }
    if ready.channel { takeTime(&signpost) }
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

  private func takeTime(_ signpost: inout Signpost) {
    let asked: Outcome? = if case .asked(let outcome) = phase { outcome } else { isStopped ? .cancelled : nil }
    if let returned = call.returned { return finish(end(returned, asked), &signpost) }
    guard timer.isOver else { return }
    if case .asked(let asked) = phase {
      call.giveUp()
      var end = CommandEnd(outcome: asked, started: started)
      end.duration = fws_wall() - started
      end.isEnded = false
      end.explanation =
        "\(asked == .timeout ? "was given up at its timeout" : "was cancelled"): "
        + "the function did not return within the grace of \(Wording.seconds(grace)), and goes on in its thread"
      return finish(end, &signpost)
    }
    phase = .asked(isStopped ? .cancelled : .timeout)
    call.cancel()
    setTimer(grace)
  }

  private func setTimer(_ seconds: Double) {
    timer.set(seconds)
    // It may have returned before, and then nobody else would wake us.
    if call.returned != nil { timer.stop() }
  }

  private func end(_ returned: Call.Return, _ asked: Outcome?) -> CommandEnd {
    var end = CommandEnd(outcome: asked ?? .exited, started: started)
    end.duration = returned.duration
    end.usage = returned.usage
    end.exitCode = 0
    switch returned.ending {
    case .returned(let value): end.value = asked == nil ? value : nil
    case .silent: break
    case .unstarted(let error):
      let place = Wording.path(call.cRundir.string)
      return CommandEnd(
        failure: SpawnFailure("the run directory \(place) cannot be the working directory of a thread", error),
        started: started)
    case .failed(let exception):
      end.exitCode = 1
      end.exception = exception
      if asked == nil {
        end.explanation =
          "failed: the function \(Wording.quoted(call.function.name)) says \(exception.type): \(exception.message)"
      }
    }
    return end
  }

  private func finish(_ end: CommandEnd, _ signpost: inout Signpost) {
    signpost.forget(timer.fd)
    stdout.markEnd()
    stderr.markEnd()
    phase = .over(end)
  }
}
