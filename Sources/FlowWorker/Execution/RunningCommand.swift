internal import Glibc

/// What a type of worker supplies to the execution of its steps; the rest is the same for all.
protocol CommandLauncher: AnyObject {
  /// Starts a command, whose bytes are followed by a NUL.
  ///
  /// - Parameters:
  ///   - isLast: no further one of the step is started after it.
  ///   - timeout: seconds after which it is ended.
  ///   - events: what its output is told as; `nil` where nobody asks for events.
  func start(_ command: UnsafeRawBufferPointer, isLast: Bool, timeout: Double?, events: RunOptions.Events?)
    throws(StepFailure) -> any RunningCommand

  /// The command that is started next if the one that was just started succeeds; the bytes live until then.
  func announce(_ command: UnsafeRawBufferPointer)

  /// No further command comes, though the last one has succeeded. What has to be done before the attempt is over, if
  /// anything has.
  func close() -> (any RunningCommand)?

  /// What is known of the engine that runs the commands; `nil`: they are processes of this machine.
  var engine: (any EngineFacts)? { get }

  /// Seconds of the attempt that its timeout does not count: those in an engine's queue.
  var waited: Double { get }
}

extension CommandLauncher {
  func announce(_ command: UnsafeRawBufferPointer) {}
  func close() -> (any RunningCommand)? { nil }
  var engine: (any EngineFacts)? { nil }
  var waited: Double { 0 }
}

/// What is known of the engine that runs the commands of a step; `engine` in its result.
protocol EngineFacts {
  func write(to writer: inout JSONWriter)
  func masked(by secrets: Secrets) -> any EngineFacts
  /// What was asked, for whoever has to find out why it failed.
  var tried: [String] { get }
}

/// A command in flight. Whoever has it does one thing at a time with it.
protocol RunningCommand: AnyObject {
  /// What it waits for.
  var waiting: Waiting { get }

  /// When it began to run, if that was at once; the others tell it when it happens.
  var begun: Double? { get }

  /// Does what can be done without waiting. Gives the end, once, when nothing of the command is left.
  func advance(_ ready: Waiting.Ready, _ readiness: inout ReadinessFD, _ events: inout EventQueue) -> CommandEnd?

  /// Asks for the end of all its processes.
  func stop()
}

extension RunningCommand {
  var begun: Double? { nil }
}

/// Why a command could not be started.
struct StepFailure: Error {
  let reason: String
  /// `spawnFailed`, or what else is at fault, and not the step: its engine, or its files.
  let outcome: Outcome
  /// The process, or the system, has no descriptor left.
  let lacksDescriptors: Bool
  /// The call that failed, and what is likely to help, where that is known.
  let call: String?
  let likely: String?

  init(_ reason: String) { self.init(.spawnFailed, reason) }

  /// - Parameters:
  ///   - error: of errno.
  ///   - call: the name of the call that gave it.
  init(_ reason: String, _ error: Int32, call: String? = nil) {
    let limit = SystemLimit(error, call: call)
    let shown = call.map { "\(reason) (\($0))" } ?? reason
    self.reason = MessageFormat.message("\(shown): \(errorText(error))" + (limit.shown.map { "; \($0)" } ?? ""))
    self.call = call
    likely = limit.likely
    outcome = .spawnFailed
    lacksDescriptors = error == EMFILE || error == ENFILE
  }

  init(engine reason: String) { self.init(.engineFailed, reason) }

  init(volume reason: String) { self.init(.volumeFailed, reason) }

  /// - Parameter error: of errno.
  init(volume reason: String, _ error: Int32) { self.init(.volumeFailed, "\(reason): \(errorText(error))") }

  init(_ outcome: Outcome, _ reason: String) {
    self.reason = MessageFormat.message(reason)
    self.outcome = outcome
    lacksDescriptors = false
    call = nil
    likely = nil
  }

  func with(reason: String) -> StepFailure { StepFailure(self, reason: reason) }

  private init(_ other: StepFailure, reason: String) {
    self.reason = reason
    outcome = other.outcome
    lacksDescriptors = other.lacksDescriptors
    call = other.call
    likely = other.likely
  }

  static let noMemory = StepFailure("there is not enough memory to start it")
}

/// A signal that the library ends processes with.
enum EndingSignal: String {
  case term = "TERM"
  case kill = "KILL"

