package import FWBase

/// Which step of a workflow something is about: the number of the step in the document, and the number of the instance
/// if the step has `foreach`.
package struct StepPlace: Hashable, Comparable, Sendable {
  package let index: Int
  /// The number of the instance, from 0; `nil` for a step without `foreach`.
  package let instance: Int?

  package init(index: Int, instance: Int? = nil) {
    self.index = index
    self.instance = instance
  }

  package static func < (a: StepPlace, b: StepPlace) -> Bool {
    (a.index, a.instance ?? -1) < (b.index, b.instance ?? -1)
  }
}

/// When and where a workflow ran a step.
package struct StepSchedule: Sendable {
  /// Why a step that had all that it needs did not start at once.
  package enum Hold: String, Sendable {
    /// As many steps ran as the run allows.
    case jobs
    /// As many steps of the worker ran as the worker allows.
    case limit
    /// Other steps had the resources.
    case resources
  }

  /// The time, in seconds since 1970, at which everything that the step needs was there.
  package var ready: Double
  /// The step that ended last of those that the step waited for, with its name; `nil` if it waited for none.
  package var after: (name: String, place: StepPlace)?
  /// The number of the lane, from 0. At any time a lane has one step.
  package var lane: Int
  package var held: Hold?

  package init(ready: Double, after: (name: String, place: StepPlace)?, lane: Int, held: Hold?) {
    self.ready = ready
    self.after = after
    self.lane = lane
    self.held = held
  }

  func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("ready", ready)
      writer.member("after") { writer in
        guard let after else { return writer.null() }
        writer.object { writer in
          writer.member("step", after.name)
          after.place.writeMembers(to: &writer)
        }
      }
      writer.member("lane", lane)
      writer.member("held", held?.rawValue)
    }
  }
}

extension StepPlace {
  package func writeMembers(to writer: inout JSONWriter) {
    writer.member("index", index)
    writer.member("instance", instance)
  }
}
