internal import CSystem
internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWOutput
internal import FWProcess
internal import FWSystem
internal import Glibc

/// Calls a function of the host for a code step.
final class FunctionLauncher: CommandLauncher {
  private let function: Function
  private let arguments: CallArguments
  private let step: Step
  private let settings: RunSettings
  private let grace: Double
  private let rundir: CText
  private let directory: Descriptor

  init(
    _ function: Function, _ arguments: CallArguments, of step: Step, _ settings: RunSettings, grace: Double,
    rundir: CText
  ) throws(StepFailure) {
    self.function = function
    self.arguments = arguments
    self.step = step
    self.settings = settings
    self.grace = grace
    self.rundir = rundir
    directory = try Supervisors.retrying { () throws(StepFailure) in try RunDirectory.open(rundir, isKept: true) }
  }

  func start(
    _ command: Command, input: CommandInput?, isLast: Bool, timeout: Double?, events: RunOptions.Events?
  ) throws(StepFailure) -> any RunningCommand {
    let number = fws_waker()
    guard number >= 0 else {
      throw StepFailure("a descriptor to wait for it could not be created", 0 - number, call: "eventfd")
    }
    let waker = Descriptor(number)
    var timer: Timer?
    if let timeout { timer = try Timer(timeout) }
    fws_use()
    let call: Call
    do throws(FlowError) {
      call = try Call(
        function, arguments, of: step, rundir: rundir, directory,
        hasListener: events != nil && events != RunOptions.Events.none,
        wake: { fws_wake(waker.number) })
    } catch { throw .noMemory }
    let command = FunctionCommand(
      call, waker, timer, settings, events, timeout: timeout ?? .infinity, grace: grace, rundir: rundir)
    let error = call.start()
    if error != 0 {
      throw StepFailure("a thread for the function could not be started", error, call: "clone of a thread")
    }
    return command
  }
}

/// The running command of a code step: a call of a function.
final class FunctionCommand: RunningCommand {
  private let call: Call
  /// A descriptor that becomes readable when there is something to take from the call.
  private let waker: Descriptor
  /// The timer for the timeout, and then for the grace; `nil` where there is no timeout.
  private var timer: Timer?
  private var output: CommandOutput
  /// The time of the monotonic clock at which the function is asked to return, or is abandoned.
  private var deadline: Double
  private let grace: Double
  private let rundir: CText
  private let started = fws_wall()
  /// Why the function was asked to return; `nil` if it was not.
  private var endReason: Outcome?

  init(
    _ call: Call, _ waker: Descriptor, _ timer: Timer?, _ settings: RunSettings, _ events: RunOptions.Events?,
    timeout: Double, grace: Double, rundir: CText
  ) {
    self.call = call
    self.waker = waker
    self.timer = timer
    output = CommandOutput(settings, events)
    deadline = fws_monotonic() + timeout
    self.grace = grace
    self.rundir = rundir
  }

  // The command was dropped, so nobody waits for the function any more, and nothing else would end it.
  deinit { call.abandon() }

  var waiting: Waiting { Waiting(channel: waker.number, stdout: timer?.fd ?? -1) }
  var begun: Double? { started }

  func stop() {
    ask(.cancelled, fws_monotonic())
    fws_wake(waker.number)
  }

  /// Asks the function to return. A function that has returned before keeps its end.
  private func ask(_ why: Outcome, _ now: Double) {
    if endReason != nil || call.hasReturned { return }
    endReason = why
    deadline = now + grace
    call.cancel()
  }

  func advance(_ ready: Waiting.Ready, _ readiness: inout ReadinessFD, _ events: inout EventQueue) -> CommandEnd? {
    let now = fws_monotonic()
    if now >= deadline { ask(.timeout, now) }
    if !call.hasReturned {
      // The waker is reset before the call is examined, so that every later change wakes again.
      fws_wake_taken(waker.number)
      setTimer(deadline - now, &readiness)
    }
    let taken = call.take()
    take(taken.written, &events)
    if let returned = taken.returned { return finish(end(returned), &readiness, &events) }
    guard endReason != nil, now >= deadline else { return nil }
    call.abandon()
    return finish(endOfAbandoned(), &readiness, &events)
  }

