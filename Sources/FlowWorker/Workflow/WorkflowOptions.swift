internal import FWBase
internal import FWModel

/// What a host says about the run of a workflow.
struct WorkflowOptions {
  static let keys = ["events", "deadline", "state"]

  var events = RunOptions.Events.chunks
  /// For each step, as the options of a run have it.
  var settings = RunSettings()
  /// Seconds for the whole.
  var deadline: Double?
  /// The directory that remembers how far the run is.
  var state: String?

  init() {}

  init(reading json: JSONRef) throws(ValidationError) {
    try json.readMembers { (key, value) throws(ValidationError) in
      if key == "events" {
        events = try value.requireChoice("kind of events")
      } else if key == "deadline" {
        deadline = try value.requireSeconds()
      } else if key == "state" {
        state = try value.requireAbsolutePath(of: "a directory")
      } else if !(try settings.read(key, value)) {
        throw .unknownKey(key, of: "the options of a workflow's run", known: WorkflowOptions.keys + RunSettings.keys)
      }
    }
  }
}
