internal import CSystem
package import FWBase

/// The settings of a run that a worker, a step and a host may give. Those of the step override the worker's, and those
/// of the host override both.
package struct RunSettings: Sendable {
  package static let keys = ["timeout", "output_limit", "spill", "retries"]

  /// The seconds that one attempt may take.
  package var timeout: Double?
  /// The most bytes that are kept of each stream of a command.
  package var outputLimit: Int?
  /// The directory for files with the whole of streams that are longer.
  package var spill: String?
  package var retries: RetryPolicy?
  package var commands = CommandSettings()
  /// The time at which the workflow of the step has to be over.
  package var deadline: RunDeadline?
  /// The secrets of worker, step and context, which no document has as a setting.
  package var secrets = Secrets.none
  /// The environment of the step's commands, which no document has as a setting either.
  package var environment = CommandEnvironment.host
  /// The variables of all resources with ids that the run or the pool has; `nil`: the settings do not say it.
  package var indexedVariables: [IndexedVariable]?

  package init() {}

  package var isEmpty: Bool {
    timeout == nil && outputLimit == nil && spill == nil && retries == nil && commands.isEmpty
      && indexedVariables == nil
  }

  /// Reads one member of a document. Gives false if the key is no setting.
  package mutating func read(_ key: JSONKey, _ value: JSONRef) throws(ValidationError) -> Bool {
    if key == "timeout" {
      timeout = try value.requireSeconds()
    } else if key == "output_limit" {
      guard let integer = value.integer, integer >= 0, let bytes = Int(exactly: integer) else {
        throw ValidationError("expected a number of bytes, an integer from 0, found \(value.shown)")
      }
      outputLimit = bytes
    } else if key == "spill" {
      spill = try value.requireAbsolutePath(of: "a directory")
    } else if key == "retries" {
      retries = try RetryPolicy(reading: value)
    } else {
      return false
    }
    return true
  }

  package func overridden(by other: RunSettings) -> RunSettings {
    var result = other
    result.timeout = other.timeout ?? timeout
    result.outputLimit = other.outputLimit ?? outputLimit
    result.spill = other.spill ?? spill
    result.retries = other.retries ?? retries
    if !commands.isEmpty { result.commands = commands.overridden(by: other.commands) }
    result.deadline = other.deadline ?? deadline
    result.indexedVariables = other.indexedVariables ?? indexedVariables
    if other.secrets.isEmpty { result.secrets = secrets }
    return result
  }
}

extension RunSettings {
  /// The seconds that an attempt has left; `nil` if there is no limit.
  ///
  /// - Parameters:
  ///   - began: the beginning of the attempt, by the monotonic clock.
  ///   - waited: the seconds of the attempt that its timeout does not count.
  package func left(began: Double, waited: Double) -> Double? {
    let own = timeout.map { $0 - (fws_monotonic() - began - waited) }
    guard let all = deadline?.left else { return own }
    return min(own ?? all, all)
  }

  /// Whether a command that exits with a code has succeeded.
  package func isSuccess(_ exitCode: Int32) -> Bool { commands.successCodes?.contains(exitCode) ?? (exitCode == 0) }

  /// The name of the limit that has passed, for a message.
  package var limit: String {
    if let deadline, deadline.hasPassed {
      return "the workflow's deadline of \(MessageFormat.seconds(deadline.seconds))"
    }
    return "the step's timeout" + (timeout.map { " of \(MessageFormat.seconds($0))" } ?? "")
  }
}

/// The time at which a workflow has to be over.
package struct RunDeadline: Sendable {
  /// The seconds from the start of the workflow to this time.
  let seconds: Double
  private let time: Double

  package init(in seconds: Double) {
    self.seconds = seconds
    time = fws_monotonic() + seconds
  }

  package var left: Double { max(0, time - fws_monotonic()) }
  package var hasPassed: Bool { fws_monotonic() >= time }
}

