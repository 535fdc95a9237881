package import FWBase

/// The JSON of an event; its grammar is in docs/reference/events.md.
extension Event {
  package func toJSON() throws(FlowError) -> UnsafeMutablePointer<UInt8> {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("event", "\(kind.name)")
      writer.member("sequence", Int(clamping: sequence))
      writer.member("time", time)
      writer.member("attempt", Int(attempt))
      writer.member("command", command < 0 ? nil : Int(command))
      if let cStep { writer.member("step", cStep.string) }
      if step >= 0 { writer.member("step_index", Int(step)) }
      if instance >= 0 { writer.member("instance", Int(instance)) }
      switch content {
      case .stepStarted(let worker, let type, let values):
        writer.member("worker", worker)
        writer.member("worker_type", type.name)
        if let values { writer.member("values") { writer in values.read { writer.value($0) } } }
      case .commandStarted(let text, let pid, let container):
        writer.member("text", text)
        writer.member("pid", pid.map(Int.init))
        writer.member("container", container)
      case .output(let isContinued):
        writer.member("stream", "\(stream?.name ?? "")")
        writer.member("data") { $0.text(data ?? UnsafeRawBufferPointer(start: nil, count: 0)) }
        writer.member("continued", isContinued)
      case .commandEnded(let record): writer.member("result") { record.write(to: &$0) }
      case .retry(let attempt, let delay):
        writer.member("outcome", "\(attempt.outcome.name)")
        writer.member("returncode", Int(attempt.returncode))
        writer.member("message", attempt.message?.string)
        writer.member("delay", delay)
      case .stepEnded(let result):
        writer.member("outcome", "\(result.outcome.name)")
        writer.member("returncode", Int(result.returncode))
        writer.member("message", result.message?.string)
        writer.member("duration", result.duration)
      case .progress(let image, let progress):
        writer.member("image", image)
        writer.member("status", progress.status)
        writer.member("layers", progress.layers)
        writer.member("layers_done", progress.layersDone)
        writer.member("bytes", Int(progress.bytes))
        writer.member("bytes_total", Int(progress.bytesTotal))
      case .cell(let progress):
        writer.member("cell", progress.cell)
        writer.member("cells", progress.of)
        writer.member("status", progress.state)
      case .queue(let job, let status):
        writer.member("job", job)
        writer.member("status", status)
      case .runStarted(let steps): writer.member("steps") { writer in writer.array(steps) { $0.string($1) } }
      case .runEnded(let result):
        writer.member("outcome", "\(result.outcome.name)")
        writer.member("returncode", Int(result.returncode))
        writer.member("message", result.message?.string)
        writer.member("duration", result.duration)
      case .fileCopied(let file): file.writeMembers(to: &writer)
      case .stepRestored(let result):
        writer.member("worker", result.worker)
        writer.member("worker_type", result.workerType.name)
      }
    }
    guard let text = writer.finish() else { throw .noMemory }
    return text
  }
}
