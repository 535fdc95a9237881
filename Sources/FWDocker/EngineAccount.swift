internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel
internal import FWOutput
internal import FWSystem
internal import CSystem

/// The output of a command on an engine, and the facts about its end.
final class EngineAccount {
  var end = CommandEnd(outcome: .exited, started: fws_wall())
  /// Whether the start has been reported.
  private(set) var isStartReported = false
  /// Whether the end of the output has been received.
  var isDrained = false
  /// The bytes that an exec has sent before it was known to run.
  private(set) var early = ByteBuffer()
  private let settings: RunSettings
  private let hasInput: Bool
  private var output: CommandOutput
  private var frames: Frames
  /// What the reset of a connection on which standard input was left means for the output; `nil`: there was none.
  var reset: Reset?
  /// Whether the host has sent KILL.
  var wasKilledByHost = false
  /// The signals that were sent to end the command, except for those that did not reach it.
  private var signals: [EndingSignal] = [] { didSet { end.endedBy = signals.last } }
  private let notebook: NotebookConnection?
  /// Whether the container has a memory limit.
  private let hasMemoryLimit: Bool
  /// The number of bytes that arrived after the end.
  private var late = 0

  /// The most bytes that may arrive after the end was reported. An engine buffers some MB at most.
  private static let maxLateBytes = 64 << 20
  /// The number of times that the engine is asked whether memory ran out, after a KILL and after any other failure.
  private static let killAttempts = 10
  private static let otherAttempts = 6

  enum Reset {
    /// All that the engine has sent has arrived.
    case harmless
    /// The engine may have dropped output.
    case lossy
    /// Output may have been lost on its way, and it is not certain that it was the engine that reset the connection.
    case overNetwork
  }

  init(
    _ settings: RunSettings, _ events: RunOptions.Events?, notebook: NotebookConnection?, hasMemoryLimit: Bool,
    hasInput: Bool
  ) {
    self.settings = settings
    self.hasInput = hasInput
    output = CommandOutput(settings, events)
    frames = Frames(hasInput: hasInput)
    self.notebook = notebook
    self.hasMemoryLimit = hasMemoryLimit
  }

  // MARK: Output

  /// Reports the start of the command. The bytes that have arrived so far are its output.
  func reportStart(in container: String?, _ events: inout EventQueue) {
    guard !isStartReported else { return }
    isStartReported = true
    end.container = container
    end.started = fws_wall()
    events.commandStarted(container: container, at: end.started)
    if early.count == 0 { return }
    var bytes = ByteBuffer()
    swap(&bytes, &early)
    take(bytes.bytes, &events)
  }