  var number: Int32 { self == .term ? SIGTERM : SIGKILL }
}

/// A process that a command left running, or that had to be ended with it.
struct Survivor {
  let pid: Int32
  let name: String
  /// `nil`: it was left alone, or could not be ended.
  let endedBy: EndingSignal?
}

/// How far the library reaches when it ends a command.
enum Containment: String {
  /// To all in its container.
  case container
  /// To all that come from it.
  case subreaper
  /// To those of its session.
  case session
}

/// How sure it is that the memory of a command's container ran out.
enum OutOfMemory: String {
  case yes
  case likely
}

struct Usage {
  /// Seconds of processor time.
  let user: Double
  let system: Double
  /// Bytes; `nil`: it has no memory of its own.
  let peakMemory: Int?
}

/// What a function or a cell of a notebook raised.
struct RaisedException {
  let type: String
  let message: String
  let trace: String
}

/// How a command ended, and what it left.
struct CommandEnd {
  var outcome: Outcome
  var exitCode: Int32?
  var signal: Int32?
  var pid: Int32?
  /// The name of its container.
  var container: String?
  var outOfMemory: OutOfMemory?
  /// Seconds since 1970.
  var started: Double
  var duration = 0.0
  var usage: Usage?
  var endedBy: EndingSignal?
  var containment: Containment?
  var isEnded = true
  var survivors: [Survivor] = []
  var survivorsCount = 0
  var stdout = Output("")
  var stderr = Output("")
  /// The streams whose end was not seen: output of the command may be missing.
  var incomplete: [Stream] = []
  /// Why, where the system says it.
  var unread: String?
  /// What kept it from being run (any text), with the call that failed.
  var failure: String?
  var failedCall: String?
  /// What is likely to help, where more is known than the outcome.
  var likely: String?
  /// Why nobody knows how it ended; `nil`: its monitor was killed.
  var loss: String?
  /// What a function gave; of an object, what is shown of it.
  var value: JSONValue?
  var object: HostObject?
  /// What a function or a notebook raised.
  var exception: RaisedException?
  /// How far it had come, where that is known.
  var position: String?
  /// What is worth to be known of it, whether it failed or not.
  var notes: [String] = []
  /// What a message says of a failure, where there is more to say than how the process ended: any text.
  var explanation: String?

  init(outcome: Outcome, started: Double) {
    self.outcome = outcome
    self.started = started
  }

  init(failure: StepFailure, started: Double) {
    self.init(outcome: failure.outcome, started: started)
    self.failure = failure.reason
    failedCall = failure.call
    likely = failure.likely
  }
}

extension CommandEnd {
  /// Notes why the rest of a stream could not be read, if it could not. What a command has written is a part of what it has
  /// done: one whose output is lost has not succeeded.
  mutating func note(unread stream: Stream, _ why: String?) {
    guard let why else { return }
    if !incomplete.contains(stream) { incomplete.append(stream) }
    unread = why
    guard outcome == .exited, exitCode == 0 else { return }
    outcome = .engineFailed
    failure = "what it has written to \(stream.name) could not be read to its end: \(why)"
    explanation = "ended with status 0, but what it has written could not be read"
    likely = "the system could not hand over what was written: \"retries\" on \"engine_failed\" may help"
  }

  /// It has ended, but that says nothing of the command: it was not run, or not to its end.
  mutating func fail(_ failure: StepFailure) {
    outcome = failure.outcome
    self.failure = failure.reason
    failedCall = failure.call
    likely = failure.likely
    exitCode = nil
    signal = nil
  }

  /// As it may be told. Its output is so from the beginning.
  ///
  /// - Parameter step: what it gives may be a secret by its name.
  func masked(by secrets: Secrets, of step: Step) -> CommandEnd {
    if secrets.isEmpty { return self }
    var end = self
    end.failure = failure.map { secrets.masked(message: $0) }
    end.explanation = explanation.map { secrets.masked(message: $0) }
    end.position = secrets.masked(position)
    end.notes = notes.map { secrets.masked(message: $0) }
    end.value = step.code.argument.map { secrets.contains($0) } == true ? nil : secrets.masked(value)
    end.exception = exception.map {
      RaisedException(
        type: secrets.masked($0.type), message: secrets.masked($0.message), trace: secrets.masked($0.trace))
    }
    return end
  }
}
