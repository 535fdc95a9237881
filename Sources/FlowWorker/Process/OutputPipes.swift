internal import CFlowShims
internal import Glibc

/// Two pipes for the output of a command: their ends for it, and what reads them.
struct OutputPipes: ~Copyable {
  let outEnd: Descriptor
  let errEnd: Descriptor
  let stdout: OutputSink
  let stderr: OutputSink

  /// Who writes: a program, or a job of a program, which gets its ends when that is ready.
  enum Writer { case program, job }

  init(_ settings: RunSettings, _ events: RunOptions.Events?, for kind: Writer = .program) throws(StepFailure) {
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
  static func open(_ reader: inout Int32, for kind: Writer = .program) throws(StepFailure) -> Descriptor {
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

/// The run directory of a step.
enum RunDirectory {
  /// - Parameter isKept: as of the descriptor.
  static func open(_ path: CText, isKept: Bool = false) throws(StepFailure) -> Descriptor {
    let fd = fws_open_directory(path.start)
    if fd >= 0 { return Descriptor(fd, isKept: isKept) }
    let shown = MessageFormat.path(path.string)
    switch -fd {
    case ENOENT: throw StepFailure("the run directory \(shown) does not exist")
    case ENOTDIR: throw StepFailure("the run directory \(shown) is not a directory")
    default: throw StepFailure("the run directory \(shown) cannot be opened", 0 - fd)
    }
  }

  /// That of programs of ours, which work somewhere else.
  static func root() throws(StepFailure) -> Descriptor {
    let fd = fws_open_directory("/")
    guard fd >= 0 else { throw StepFailure("the root directory cannot be opened", -fd) }
    return Descriptor(fd, isKept: false)
  }
}

/// How a directory is called from the root: what a shell says that it works in.
struct WorkingDirectory {
  let path: String
  private let place: Place

  /// `nil` if it has no such name, or the system does not tell it.
  init?(_ directory: Descriptor) {
    var status = stat()
    guard fstat(directory.number, &status) == 0 else { return nil }
    place = Place(status)
    let link = "/proc/self/fd/\(directory.number)"
    let path = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { room -> String? in
      guard let start = room.baseAddress else { return nil }
      let count = readlink(link, start, room.count)
      // A name that is no text would be another one as a string.
      return count > 0 ? String(validating: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self) : nil
    }
    guard let path, Place(path) == place else { return nil }
    self.path = path
  }

  /// Whether it is still there: a command may have moved it.
  var isThere: Bool { Place(path) == place }

  /// What PWD is in it: what it was, if that is a name of it, as one with a symbolic link is. `nil` if that is no text.
  func shown(as given: UnsafeRawBufferPointer?) -> String? {
    guard let given, given.first == UInt8(ascii: "/") else { return path }
    guard let text = String(validating: given, as: UTF8.self) else { return nil }
    return Place(text) == place ? text : path
  }

  private struct Place: Equatable {
    let device: UInt64
    let number: UInt64

    init(_ status: stat) {
      device = UInt64(status.st_dev)
      number = UInt64(status.st_ino)
    }

    init?(_ path: String) {
      var status = stat()
      guard stat(path, &status) == 0 else { return nil }
      self.init(status)
    }
  }
}
