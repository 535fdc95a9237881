internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel
internal import FWOutput
internal import FWPython

/// Runs a notebook in a container of an image that is built for it.
final class NotebookLauncher: CommandLauncher {
  private let session: ContainerSession
  private let job: PythonJob
  private let settings: RunSettings

  init(_ worker: NotebookContainerWorker, _ job: PythonJob, _ step: Step, _ settings: RunSettings, rundir: CText)
    throws(StepFailure)
  {
    self.job = job
    self.settings = settings
    let image = NotebookImage(base: worker.options.base, requirements: step.notebook.requirements)
    session = try ContainerLauncher.session(
      worker.options.docker, image: image.name, build: image,
      env: settings.environment.variables, rundir: rundir)
  }

  var engine: (any EngineFacts)? { session.facts }

  func start(
    _ command: Command, input: CommandInput?, isLast: Bool, timeout: Double?, events: RunOptions.Events?
  ) throws(StepFailure) -> any RunningCommand {
    let notebook = NotebookConnection(job)
    let kind = EngineCommand.Kind.ownContainer(
      early: nil,
      body: { (session) throws(StepFailure) in
        guard let plan = session.plan, let image = session.image else { throw .noMemory }
        return plan.container(
          image: image.id, command: nil, entrypoint: ["python3", "-c", RunnerSource.boot, "once"],
          hasInit: session.options.hasInit)
      }, notebook: notebook, onStart: {})
    return EngineCommand(
      session, job.shown, kind, isPrepared: false, isLast: true, timeout: timeout, settings: settings, events: events)
  }
}

/// The communication with a notebook in a container. The container runs once.py, which gets its job as a file, and
/// reports about it in marked lines on the standard error.
final class NotebookConnection {
  private let job: PythonJob
  private let marker: String
  private var stream: MarkedStream
  private var messages = RunnerMessages()
  /// How the runner has violated the protocol; `nil` if it has not.
  private var fault: String?

  init(_ job: PythonJob) {
    self.job = job
    marker = uniqueIdentifier()
    stream = MarkedStream(marker: marker)
  }

  /// The files that are put into the container before it starts.
  var archive: ByteBuffer {
    var archive = TarArchive()
    // The files can be read by any user of the image, because the container has no other purpose.
    archive.add(".flowworker/", mode: 0o755, "")
    RunnerSource.forEachFile { name, text in archive.add(".flowworker/\(name).py", mode: 0o444, text) }
    archive.add(".flowworker/marker", mode: 0o444, marker)
    archive.add(".flowworker/job", mode: 0o444, job.text)
    return archive.finish()
  }

  /// Takes a piece of the standard error.
  func take(
    _ piece: UnsafeRawBufferPointer, output: (UnsafeRawBufferPointer) -> Void, progress: (CellProgress) -> Void
  ) {
    stream.take(piece, output: output) { line in
      guard fault == nil else { return }
      do throws(FlowError) {
        try JSONText.parse(line).read { line in
          switch messages.take(line["event"]?.string ?? "", line, of: job) {
          case .progress(let cell): progress(cell)
          case .result: break
          case .fault(let why): fault = why
          }
        }
      } catch { fault = "one of its lines cannot be read: \(error.message)" }
    }
  }

  /// Puts the result of the job into the end of the command, after the process of the notebook has ended.
  func finish(in end: inout CommandEnd, wasAskedToEnd: Bool, output: (UnsafeRawBufferPointer) -> Void) {
    if !stream.finish(output), fault == nil { fault = "its last line is incomplete" }
    if wasAskedToEnd {
      end.position = messages.progress.map { "in cell \($0.cell) of \($0.of)" }
      return
    }
    guard end.outcome == .exited else { return }
    let code = end.exitCode ?? 1
    if let fault {
      return end.fail(
        StepFailure(engine: "the Python interpreter of the container violated the protocol: \(fault)"))
    }
    if let result = messages.result, !result.isSuccess || code == 0 {
      result.apply(to: &end)
    } else if messages.result != nil {
      end.explanation = "failed: \(job.shown) ended its process with status \(code) after it had given its result"
    } else if code == 0 {
      end.exitCode = 1
      end.explanation = "failed: \(job.shown) ended its process, with status 0, before it had given a result"
    }
  }
}

/// A stream that has lines of the runner among the output of a program. Each line of the runner begins with a byte that
/// is rare in text, and a marker that only the runner and the library know.
struct MarkedStream {
  private let mark: [UInt8]
  /// The bytes that may be the beginning of a mark, or the line after a mark.
  private var pending: [UInt8] = []
  private var isInLine = false

  private static let maxLineLength = 64 << 20

  init(marker: String) { mark = [0x1e] + Array(marker.utf8) }

  /// Separates the output from the lines of the runner.
  mutating func take(
    _ bytes: UnsafeRawBufferPointer, output: (UnsafeRawBufferPointer) -> Void, line: (UnsafeRawBufferPointer) -> Void
  ) {
    var at = 0
    while at < bytes.count {
      if isInLine {
        let rest = bytes[at...]
        let end = rest.firstIndex(of: UInt8(ascii: "\n"))
        if pending.count < MarkedStream.maxLineLength { pending += bytes[at..<(end ?? bytes.count)] }
        guard let end else { return }
        pending.withUnsafeBytes(line)
        pending.removeAll(keepingCapacity: true)
        isInLine = false
        at = end + 1
      } else if pending.isEmpty {
        let end = bytes[at...].firstIndex(of: 0x1e) ?? bytes.count
        if end > at { output(UnsafeRawBufferPointer(rebasing: bytes[at..<end])) }
        if end < bytes.count { pending = [0x1e] }
        at = end + 1
      } else if bytes[at] == mark[pending.count] {
        pending.append(bytes[at])
        at += 1
        if pending.count == mark.count {
          pending.removeAll(keepingCapacity: true)
          isInLine = true
        }
      } else {
        // The pending bytes are not a mark. The byte that differs may begin one.
        finish(output)
      }
    }
  }

  /// Ends the stream. An incomplete mark is output. Returns false if a line has begun and has not ended.
  @discardableResult
  mutating func finish(_ output: (UnsafeRawBufferPointer) -> Void) -> Bool {
    let isComplete = !isInLine
    if isComplete, !pending.isEmpty { pending.withUnsafeBytes(output) }
    pending.removeAll(keepingCapacity: true)
    isInLine = false
    return isComplete
  }
}
