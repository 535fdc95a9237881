package import FWBase
internal import Glibc

/// How a command ended, and what it left.
package struct CommandEnd {
  package var outcome: Outcome
  package var exitCode: Int32?
  package var signal: Int32?
  package var pid: Int32?
  /// The name of its container.
  package var container: String?
  package var outOfMemory: OutOfMemory?
  /// Seconds since 1970.
  package var started: Double
  package var duration = 0.0
  package var usage: Usage?
  package var endedBy: EndingSignal?
  package var containment: Containment?
  package var isEnded = true
  package var survivors: [Survivor] = []
  package var survivorsCount = 0
  package var stdout = Output("")
  package var stderr = Output("")
  /// The streams whose end was not seen: output of the command may be missing.
  package var incomplete: [Stream] = []
  /// Why, where the system says it.
  var unread: String?
  /// What kept it from being run (any text), with the call that failed.
  package var failure: String?
  var failedCall: String?
  /// What is likely to help, where more is known than the outcome.
  package var likely: String?
  /// Why nobody knows how it ended; `nil`: its monitor was killed.
  package var loss: String?
  /// What a function gave; of an object, what is shown of it.
  package var value: JSONValue?
  package var object: HostObject?
  /// What a function or a notebook raised.
  package var exception: RaisedException?
  /// How far it had come, where that is known.
  package var position: String?
  /// What is worth to be known of it, whether it failed or not.
  package var notes: [String] = []
  /// What a message says of a failure, where there is more to say than how the process ended: any text.
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
  /// Notes why the rest of a stream could not be read, if it could not. What a command has written is a part of what it has
  /// done: one whose output is lost has not succeeded.
  package mutating func note(unread stream: Stream, _ why: String?) {
    guard let why else { return }
    if !incomplete.contains(stream) { incomplete.append(stream) }
    unread = why
    guard outcome == .exited, exitCode == 0 else { return }
    outcome = .engineFailed
    failure = "its \(stream.name) could not be read to the end: \(why)"
    explanation = "ended with status 0, but its output could not be read"
    likely = "the system could not deliver the output; \"retries\" on \"engine_failed\" may help"
  }

  /// It has ended, but that says nothing of the command: it was not run, or not to its end.
  package mutating func fail(_ failure: StepFailure) {
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
  /// `nil`: it was left alone, or could not be ended.
  package let endedBy: EndingSignal?

  package init(pid: Int32, name: String, endedBy: EndingSignal?) {
    self.pid = pid
    self.name = name
    self.endedBy = endedBy
  }
}

/// How far the library reaches when it ends a command.
package enum Containment: String {
  /// To all in its container.
  case container
  /// To all that come from it.
  case subreaper
  /// To those of its session.
  case session
}

/// How sure it is that the memory of a command's container ran out.
package enum OutOfMemory: String {
  case yes
  case likely
}

package struct Usage {
  /// Seconds of processor time.
  package let user: Double
  package let system: Double
  /// Bytes; `nil`: it has no memory of its own.
  package let peakMemory: Int?

  package init(user: Double, system: Double, peakMemory: Int?) {
    self.user = user
    self.system = system
    self.peakMemory = peakMemory
  }
}

/// What a function or a cell of a notebook raised.
package struct RaisedException {
  package let type: String
  package let message: String
  package let trace: String

  package init(type: String, message: String, trace: String) {
    self.type = type
    self.message = message
    self.trace = trace
  }
}
