package import FWBase
internal import Glibc

/// How a command ended, and what it left behind.
package struct CommandEnd {
  package var outcome: Outcome
  package var exitCode: Int32?
  package var signal: Int32?
  package var pid: Int32?
  /// The name of the command's container.
  package var container: String?
  package var outOfMemory: OutOfMemory?
  /// The beginning of the command in seconds since 1970.
  package var started: Double
  package var duration = 0.0
  package var usage: Usage?
  /// What all processes of the command have used, where the system counts it.
  package var treeUsage: TreeUsage?
  package var endedBy: EndingSignal?
  package var containment: Containment?
  /// What held of the command's sandbox; `nil` if it has none, or was not started.
  package var sandbox: SandboxFacts?
  /// What kept the limits of all processes; `nil` if there are none, or it was not started.
  package var treeLimits: TreeLimitFacts?
  package var isEnded = true
  package var survivors: [Survivor] = []
  package var survivorsCount = 0
  package var stdout = Output("")
  package var stderr = Output("")
  /// The streams whose end was not seen, so output of the command may be missing.
  package var incomplete: [Stream] = []
  /// Why the rest of a stream could not be read, where the system says it.
  var unread: String?
  /// Why the command could not be run, and the call that failed. The text may contain anything.
  package var failure: String?
  var failedCall: String?
  /// The remedy that is likely to help, where more is known than the outcome.
  package var likely: String?
  /// Why nobody knows how the command ended; `nil` if its monitor was killed.
  package var loss: String?
  /// The value that a function gave. Of an object this is the text that is shown.
  package var value: JSONValue?
  package var object: HostObject?
  /// The exception that a function or a notebook raised.
  package var exception: RaisedException?
  /// How far the command had come, where that is known.
  package var position: String?
  /// Facts that are worth knowing whether the command has failed or not.
  package var notes: [String] = []
  /// What a message says of a failure, where there is more to say than how the process ended. The text may contain
  /// anything.
  package var explanation: String?

  package init(outcome: Outcome, started: Double) {
    self.outcome = outcome
    self.started = started
  }

  package init(failure: StepFailure, started: Double) {
    self.init(outcome: failure.outcome, started: started)
    self.failure = failure.reason
    failedCall = failure.call
    likely = failure.likely
  }
}

extension CommandEnd {
  package func output(of stream: Stream) -> Output { stream == .stdout ? stdout : stderr }

  /// Records why the rest of a stream could not be read; `nil` if it was read.
  package mutating func note(unread stream: Stream, _ why: String?) {
    guard let why else { return }
    if !incomplete.contains(stream) { incomplete.append(stream) }
    unread = why
  }

  /// Makes a failure of a success whose output could not be read: output is a part of what a command does.
  package mutating func refuseUnread(_ isSuccess: (Int32) -> Bool) {
    guard let unread, let stream = incomplete.first, outcome == .exited, let exitCode, isSuccess(exitCode) else {
      return
    }
    outcome = .engineFailed
    failure = "its \(stream.name) could not be read to the end: \(unread)"
    explanation = "ended with status \(exitCode), but its output could not be read"
    likely = "the system could not deliver the output; \"retries\" on \"engine_failed\" may help"
  }

  /// Records that the command was not run, or not to its end. How its process ended does not count then.
  package mutating func fail(_ failure: StepFailure) {
    outcome = failure.outcome
    self.failure = failure.reason
    failedCall = failure.call
    likely = failure.likely
    exitCode = nil
    signal = nil
  }

  /// The end with its secrets masked. Its output was masked when it was read.
  ///
  /// - Parameter step: the step, by which the name of the value can be secret.
  package func masked(by secrets: Secrets, of step: Step) -> CommandEnd {
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

/// A signal that the library ends processes with.
package enum EndingSignal: String {
  case term = "TERM"
  case kill = "KILL"

  package var number: Int32 { self == .term ? SIGTERM : SIGKILL }
}

/// A process that a command left running, or that had to be ended with it.
package struct Survivor {
  package let pid: Int32
  package let name: String
  /// The signal that ended the process; `nil` if it was left alone, or could not be ended.
  package let endedBy: EndingSignal?

  package init(pid: Int32, name: String, endedBy: EndingSignal?) {
    self.pid = pid
    self.name = name
    self.endedBy = endedBy
  }
}

/// Which processes the library reaches when it ends a command.
package enum Containment: String {
  /// All processes in the command's container.
  case container
  /// All processes of the command: the kernel ends them with process 1 of their namespace.
  case namespace
  /// All descendants of the command.
  case subreaper
  /// The processes of the command's session.
  case session
}

/// How certain it is that the memory of a command's container ran out.
package enum OutOfMemory: String {
  case yes
  case likely
}

package struct Usage {
  /// The seconds of processor time.
  package let user: Double
  package let system: Double
  /// The peak memory in bytes; `nil` if the command has no memory of its own.
  package let peakMemory: Int?

  package init(user: Double, system: Double, peakMemory: Int?) {
    self.user = user
    self.system = system
    self.peakMemory = peakMemory
  }
}

/// What all processes of a command have used, also those for which nobody has waited.
package struct TreeUsage {
  /// The seconds of processor time.
  package let user: Double?
  package let system: Double?
  /// The bytes that all of them had together at most.
  package let peakMemory: Int?

  package init(user: Double?, system: Double?, peakMemory: Int?) {
    self.user = user
    self.system = system
    self.peakMemory = peakMemory
  }
}

/// The exception that a function or a cell of a notebook raised.
package struct RaisedException {
  package let type: String
  package let message: String
  package let trace: String

  package init(type: String, message: String, trace: String) {
    self.type = type
    self.message = message
    self.trace = trace
  }

  /// An exception of C++.
  ///
  /// - Parameters:
  ///   - type: its class; `nil` if it has none that is known.
  ///   - message: its text; `nil` if it has none.
  package init(thrown type: UnsafePointer<CChar>?, _ message: UnsafePointer<CChar>?) {
    let unknown = type == nil ? "an exception that is not a std::exception, or is one of another C++ runtime" : ""
    self.init(
      type: type.map { String(cString: $0) } ?? "Error", message: message.map { String(cString: $0) } ?? unknown,
      trace: "")
  }

  /// The exception in one line.
  package var text: String { [type, message].filter { !$0.isEmpty }.joined(separator: ": ") }
}

/// The facts about the engine that runs the commands of a step, which are `engine` in its result.
package protocol EngineFacts {
  func write(to writer: inout JSONWriter)
  func masked(by secrets: Secrets) -> any EngineFacts
  /// What was tried to reach the engine, for whoever has to find out why it failed.
  var tried: [String] { get }
}
