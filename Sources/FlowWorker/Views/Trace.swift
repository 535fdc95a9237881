internal import FWBase
internal import FWModel

extension Timeline {
  /// JSON in the Trace Event Format (its document: "Trace Event Format", of the Chromium project), which Perfetto and
  /// Chrome read: complete events ("X") with times in microseconds, from the beginning.
  func trace() -> ByteBuffer {
    // Steps that were restored began before this run did.
    let origin = rows.map(\.started).min().map { min($0, started) } ?? started
    var writer = JSONWriter()
    var events: [(inout JSONWriter) -> Void] = []
    let lanes = lanes
    var threads: [StepPlace?: Int] = [:]
    for (number, lane) in lanes.enumerated() {
      events.append { Timeline.name(number + 1, lane.name, &$0) }
      for row in lane.rows { threads[row.result.place] = number + 1 }
    }
    let files = lanes.count + 1
    events.append { Timeline.name(files, "files", &$0) }
    for row in rows {
      let thread = threads[row.result.place] ?? 1
      events.append { writer in
        Timeline.event(row.name, "step", thread, row.started - origin, row.duration, &writer) { writer in
          writer.member("worker", row.worker)
          writer.member("outcome", "\(row.outcome.name)")
          writer.member("returncode", Int(row.returncode))
          writer.member("restored", row.isRestored)
          row.result.place?.writeMembers(to: &writer)
          if let schedule = row.result.schedule {
            writer.member("waited_for", schedule.after?.name)
            writer.member("held", schedule.held?.rawValue)
            writer.member("waited", max(0, row.started - schedule.ready))
          }
          writer.member("message", row.message)
        }
      }
      for bar in row.commands {
        events.append { writer in
          Timeline.event(bar.name, "command", thread, bar.started - origin, bar.duration, &writer) { writer in
            writer.member("step", row.name)
            writer.member("outcome", "\(bar.outcome.name)")
            writer.member("returncode", Int(bar.returncode))
            writer.member("user_time", bar.usage?.user)
            writer.member("system_time", bar.usage?.system)
            writer.member("peak_memory", bar.usage?.peakMemory ?? nil)
          }
        }
      }
    }
    for copy in copies {
      events.append { writer in
        let began = copy.ended - copy.file.duration - origin
        Timeline.event(copy.file.key.text, "copy", files, began, copy.file.duration, &writer) { writer in
          copy.file.writeMembers(to: &writer)
        }
      }
    }
    writer.object { writer in
      writer.member("displayTimeUnit", "ms")
      writer.member("traceEvents") { writer in writer.array(events) { writer, event in event(&writer) } }
      writer.member("otherData") { writer in
        writer.object { writer in
          writer.member("outcome", "\(outcome.name)")
          writer.member("message", message)
        }
      }
    }
    return writer.buffer()
  }

  private static func event(
    _ name: String, _ category: StaticString, _ lane: Int, _ began: Double, _ duration: Double,
    _ writer: inout JSONWriter,
    _ arguments: (inout JSONWriter) -> Void
  ) {
    writer.object { writer in
      writer.member("name", name)
      writer.member("cat", "\(category)")
      writer.member("ph", "X")
      writer.member("ts", max(0, (began * 1e6).rounded()))
      writer.member("dur", max(0, (duration * 1e6).rounded()))
      writer.member("pid", 1)
      writer.member("tid", lane)
      writer.member("args") { writer in writer.object(arguments) }
    }
  }

  private static func name(_ lane: Int, _ name: String, _ writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("name", "thread_name")
      writer.member("ph", "M")
      writer.member("pid", 1)
      writer.member("tid", lane)
      writer.member("args") { writer in writer.object { $0.member("name", name) } }
    }
  }
}
