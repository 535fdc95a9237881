/// The JSON of a result; its grammar is in docs/documents.md.
extension StepResult {
  func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("version", 1)
      writer.member("step", step)
      writer.member("worker", worker)
      writer.member("worker_type", workerType.rawValue)
      writer.member("returncode", Int(returncode))
      writer.member("outcome", "\(outcome.name)")
      writer.member("message", message?.string)
      writer.member("stdout") { writer in writer.array(outputs(of: .stdout)) { $0.text($1.bytes) } }
      writer.member("stderr") { writer in writer.array(outputs(of: .stderr)) { $0.text($1.bytes) } }
      writer.member("exception") { writer in
        guard let failure = commands.last?.failure else { return writer.null() }
        writer.object { writer in
          writer.member("type", "\(outcome.name)")
          writer.member("message", failure)
          writer.member("trace", message?.string)
        }
      }
      writer.member("duration", duration)
      writer.member("commands") { writer in
        writer.array(commands.filter { $0.index != nil }) { $1.write(to: &$0) }
      }
    }
  }
}

extension CommandRecord {
  func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("command", command)
      writer.member("outcome", "\(outcome.name)")
      writer.member("exit_code", exitCode.map(Int.init))
      writer.member("signal", signal.map(Int.init))
      writer.member("pid", pid.map(Int.init))
      writer.member("started", started)
      writer.member("duration", duration)
      writer.member("user_time", userTime)
      writer.member("system_time", systemTime)
      writer.member("stdout_bytes", stdout.written)
      writer.member("stderr_bytes", stderr.written)
      writer.member("stdout_cut", stdout.written - stdout.count)
      writer.member("stderr_cut", stderr.written - stderr.count)
      writer.member("survivors") { writer in
        writer.array(survivors) { writer, survivor in
          writer.object { writer in
            writer.member("pid", Int(survivor.pid))
            writer.member("name", survivor.name)
            writer.member("ended_by", survivor.endedBy?.rawValue)
          }
        }
      }
    }
  }
}
