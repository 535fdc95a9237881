package import FWBase
package import FWModel
package import FWSystem

/// What a type of worker supplies to the execution of its steps; the rest is the same for all.
package protocol CommandLauncher: AnyObject {
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
  package func announce(_ command: UnsafeRawBufferPointer) {}
  package func close() -> (any RunningCommand)? { nil }
  package var engine: (any EngineFacts)? { nil }
  package var waited: Double { 0 }
}

/// A command in flight. Whoever has it does one thing at a time with it.
package protocol RunningCommand: AnyObject {
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
  package var begun: Double? { nil }
}