/// The rule by which a step that has failed is tried again.
package struct RetryPolicy: Sendable {
  static let keys = ["max", "on", "codes", "delay", "factor", "max_delay"]

  /// The outcomes after which another attempt may help. A host that has cancelled wants none.
  enum Cause: String, CaseIterable {
    case exited
    case signaled
    case timeout
    case oom
    case spawnFailed = "spawn_failed"
    case engineFailed = "engine_failed"
    case statusUnknown = "status_unknown"
  }

  package private(set) var limit = 0
  private var causes = Set(Cause.allCases)
  private var codes: Set<Int64>?
  private var delay = 1.0
  private var factor = 2.0
  private var longestDelay = 60.0

  init(reading json: JSONRef) throws(ValidationError) {
    var limit: Int?
    try json.readMembers(of: "an object such as {\"max\": 3}") { (key, value) throws(ValidationError) in
      if key == "max" {
        guard let number = value.integer, (0...1000).contains(number) else {
          throw ValidationError(
            "expected a number of further attempts, an integer from 0 to 1000, found \(value.shown)")
        }
        limit = Int(number)
      } else if key == "on" {
        causes = try RetryPolicy.causes(value)
      } else if key == "codes" {
        codes = try RetryPolicy.codes(value)
      } else if key == "delay" {
        delay = try RetryPolicy.seconds(value)
      } else if key == "factor" {
        guard let number = value.number, number >= 1, number <= 100 else {
          throw ValidationError("expected a factor, a number from 1 to 100, found \(value.shown)")
        }
        factor = number
      } else if key == "max_delay" {
        longestDelay = try RetryPolicy.seconds(value)
      } else {
        throw .unknownKey(key, of: "\"retries\"", known: RetryPolicy.keys)
      }
    }
    guard let limit else { throw .missingKey("max", of: "\"retries\"") }
    self.limit = limit
  }

  private static func seconds(_ value: JSONRef) throws(ValidationError) -> Double {
    guard let number = value.number, number >= 0, number <= 86_400 else {
      throw ValidationError("expected a time in seconds from 0 to 86400, found \(value.shown)")
    }
    return number
  }

  private static func causes(_ value: JSONRef) throws(ValidationError) -> Set<Cause> {
    var causes: Set<Cause> = []
    try value.require(.array)
    try value.forEachElement { (index, element) throws(ValidationError) in
      do throws(ValidationError) { causes.insert(try element.requireChoice("an outcome to retry on")) } catch {
        throw error.inside(index)
      }
    }
    return causes
  }

  private static func codes(_ value: JSONRef) throws(ValidationError) -> Set<Int64> {
    var codes: Set<Int64> = []
    try value.require(.array)
    try value.forEachElement { (index, element) throws(ValidationError) in
      guard let code = element.integer, (0...255).contains(code) else {
        throw ValidationError("expected the exit code of a failure, an integer from 0 to 255, found \(element.shown)")
          .inside(index)
      }
      codes.insert(code)
    }
    return codes
  }

  /// Whether another attempt may help after one that ended like this.
  package func covers(_ outcome: Outcome, exitCode: Int32) -> Bool {
    switch outcome {
    case .exited: return causes.contains(.exited) && codes.map { $0.contains(Int64(exitCode)) } ?? true
    case .signaled: return causes.contains(.signaled)
    case .timeout: return causes.contains(.timeout)
    case .oom: return causes.contains(.oom)
    case .spawnFailed: return causes.contains(.spawnFailed)
    case .engineFailed: return causes.contains(.engineFailed)
    case .statusUnknown: return causes.contains(.statusUnknown)
    // These outcomes concern the files of a workflow, before or after the attempts of a step.
    case .cancelled, .outputMissing, .inputMissing, .volumeFailed: return false
    }
  }

  /// The seconds to wait after an attempt, whose number is counted from 1.
  package func delay(after attempt: Int) -> Double {
    var seconds = min(delay, longestDelay)
    for _ in 1..<max(attempt, 1) where seconds > 0 && seconds < longestDelay {
      seconds = min(seconds * factor, longestDelay)
    }
    return seconds
  }
}

/// The settings that a host gives for one run.
package struct RunOptions: Sendable {
  package enum Events: String, CaseIterable {
    case chunks
    case text
    case lines
    case none
  }

  package var events = Events.chunks
  package var settings = RunSettings()

  package init() {}

  package init(reading json: JSONRef) throws(ValidationError) {
    try json.readMembers(of: "the options of a run (an object)") { (key, value) throws(ValidationError) in
      if key == "events" {
        events = try value.requireChoice("a value of \"events\"")
      } else if try settings.commands.read(ofRun: key, value) {
        return
      } else if !(try settings.read(key, value)) {
        throw .unknownKey(
          key, of: "the options of a run", known: ["events"] + RunSettings.keys + CommandSettings.runKeys,
          else: key == "resources" ? "it is a key of a step, and of the configuration of its pool" : nil)
      }
    }
  }
}
