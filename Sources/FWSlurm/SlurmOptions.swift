package import FWBase
internal import FWExecution
internal import FWModel
internal import FWProcess

/// The options of a slurm worker. An option that is not set has its default.
package struct SlurmOptions: WorkerOptions {
  package static let keys =
    [
      "partition", "time", "cpus", "memory", "account", "extra", "hold", "allocations", "queue_timeout",
      "start_timeout",
      "inherit_env", "shell", "background", "grace", "limits", "sandbox",
    ] + CommandSettings.workerKeys + RunSettings.keys

  var partition: String?
  /// The time limit of an allocation in seconds.
  var time: Int64?
  /// The number of processors.
  var cpus: Int64?
  /// The memory on the node in bytes.
  var memory: Int64?
  var account: String?
  /// Additional arguments of srun.
  var extra: [String] = []
  /// The number of seconds that an idle allocation is kept for the next step.
  var hold = 1.0
  /// The most allocations at one time.
  var allocations = 32
  /// The number of seconds to wait for an allocation; `nil` for no limit.
  var queueTimeout: Double?
  /// The number of seconds in which the agent in an allocation has to report.
  var startTimeout = 120.0
  /// The options that a subprocess worker has as well: how commands are run.
  var process = SubprocessOptions()

  /// The options of srun that the worker sets itself, or that make no sense for one agent on one node.
  private static let reserved = [
    "chdir", "error", "export", "export-file", "het-group", "immediate", "input", "jobid", "job-name", "label",
    "multi-prog", "no-allocate", "nodes", "ntasks", "ntasks-per-node", "output", "pty", "quiet", "unbuffered", "wait",
    "help", "usage", "version", "test-only", "partition", "time", "cpus-per-task", "mem", "account",
  ]
  private static let reservedLetters = "DeijlmNnoQuWrJHVZptcAI"

  package init() {}

  package mutating func read(_ key: JSONKey, _ value: JSONRef) throws(ValidationError) -> Bool {
    if key == "partition" {
      partition = try SlurmOptions.word(value, "partition")
    } else if key == "time" {
      time = try SlurmOptions.number(value, 1...31_536_000, "the time of an allocation in seconds")
    } else if key == "cpus" {
      cpus = try SlurmOptions.number(value, 1...65_535, "a number of processors")
    } else if key == "memory" {
      memory = try SlurmOptions.number(value, (1 << 20)...(1 << 50), "the memory of an allocation in bytes")
    } else if key == "account" {
      account = try SlurmOptions.word(value, "account")
    } else if key == "extra" {
      extra = try SlurmOptions.arguments(value)
    } else if key == "hold" {
      guard let number = value.number, number >= 0, number <= 86_400 else {
        throw ValidationError("expected a time in seconds from 0 to 86400, found \(value.shown)")
      }
      hold = number
    } else if key == "allocations" {
      allocations = Int(try SlurmOptions.number(value, 1...100_000, "a number of allocations"))
    } else if key == "queue_timeout" {
      queueTimeout = try value.requireSeconds()
    } else if key == "start_timeout" {
      startTimeout = try value.requireSeconds()
    } else if key == "background", value.string == "leave" {
      throw ValidationError("a slurm worker cannot have \"background\": \"leave\", because a job ends with its step")
    } else if key == "tree_limits" {
      throw ValidationError(
        "a slurm worker has no \"tree_limits\": the cluster limits a job by \"memory\" and \"cpus\"")
    } else {
      return try process.read(key, value)
    }
    return true
  }

  /// Whether a command does not inherit a variable of the host, or one that the scheduler has set for the job.
  func leavesOut(_ name: UnsafeRawBufferPointer) -> Bool { process.sandbox?.hides(name) ?? false }

  private static func number(_ value: JSONRef, _ range: ClosedRange<Int64>, _ what: String) throws(ValidationError)
    -> Int64
  {
    guard let number = value.integer, range.contains(number) else {
      throw ValidationError(
        "expected \(what), an integer from \(range.lowerBound) to \(range.upperBound), found \(value.shown)")
    }
    return number
  }

  private static func word(_ value: JSONRef, _ what: String) throws(ValidationError) -> String {
    let name = try value.requireName()
    guard name.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else {
      throw ValidationError("expected the name of a \(what) without spaces, found \(value.shown)")
    }
    return name
  }

  private static func arguments(_ value: JSONRef) throws(ValidationError) -> [String] {
    let arguments = try value.requireStrings()
    for (index, argument) in arguments.enumerated() {
      let name = Array(argument.utf8.drop { $0 == UInt8(ascii: "-") }.prefix { $0 != UInt8(ascii: "=") })
      let isLong = argument.begins(with: "--")
      guard isLong ? name.count > 1 : argument.begins(with: "-") && !name.isEmpty else {
        throw ValidationError(
          "\(MessageFormat.quoted(argument)) is not an option of srun: write an option with its value, such as "
            + "\"--gres=gpu:1\""
        ).inside(index)
      }
      // srun accepts a long option that is abbreviated.
      let isReserved =
        isLong
        ? reserved.contains { $0.utf8.elementsEqual(name) || (name.count > 2 && $0.utf8.starts(with: name)) }
        : name.first.map { reservedLetters.utf8.contains($0) } ?? false
      if isReserved {
        throw ValidationError(
          "\(MessageFormat.quoted(argument)) cannot be used: the worker sets this option of srun itself"
        ).inside(index)
      }
    }
    return arguments
  }
}