  /// Takes bytes that may be the engine's message about a missing program. Returns whether all of the bytes are output.
  func addEarly(with bytes: UnsafeRawBufferPointer) -> Bool {
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

  /// Takes bytes that arrived after the end. Returns true if there are too many of them.
  func takeLate(_ bytes: UnsafeRawBufferPointer, _ events: inout EventQueue) -> Bool {
    late += bytes.count
    if late > EngineAccount.maxLateBytes { return true }
    take(bytes, &events)
    return false
  }

  /// Whether the engine has ended the output because the command has left some of its standard input unread, or has
  /// never run.
  var isInputRefused: Bool {
    guard hasInput else { return false }
    if frames.isInputRefused || EngineErrors.isRefusal(self.early.bytes) { return true }
    var early = Frames(hasInput: true)
    early.take(self.early.bytes) { _, _ in }
    return early.isInputRefused
  }

  /// Whether nothing that still arrives on the stream of the output can be read.
  var isUnreadable: Bool { frames.isBroken }

  /// Notes that a part of the output was lost here.
  func breakOff() { frames.breakOff() }

  func markIncomplete() { if !isDrained { end.incomplete = [.stdout, .stderr] } }

  // MARK: The end

  /// Notes a signal that was sent to end the command.
  func add(_ signal: EndingSignal) { signals.append(signal) }

  /// Notes that a signal did not reach the command.
  func withdraw(_ signal: EndingSignal) { signals.removeAll { $0 == signal } }

  /// The failure that the init process reports if it cannot run the program. The bytes that were received are then not
  /// output of the command.
  func initFailure(_ errors: EngineErrors, _ status: Int32) -> StepFailure? {
    let (stdout, stderr) = (output.beginning(of: .stdout), output.beginning(of: .stderr))
    guard let failure = errors.ofInit(status, stdout: stdout, stderr: stderr) else { return nil }
    output = CommandOutput(RunSettings(), nil)
    return failure
  }

  /// Whether the engine may still notice that memory ran out. The kernel reports that separately from the end of the
  /// process, and sometimes later.
  ///
  /// - Parameter attempt: how often the engine has been asked.
  func mayLackMemory(_ status: Int32, attempt: Int) -> Bool {
    hasMemoryLimit && status != 0 && !settings.isSuccess(status) && end.outOfMemory == nil && end.endedBy == nil
      && !wasKilledByHost
      && attempt < (status == 137 ? EngineAccount.killAttempts : EngineAccount.otherAttempts)
  }

  /// Marks a command with a memory limit that was killed, but not by the library, as most likely out of memory.
  func guessMemory(_ status: Int32) {
    guard mayLackMemory(status, attempt: 0), status == 137 else { return }
    end.outOfMemory = .likely
  }

  /// - Parameter isOwnContainer: whether no other command has run in the container.
  func record(_ state: ContainerState, isOwnContainer: Bool) {
    if state.isOutOfMemory { end.outOfMemory = .yes }
    guard isOwnContainer, let started = state.started, started > 0 else { return }
    end.started = started
    if let finished = state.finished { end.duration = max(0, finished - started) }
  }

  /// Sets the end of a command from the status that the engine has reported.
  ///
  /// - Parameters:
  ///   - fault: why the status alone does not describe the end.
  ///   - reason: why the command was asked to end.
  ///   - address: the address of the engine.
  func conclude(_ status: Int32, fault: String?, reason: Outcome?, at address: String, _ events: inout EventQueue) {
    let signal = status &- 128
    let isSuccess = settings.isSuccess(status)
    if (1...31).contains(signal), !isSuccess { end.signal = signal } else { end.exitCode = status }
    end.outcome = end.signal == nil ? .exited : .signaled
    if end.outOfMemory == .yes, status != 0, !isSuccess { end.outcome = .oom }
    notebook?.finish(in: &end, wasAskedToEnd: reason != nil) { output.take(.stderr, $0, &events) }
    end.containment = .container
    if frames.isCutShort { end.incomplete = [.stdout, .stderr] }
    let unread = noteOfUnreadInput(address)
    if let unread {
      end.incomplete = [.stdout, .stderr]
      end.notes.append(unread)
    }
    let cut = frames.isCutShort && unread == nil ? "its output was cut off by the engine at \(address)" : nil
    if let reason, end.endedBy != nil || fault != nil {
      // The condition is false for a command that had ended by itself before the signal was sent.
      end.outcome = reason
    } else if let fault = fault ?? cut, isSuccess {
      // A success would mean that all output has arrived.
      end.outcome = .engineFailed
      end.failure = "the command ended with status \(status), but \(fault)"
    }
  }

  /// The note about output that may be missing because standard input was left unread; `nil` if none is missing.
  private func noteOfUnreadInput(_ address: String) -> String? {
    if !frames.isInputRefused {
      if reset == nil || reset == .harmless && !frames.isCutShort { return nil }
      if reset == .overNetwork {
        return "the connection to the engine at \(address) was reset, as it also is when the command has ended without "
          + "reading all of its standard input; the last output may be missing"
      }
    }
    return "the engine at \(address) ended the output when the command had ended without reading all of its standard "
      + "input, so the last output may be missing"
  }

  /// Sets the end of a command that could not be started, or whose engine cannot continue.
  func fail(_ failure: StepFailure) {
    if isStartReported { markIncomplete() }
    end.outcome = failure.outcome
    end.failure = failure.reason
  }

  /// Returns the complete end of the command, when all output has been taken.
  func finish(_ readiness: inout ReadinessFD, _ events: inout EventQueue) -> CommandEnd? {
    output.drain(into: &end, &readiness, &events) ? end : nil
  }
}