  private func setTimer(_ left: Double, _ readiness: inout ReadinessFD) {
    if left == .infinity { return }
    if let timer { return timer.set(max(0, left)) }
    timer = try? Timer(max(0, left))
    readiness.watch(Waiting(stdout: timer?.fd ?? -1))
    // Without a timer nobody would be woken at the end of the grace, so the grace ends now.
    if timer == nil { deadline = 0 }
  }

  private func take(_ written: borrowing PendingOutput, _ events: inout EventQueue) {
    var offset = 0
    for part in written.parts {
      let bytes = UnsafeRawBufferPointer(rebasing: written.bytes[offset..<min(offset + part.count, written.count)])
      offset += part.count
      output.take(part.stream, bytes, &events)
      if part.endsPiece { output.endPiece(part.stream) }
    }
  }

  private func endOfAbandoned() -> CommandEnd {
    var end = CommandEnd(outcome: endReason ?? .timeout, started: started)
    end.duration = fws_wall() - started
    end.isEnded = false
    end.explanation =
      "\(endReason == .cancelled ? "was cancelled" : "exceeded its timeout"): "
      + "the function did not return within the grace of \(MessageFormat.seconds(grace)) "
      + "and is still running in its thread"
    return end
  }

  private func end(_ returned: Call.Return) -> CommandEnd {
    var end = CommandEnd(outcome: endReason ?? .exited, started: started)
    end.duration = returned.duration
    end.usage = returned.usage
    end.exitCode = 0
    switch returned.ending {
    case .silent: break
    case .unstarted(let error):
      let path = MessageFormat.path(rundir.string)
      let failure = StepFailure(
        "the run directory \(path) cannot be entered", error, call: error == EACCES ? nil : "fchdir")
      return CommandEnd(failure: failure, started: started)
    case .left:
      end.exitCode = 1
      if endReason == nil {
        end.explanation =
          "failed: the function \(MessageFormat.quoted(call.name)) did not return: its thread was ended "
          + "(pthread_exit or pthread_cancel)"
      }
    case .reported(let result): take(result, &end)
    }
    return end
  }

  private func take(_ result: CallResult, _ end: inout CommandEnd) {
    end.exitCode = result.returncode
    end.exception = result.exception
    let name = MessageFormat.quoted(call.name)
    let raised = result.exception?.text
    if endReason != nil { return }
    if !result.isStarted {
      end.outcome = .spawnFailed
      end.failure = "the function \(name) cannot be called" + (raised.map { ": \($0)" } ?? "")
    } else if result.returncode != 0 {
      end.explanation =
        "failed: the function \(name) " + (raised.map { "raised \($0)" } ?? "exited with \(result.returncode)")
    } else {
      end.value = result.value
      end.object = result.object
    }
  }

  private func finish(_ commandEnd: CommandEnd, _ readiness: inout ReadinessFD, _ events: inout EventQueue)
    -> CommandEnd?
  {
    var end = commandEnd
    readiness.forget(waker.number)
    if let timer { readiness.forget(timer.fd) }
    if call.refusal != 0 {
      end.notes.append(
        "the function used the working directory of the whole process, because the system does not let a thread have "
          + "its own (unshare: \(errorText(call.refusal)); a container's seccomp profile may forbid it); such "
          + "functions run one at a time")
    }
    if let thrown = call.thrownByCancelHandler {
      end.notes.append("the callback for a cancellation raised \(thrown.text)")
    }
    // All output was handed over before, so there is nothing left to read.
    return output.drain(into: &end, &readiness, &events) ? end : nil
  }
}
