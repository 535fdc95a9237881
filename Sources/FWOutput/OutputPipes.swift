internal import CSystem
package import FWBase
package import FWModel
package import FWSystem
internal import Glibc

/// Two pipes for the output of a command: their ends for it, and what reads them.
@frozen package struct OutputPipes: ~Copyable {
  package let outEnd: Descriptor
  package let errEnd: Descriptor
  package let stdout: OutputSink
  package let stderr: OutputSink

  /// Who writes: a program, or a job of a program, which gets its ends when that is ready.
  package enum Writer { case program, job }

  package init(_ settings: RunSettings, _ events: RunOptions.Events?, for kind: Writer = .program) throws(StepFailure) {
    var out: Int32 = -1
    var err: Int32 = -1
    let outEnd = try OutputPipes.open(&out, for: kind)
    let errEnd: Descriptor
    do throws(StepFailure) { errEnd = try OutputPipes.open(&err, for: kind) } catch {
      close(out)
      throw error
    }
    self.outEnd = outEnd
    self.errEnd = errEnd
    stdout = OutputPipes.sink(out, .stdout, settings, events)
    stderr = OutputPipes.sink(err, .stderr, settings, events)
  }

  /// Gives the end of a new pipe that the command gets.
  package static func open(_ reader: inout Int32, for kind: Writer = .program) throws(StepFailure) -> Descriptor {
    var writer: Int32 = -1
    let error = fws_pipe(&reader, &writer)
    guard error == 0 else { throw StepFailure("no pipe for its output could be had", error, call: "pipe2") }
    // A program's is closed as soon as it is sent.
    return Descriptor(writer, isKept: kind != .program)
  }

  private static func sink(_ fd: Int32, _ stream: Stream, _ settings: RunSettings, _ events: RunOptions.Events?)
    -> OutputSink
  {
    OutputSink(
      fd: fd, limit: settings.outputLimit, spill: settings.spill.map { SpillFile(in: $0, for: stream.name) },
      feed: events.flatMap { EventFeed($0, stream) }, secrets: settings.secrets)
  }
}
