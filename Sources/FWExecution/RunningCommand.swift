package import FWBase
package import FWModel
package import FWOutput
package import FWSystem

/// What a type of worker supplies to the execution of its steps. Everything else is the same for all types.
package protocol CommandLauncher: AnyObject {
  /// Starts a command. The command that this returns enforces the timeout itself.
  ///
  /// - Parameters:
  ///   - input: the standard input; `nil`: it is empty.
  ///   - isLast: whether no further command of the step is started after this one.
  ///   - timeout: the number of seconds after which the command ends all its processes; `nil`: there is no limit.
  ///   - events: the form in which output becomes events; `nil`: nobody asks for events.
  func start(
    _ command: Command, input: CommandInput?, isLast: Bool, timeout: Double?, events: RunOptions.Events?
  ) throws(StepFailure) -> any RunningCommand

  /// Names the command that is started next if the one that was just started succeeds. The bytes live until then.
  func announce(_ command: Command)

  /// Is called if no further command is started although the last one has succeeded. Gives what has to run before the
  /// attempt is over; `nil` if nothing has to.
  func close() -> (any RunningCommand)?

  /// The facts about the engine that runs the commands; `nil` if they are processes of this machine.
  var engine: (any EngineFacts)? { get }

  /// The seconds of the attempt that its timeout does not count, which are those in an engine's queue.
  var waited: Double { get }
}

extension CommandLauncher {
  package func announce(_ command: Command) {}
  package func close() -> (any RunningCommand)? { nil }
  package var engine: (any EngineFacts)? { nil }
  package var waited: Double { 0 }
}

/// A command that is running. Calls of it never overlap.
package protocol RunningCommand: AnyObject {
  /// The descriptors that the command waits for. `advance` is called when one of them can be read.
  var waiting: Waiting { get }

  /// The time at which the command began, if it began with `start`; `nil`: an event reports the time later.
  var begun: Double? { get }

  /// Does all that is possible without waiting. Returns the end of the command, once, when nothing of it is left.
  func advance(_ ready: Waiting.Ready, _ readiness: inout ReadinessFD, _ events: inout EventQueue) -> CommandEnd?

  /// Asks all processes of the command to end, because the step was cancelled. `advance` reports the end later.
  func stop()

  /// Takes bytes of the standard input that the host writes.
  func write(_ bytes: UnsafeRawBufferPointer) -> InputWrite

  /// Ends the standard input that the host writes.
  func closeInput()

  /// The descriptor that becomes writable when there is room for bytes of the host; `nil` where `hasRoom` tells it.
  var room: Descriptor? { get }

  /// Whether a command without `room` can take a byte of the host. It is looked at after each `advance`.
  var hasRoom: Bool { get }

  /// Whether the command has begun and, as far as is known, has not ended: only then it can get a signal.
  var isRunning: Bool { get }

  /// Sends a signal to processes of the command. Gives why it cannot be sent; `nil`: it was sent.
  func signal(_ number: Int32, _ target: SignalTarget) -> StepFailure?
}

/// What has become of bytes of the standard input.
package enum InputWrite {
  /// The number of bytes that were taken; 0 if there is no room now.
  case taken(Int)
  /// The command reads no more, for the reason in these words.
  case ended(String)
}

extension RunningCommand {
  package var begun: Double? { nil }
  package func write(_ bytes: UnsafeRawBufferPointer) -> InputWrite { .ended("the command has no standard input") }
  package func closeInput() {}
  package var room: Descriptor? { nil }
  package var hasRoom: Bool { false }
  package var isRunning: Bool { true }
  package func signal(_ number: Int32, _ target: SignalTarget) -> StepFailure? {
    .noSignals
  }
}

extension StepFailure {
  /// Why what is no command of a container step gets no signal of the host.
  package static let noSignals = StepFailure("functions and notebooks get no signals: they can only be cancelled")
}
