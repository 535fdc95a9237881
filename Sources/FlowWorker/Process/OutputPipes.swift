internal import CFlowShims
internal import Glibc

/// Two pipes for the output of a command: their ends for it, and what reads them.
struct OutputPipes: ~Copyable {
  let outEnd: Descriptor
  let errEnd: Descriptor
  let stdout: OutputSink
  let stderr: OutputSink

  /// Who writes: a program, or threads of the host, which get no SIGPIPE.
  enum Writer { case program, host }

  init(_ settings: RunSettings, _ events: RunOptions.Events?, for kind: Writer = .program) throws(SpawnFailure) {
    var out: Int32 = -1
    var err: Int32 = -1
    let outEnd = try OutputPipes.open(&out, for: kind)
    let errEnd: Descriptor
    do throws(SpawnFailure) { errEnd = try OutputPipes.open(&err, for: kind) } catch {
      close(out)
      throw error
    }
    self.outEnd = outEnd
    self.errEnd = errEnd
    stdout = OutputPipes.sink(out, .stdout, settings, events)
    stderr = OutputPipes.sink(err, .stderr, settings, events)
  }

  /// Gives the end of a new pipe that the command gets.
  static func open(_ reader: inout Int32, for kind: Writer = .program) throws(SpawnFailure) -> Descriptor {
    var writer: Int32 = -1
    let error = kind == .host ? fws_writing_pair(&reader, &writer) : fws_pipe(&reader, &writer)
    guard error == 0 else { throw SpawnFailure("no pipe for its output could be had", error) }
    return Descriptor(writer)
  }

  private static func sink(_ fd: Int32, _ stream: Stream, _ settings: RunSettings, _ events: RunOptions.Events?)
    -> OutputSink
  {
    OutputSink(
      fd: fd, limit: settings.outputLimit, spill: settings.spill.map { SpillFile(in: $0, for: stream.name) },
      feed: events.flatMap { EventFeed($0, stream) }, secrets: settings.secrets)
  }
}

/// The run directory of a step.
enum RunDirectory {
  static func open(_ path: CText) throws(SpawnFailure) -> Descriptor {
    let fd = fws_open_directory(path.start)
    if fd >= 0 { return Descriptor(fd) }
    let shown = Wording.path(path.string)
    switch -fd {
    case ENOENT: throw SpawnFailure("the run directory \(shown) does not exist")
    case ENOTDIR: throw SpawnFailure("the run directory \(shown) is not a directory")
    default: throw SpawnFailure("the run directory \(shown) cannot be opened", -fd)
    }
  }

  /// That of programs of ours, which work somewhere else.
  static func root() throws(SpawnFailure) -> Descriptor {
    let fd = fws_open_directory("/")
    guard fd >= 0 else { throw SpawnFailure("the root directory cannot be opened", -fd) }
    return Descriptor(fd)
  }
}
