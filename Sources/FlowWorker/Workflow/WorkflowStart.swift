internal import FWOutput
internal import FWVolumes
package import FWBase
package import FWExecution
package import FWModel
internal import FWSystem

/// The options that a host gives for the run of a workflow.
struct WorkflowOptions {
  static let keys = ["events", "deadline", "state", "volumes", "jobs", "fail", "results", ResourceTotals.key]

  var events = RunOptions.Events.chunks
  /// The settings of each step, as the options of a step's run have them.
  var settings = RunSettings()
  /// The seconds that the whole run may take.
  var deadline: Double?
  /// The directory that saves how far the run is.
  var state: String?
  /// The storage volumes of this run, which replace those of the pool.
  var volumes: [VolumeSpec]?
  /// The resources of this run alone, which replace those of the pool with the same names.
  var resources = ResourceTotals()
  /// The most steps that run at once.
  var jobs = 1
  var fail = FailMode.stop
  /// Whether the results of steps that have succeeded are counted only, and not kept.
  var keepsFailuresOnly = false

  /// What a run does when a step fails.
  enum FailMode: String, CaseIterable {
    /// No further step starts, and those that run end by themselves.
    case stop
    /// The steps that run are cancelled.
    case now
    /// All steps run that do not need what has failed.
    case last
  }

  private enum Results: String, CaseIterable {
    case all
    case failed
  }

  static let mostJobs = 1024

  init() {}

  init(reading json: JSONRef) throws(ValidationError) {
    try json.readMembers(of: "the options of a run (an object)") { (key, value) throws(ValidationError) in
      if key == "events" {
        events = try value.requireChoice("a value of \"events\"")
      } else if key == "deadline" {
        deadline = try value.requireSeconds()
      } else if key == "state" {
        state = try value.requireAbsolutePath(of: "a directory")
      } else if key == "volumes" {
        volumes = try VolumeSpec.list(reading: value)
      } else if key == "jobs" {
        guard let number = value.integer, (1...Int64(WorkflowOptions.mostJobs)).contains(number) else {
          throw ValidationError(
            "expected the most steps at once, an integer from 1 to \(WorkflowOptions.mostJobs), found \(value.shown)")
        }
        jobs = Int(number)
      } else if key == "resources" {
        resources = try ResourceTotals(reading: value)
      } else if key == "fail" {
        fail = try value.requireChoice("a value of \"fail\"")
      } else if key == "results" {
        let results: Results = try value.requireChoice("a value of \"results\"")
        keepsFailuresOnly = results == .failed
      } else if try !settings.commands.read(key, value), try !settings.read(key, value) {
        throw .unknownKey(
          key, of: "the options of a workflow's run",
          known: WorkflowOptions.keys + RunSettings.keys + CommandSettings.keys,
          else: key == "stdin" ? "it is a key of a step, or of the options of a single step's run" : nil)
      }
    }
  }
}

extension Workflow {
  /// Runs the workflow to its end, without events.
  package func run(_ pool: Pool?, _ context: Context?, basedir: String?, options: UnsafeRawBufferPointer?)
    throws(FlowError) -> ExecResult
  {
    try start(pool, context, basedir: basedir, options: options, isListening: false).finish()
  }

  /// Starts the workflow.
  ///
  /// - Parameters:
  ///   - pool: the workers, volumes and functions; `nil` for the default workers alone.
  ///   - basedir: the directory of the default volume.
  ///   - text: JSON text of the options.
  ///   - isListening: whether the host may take events.
  package func start(
    _ pool: Pool?, _ context: Context?, basedir: String?, options text: UnsafeRawBufferPointer?,
    isListening: Bool = true
  ) throws(FlowError) -> Exec {
    let usable: Pool
    if let pool { usable = pool } else { usable = try Pool.defaults() }
    var options = WorkflowOptions()
    if let text {
      options = try JSONText.read(text) { (json) throws(ValidationError) in try WorkflowOptions(reading: json) }
    }
    return try Exec(WorkflowRun(self, usable, context, basedir: basedir, options, isListening: isListening))
  }
}
