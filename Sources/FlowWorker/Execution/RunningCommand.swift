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
    throws(SpawnFailure) -> any RunningCommand

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
  func advance(_ ready: Waiting.Ready, _ signpost: inout Signpost, _ events: inout EventQueue) -> CommandEnd?

  /// Asks for the end of all its processes.
  func stop()
}

extension RunningCommand {
  var begun: Double? { nil }
}

/// Why a command could not be started.
struct SpawnFailure: Error {
  let reason: String
  /// `spawnFailed`, or what else is at fault, and not the step: its engine, or its files.
  let outcome: Outcome
  /// The process, or the system, has no descriptor left.
  let lacksDescriptors: Bool

  init(_ reason: String) {
    self.reason = reason
    outcome = .spawnFailed
    lacksDescriptors = false
  }

  /// - Parameter error: of errno.
  init(_ reason: String, _ error: Int32) {
    self.reason = "\(reason): \(errorText(error))"
    outcome = .spawnFailed
    lacksDescriptors = error == EMFILE || error == ENFILE
  }

  init(engine reason: String) { self.init(.engineFailed, reason) }

  init(volume reason: String) { self.init(.volumeFailed, reason) }

  /// - Parameter error: of errno.
  init(volume reason: String, _ error: Int32) { self.init(.volumeFailed, "\(reason): \(errorText(error))") }

  init(_ outcome: Outcome, _ reason: String) {
    self.reason = reason
    self.outcome = outcome
    lacksDescriptors = false
  }

  static let noMemory = SpawnFailure("there is not enough memory to start it")
}

/// A signal that the library ends processes with.
enum EndingSignal: String {
  case term = "TERM"
  case kill = "KILL"
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
  /// What kept it from being run.
  var failure: String?
  /// What a function gave; of an object, what is shown of it.
  var value: JSONValue?
  var object: HostObject?
  /// What a function or a notebook raised.
  var exception: RaisedException?
  /// How far it had come, where that is known.
  var place: String?
  /// What is worth to be known of it, whether it failed or not.
  var notes: [String] = []
  /// What a message says of a failure, where there is more to say than how the process ended.
  var explanation: String?

  init(outcome: Outcome, started: Double) {
    self.outcome = outcome
    self.started = started
  }

  init(failure: SpawnFailure, started: Double) {
    self.init(outcome: failure.outcome, started: started)
    self.failure = failure.reason
  }
}

extension CommandEnd {
  /// As it may be told. Its output is so from the beginning.
  func masked(by secrets: Secrets) -> CommandEnd {
    if secrets.isEmpty { return self }
    var end = self
    end.failure = secrets.masked(failure)
    end.explanation = secrets.masked(explanation)
    end.place = secrets.masked(place)
    end.notes = notes.map { secrets.masked($0) }
    end.value = secrets.masked(value)
    end.exception = exception.map {
      RaisedException(
        type: secrets.masked($0.type), message: secrets.masked($0.message), trace: secrets.masked($0.trace))
    }
    return end
  }
}
