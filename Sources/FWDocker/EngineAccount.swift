internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel
internal import FWOutput
internal import FWSystem
internal import CSystem

/// What a command on an engine has written, and what is known of its end.
final class EngineAccount {
  var end = CommandEnd(outcome: .exited, started: fws_wall())
  /// The start has been told.
  private(set) var isTold = false
  /// The end of the output was seen.
  var isDrained = false
  /// What came of an exec before it was known that it runs.
  private(set) var early = ByteBuffer()
  private var output: CommandOutput
  private var frames = Frames()
  private let notebook: NotebookTalk?
  /// The container has a limit of memory.
  private let hasLimit: Bool
  /// Bytes that came behind the end.
  private var late = 0

  /// Bytes that may be on their way when the end is told; an engine has some MB at most.
  private static let mostLate = 64 << 20
  /// How often the engine is asked whether memory ran out, after a KILL and after any other failure.
  private static let killLooks = 10
  private static let otherLooks = 6

  init(_ settings: RunSettings, _ events: RunOptions.Events?, notebook: NotebookTalk?, hasLimit: Bool) {
    output = CommandOutput(settings, events)
    self.notebook = notebook
    self.hasLimit = hasLimit
  }

  // MARK: Output

  /// The command runs; what it has written so far is output.
  func tellStart(in container: String?, _ events: inout EventQueue) {
    guard !isTold else { return }
    isTold = true
    end.container = container
    end.started = fws_wall()
    events.commandStarted(container: container, at: end.started)
    if early.count == 0 { return }
    var bytes = ByteBuffer()
    swap(&bytes, &early)
    take(bytes.bytes, &events)
  }

  /// Takes bytes that may be the engine's message that there is no such command. Whether all that came is output.
  func holdsOutput(with bytes: UnsafeRawBufferPointer) -> Bool {
    early.append(bytes)
    return EngineErrors.isOutput(early.bytes)
  }

  func take(_ bytes: UnsafeRawBufferPointer, _ events: inout EventQueue) {
    frames.take(bytes) { stream, piece in
      if stream == .stderr, let notebook {
        notebook.take(piece) {
          output.take(.stderr, $0, &events)
        } progress: {
          events.progress($0)
        }
      } else {
        output.take(stream, piece, &events)
      }
    }
  }

  /// Takes bytes that came behind the end. True: there are too many of them.
  func takeLate(_ bytes: UnsafeRawBufferPointer, _ events: inout EventQueue) -> Bool {
    late += bytes.count
    if late > EngineAccount.mostLate { return true }
    take(bytes, &events)
    return false
  }

  /// A part of the output was lost here.
  func breakOff() { frames.breakOff() }

  func markIncomplete() { if !isDrained { end.incomplete = [.stdout, .stderr] } }

  // MARK: The end

  /// What the init process says instead of a program that it cannot run; what was written is no output then.
  func initFailure(_ errors: EngineErrors, _ status: Int32) -> StepFailure? {
    let (stdout, stderr) = (output.beginning(of: .stdout), output.beginning(of: .stderr))
    guard let failure = errors.ofInit(status, stdout: stdout, stderr: stderr) else { return nil }
    output = CommandOutput(RunSettings(), nil)
    return failure
  }

  /// Whether the engine may still find out that memory ran out. It is told of that beside the end of the process, and
  /// sometimes after it.
  ///
  /// - Parameter look: how often the engine has been asked.
  func mayLackMemory(_ status: Int32, look: Int) -> Bool {
    hasLimit && status != 0 && end.outOfMemory == nil && end.endedBy == nil
      && look < (status == 137 ? EngineAccount.killLooks : EngineAccount.otherLooks)
  }

  /// A command with a limit of memory that somebody else has killed has most likely met it.
  func guessMemory(_ status: Int32) {
    guard status == 137, end.outOfMemory == nil, end.endedBy == nil, hasLimit else { return }
    end.outOfMemory = .likely
  }

  /// - Parameter isItsOwn: no other command has run in the container.
  func learn(_ state: ContainerState, isItsOwn: Bool) {
    if state.isOutOfMemory { end.outOfMemory = .yes }
    guard isItsOwn, let started = state.started, started > 0 else { return }
    end.started = started
    if let finished = state.finished { end.duration = max(0, finished - started) }
  }

  /// The command has ended with a status, as an engine reports it.
  ///
  /// - Parameters:
  ///   - fault: why that is not all that there is to know of the end.
  ///   - reason: why it was asked to end.
  ///   - address: of the engine.
  func conclude(_ status: Int32, fault: String?, reason: Outcome?, at address: String, _ events: inout EventQueue) {
    let signal = status &- 128
    if (1...31).contains(signal) { end.signal = signal } else { end.exitCode = status }
    end.outcome = end.signal == nil ? .exited : .signaled
    if end.outOfMemory == .yes, status != 0 { end.outcome = .oom }
    notebook?.finish(in: &end, wasAskedToEnd: reason != nil) { output.take(.stderr, $0, &events) }
    end.containment = .container
    if frames.isCutShort { end.incomplete = [.stdout, .stderr] }
    let cut = frames.isCutShort ? "its output was cut off by the engine at \(address)" : nil
    if let reason, end.endedBy != nil || fault != nil {
      // A command that could not be signalled any more had ended by itself.
      end.outcome = reason
    } else if let fault = fault ?? cut, status == 0 {
      // A success would say that all of the output is here.
      end.outcome = .engineFailed
      end.failure = "the command ended with status 0, but \(fault)"
    }
  }

  /// The command could not be started, or the engine cannot go on.
  func fail(_ failure: StepFailure) {
    if isTold { markIncomplete() }
    end.outcome = failure.outcome
    end.failure = failure.reason
  }

  /// Hands out all that is known.
  func finish(_ readiness: inout ReadinessFD, _ events: inout EventQueue) -> CommandEnd? {
    output.drain(into: &end, &readiness, &events) ? end : nil
  }
}
