package import FWBase

/// The JSON of a result; its grammar is in docs/reference/results.md.
extension StepResult {
  package func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("version", 1)
      writer.member("step", step)
      writer.member("index", place?.index)
      writer.member("instance", place?.instance)
      writer.member("values") { writer in
        guard let values else { return writer.null() }
        values.read { writer.value($0) }
      }
      writer.member("worker", worker)
      writer.member("worker_type", workerType.name)
      writer.member("rundir", rundir)
      last.writeMembers(to: &writer)
      writer.member("exception") { writer in
        if let exception = last.commands.last?.end.exception { return exception.write(to: &writer) }
        guard let failure = last.commands.last?.end.failure else { return writer.null() }
        writer.object { writer in
          writer.member("type", "\(outcome.name)")
          writer.member("message", failure)
          writer.member("trace", message?.string)
        }
      }
      writer.member("notes") { writer in writer.array(notes) { $0.string($1) } }
      writer.member("started", started)
      writer.member("duration", duration)
      writer.member("attempts") { writer in
        writer.array(attempts) { writer, attempt in
          writer.object { writer in
            attempt.writeMembers(to: &writer)
            writer.member("delay", attempt.delay)
          }
        }
      }
      writer.member("schedule") { writer in
        guard let schedule else { return writer.null() }
        schedule.write(to: &writer)
      }
    }
  }
}

extension Attempt {
  fileprivate func writeMembers(to writer: inout JSONWriter) {
    writer.member("returncode", Int(returncode))
    writer.member("outcome", "\(outcome.name)")
    writer.member("message", message?.string)
    writer.member("explanation") { writer in
      guard let explanation else { return writer.null() }
      explanation.write(to: &writer)
    }
    writer.member("stdout") { writer in writer.array(outputs(of: .stdout)) { $0.text($1.bytes, cutAt: $1.cut) } }
    writer.member("stderr") { writer in writer.array(outputs(of: .stderr)) { $0.text($1.bytes, cutAt: $1.cut) } }
    writer.member("commands") { writer in
      writer.array(commands.filter { $0.index != nil }) { $1.write(to: &$0) }
    }
    writer.member("value") { writer in
      guard let value = commands.last?.end.value else { return writer.null() }
      value.read { writer.value($0) }
    }
    writer.member("engine") { writer in
      guard let engine else { return writer.null() }
      engine.write(to: &writer)
    }
  }
}

extension RaisedException {
  fileprivate func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("type", type)
      writer.member("message", message)
      writer.member("trace", trace)
    }
  }
}

extension CommandRecord {
  func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("command", command)
      writer.member("outcome", "\(end.outcome.name)")
      writer.member("exit_code", end.exitCode.map(Int.init))
      writer.member("signal", end.signal.map(Int.init))
      writer.member("pid", end.pid.map(Int.init))
      writer.member("container", end.container)
      writer.member("oom", end.outOfMemory?.rawValue)
      writer.member("started", end.started)
      writer.member("duration", end.duration)
      writer.member("user_time", end.usage?.user)
      writer.member("system_time", end.usage?.system)
      writer.member("peak_memory", end.usage?.peakMemory ?? nil)
      writer.member("tree_usage") { writer in
        guard let usage = end.treeUsage else { return writer.null() }
        writer.object { writer in
          writer.member("user_time", usage.user)
          writer.member("system_time", usage.system)
          writer.member("peak_memory", usage.peakMemory)
        }
      }
      writer.member("tree_limits") { writer in
        guard let limits = end.treeLimits else { return writer.null() }
        limits.write(to: &writer)
      }
      writer.member("ended_by", end.endedBy?.rawValue)
      writer.member("containment", end.containment?.rawValue)
      writer.member("sandbox") { writer in
        guard let sandbox = end.sandbox else { return writer.null() }
        sandbox.write(to: &writer)
      }
      writer.member("survivors") { writer in
        writer.array(end.survivors) { writer, survivor in
          writer.object { writer in
            writer.member("pid", Int(survivor.pid))
            writer.member("name", survivor.name)
            writer.member("ended_by", survivor.endedBy?.rawValue)
          }
        }
      }
      writer.member("survivors_count", end.survivorsCount)
      writer.member("is_ended", end.isEnded)
      writer.member("stdout_bytes", end.stdout.written)
      writer.member("stderr_bytes", end.stderr.written)
      writer.member("stdout_cut", end.stdout.missing)
      writer.member("stderr_cut", end.stderr.missing)
      writer.member("incomplete") { writer in writer.array(end.incomplete) { $0.string("\($1.name)") } }
      writer.member("stdout_file", end.stdout.file)
      writer.member("stderr_file", end.stderr.file)
      writer.member("spill_error", spillError)
    }
  }
}
