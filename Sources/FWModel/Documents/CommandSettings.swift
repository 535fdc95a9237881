package import FWBase

/// The settings that only commands have: those of functions and notebooks are refused.
package struct CommandSettings: Sendable {
  /// The keys that a worker's options, a step and the options of a run have in common.
  package static let keys = ["placeholders", "success_codes"]
  /// The keys of the options of a run.
  static let runKeys = keys + ["stdin"]
  /// The keys of a worker's options.
  package static let workerKeys = keys + [EnvironmentValues.key]
  /// The keys of a step.
  static let stepKeys = runKeys + [EnvironmentValues.key]

  package var placeholders: Placeholders?
  package var successCodes: ExitCodes?
  /// The standard input; `nil`: it is empty.
  package var stdin: InputSource?
  /// The values that are environment variables. Those of a worker and those of a step are both given, so neither
  /// overrides the other here (`Worker`).
  package var environmentValues: EnvironmentValues?

  package init() {}

  /// Where a key belongs that the options of a worker do not have; `nil` if it is none of these settings.
  package static func place(of key: JSONKey, runsCommands: Bool) -> String? {
    if !runsCommands, stepKeys.contains(key.string) {
      return "it is about commands, which the workers subprocess, docker and slurm run"
    }
    return key == "stdin" ? "it is a key of a step, and of the options of a run" : nil
  }

  /// Throws if the options of a run have a setting that the type of its step does not have.
  package func check(_ step: Step) throws(FlowError) {
    guard step.type != .container else { return }
    let given = [
      ("placeholders", placeholders != nil), ("success_codes", successCodes != nil), ("stdin", stdin != nil),
    ]
    guard let (key, _) = given.first(where: { $1 }) else { return }
    throw FlowError(
      .document,
      "step \(step.shownName): \"\(key)\" is for the commands of a container step, and this is a "
        + "\(step.type.rawValue) step", path: "/\(key)")
  }

  /// What becomes of a placeholder that has no value.
  package enum Placeholders: String, CaseIterable, Sendable {
    /// The name takes its place, as in flowServ.
    case lenient
    /// The step is refused before anything of it starts.
    case strict
  }

  var isEmpty: Bool { placeholders == nil && successCodes == nil && stdin == nil }

  /// Reads one member that a worker's options, a step and the options of a run may have. Gives false if the key is
  /// another one.
  package mutating func read(_ key: JSONKey, _ value: JSONRef) throws(ValidationError) -> Bool {
    if key == "placeholders" {
      placeholders = try value.requireChoice("a value of \"placeholders\"")
    } else if key == "success_codes" {
      successCodes = try ExitCodes(reading: value)
    } else {
      return false
    }
    return true
  }

  /// Reads one member of the options of a run. Gives false if the key is another one.
  mutating func read(ofRun key: JSONKey, _ value: JSONRef) throws(ValidationError) -> Bool {
    guard key == "stdin" else { return try read(key, value) }
    stdin = try InputSource(reading: value)
    return true
  }

  /// Reads one member of a step. Gives false if the key is another one.
  mutating func read(ofStep key: JSONKey, _ value: JSONRef) throws(ValidationError) -> Bool {
    if try read(ofRun: key, value) { return true }
    return try readValues(key, value)
  }

  /// Reads one member of a worker's options. Gives false if the key is another one.
  package mutating func read(ofWorker key: JSONKey, _ value: JSONRef) throws(ValidationError) -> Bool {
    if try read(key, value) { return true }
    return try readValues(key, value)
  }

  private mutating func readValues(_ key: JSONKey, _ value: JSONRef) throws(ValidationError) -> Bool {
    guard key == "environment_values" else { return false }
    environmentValues = try EnvironmentValues(reading: value)
    return true
  }

  package func overridden(by other: CommandSettings) -> CommandSettings {
    var result = self
    if let placeholders = other.placeholders { result.placeholders = placeholders }
    if let codes = other.successCodes { result.successCodes = codes }
    if let stdin = other.stdin { result.stdin = stdin }
    return result
  }
}

/// A set of exit codes.
package struct ExitCodes: Sendable {
  package let codes: [Int32]

  package static let zero = ExitCodes([0])

  package init(_ codes: [Int32]) { self.codes = codes }

  /// Reads an array of exit codes, which must not be empty.
  init(reading json: JSONRef) throws(ValidationError) {
    guard json.kind == .array else {
      throw ValidationError("expected an array of exit codes such as [0, 1], found \(json.shown)")
    }
    var codes: [Int32] = []
    try json.forEachElement { (index, element) throws(ValidationError) in
      guard let code = element.integer, (0...255).contains(code) else {
        throw ValidationError("expected an exit code, an integer from 0 to 255, found \(element.shown)").inside(index)
      }
      let number = Int32(truncatingIfNeeded: code)
      if !codes.contains(number) { codes.append(number) }
    }
    guard !codes.isEmpty else {
      throw ValidationError("expected at least one exit code: without one, no command could succeed")
    }
    self.codes = codes
  }

  package func contains(_ code: Int32) -> Bool { codes.contains(code) }

  /// The codes in a message.
  package var shown: String { codes.map { String($0) }.joined(separator: ", ") }
}
