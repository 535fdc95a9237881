internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel
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
      env: worker.env.overridden(by: step.env).overridden(by: settings.secrets.env),
      rundir: rundir)
  }

  var engine: (any EngineFacts)? { session.facts }

  func start(_ command: UnsafeRawBufferPointer, isLast: Bool, timeout: Double?, events: RunOptions.Events?)
    throws(StepFailure) -> any RunningCommand
  {
    let started = NotebookCommand(session, job, timeout: timeout, settings: settings, events: events)
    started.start(isPrepared: false)
    return started
  }
}

/// A notebook in a container: runner/once.py, which gets its job as a file, and tells of it in marked lines on the standard
/// error.
final class NotebookCommand: ContainerCommand {
  private let job: PythonJob
  private let word = uniqueIdentifier()
  private var stream: MarkedStream
  private var speech = RunnerSpeech()
  /// Why what the runner says is not believed.
  private var fault: String?

  init(
    _ session: ContainerSession, _ job: PythonJob, timeout: Double?, settings: RunSettings, events: RunOptions.Events?
  ) {
    self.job = job
    stream = MarkedStream(word: word)
    super.init(
      session, job.shown, isLast: true, timeout: timeout, settings: settings, events: events, early: nil,
      body: { (session) throws(StepFailure) in
        guard let plan = session.plan, let image = session.image else { throw .noMemory }
        return plan.container(
          image: image.id, command: nil, entrypoint: ["python3", "-c", RunnerSource.boot, "once"],
          hasInit: session.options.hasInit)
      }, onStart: {})
  }

  override func populate(_ done: @escaping () -> Void) {
    guard let container else { return }
    var archive = TarArchive()
    // Whoever the image's user is, it is this container's alone.
    archive.add(".flowworker/", mode: 0o755, "")
    RunnerSource.forEachFile { name, text in archive.add(".flowworker/\(name).py", mode: 0o444, text) }
    archive.add(".flowworker/word", mode: 0o444, word)
    archive.add(".flowworker/job", mode: 0o444, job.text)
    session.link.call(
      "PUT", session.path("/containers/\(container)/archive?path=/"), within: session.answer, body: archive.finish(), type: "application/x-tar"
    ) { [weak self] answer in
      guard let self, phase == .preparing else { return }
      guard answer.isSuccess else { return fail(session.endpoint.failure(answer, doing: "take the notebook's job")) }
      done()
    }
  }

  override func accept(_ stream: Stream, _ piece: UnsafeRawBufferPointer) {
    guard stream == .stderr else { return keep(stream, piece) }
    self.stream.take(piece) {
      keep(.stderr, $0)
    } line: { line in
      guard fault == nil else { return }
      do throws(FlowError) { try JSONText.parse(line).read { take($0) } } catch {
        fault = "a line of it cannot be read: \(error.message)"
      }
    }
  }

  private func take(_ line: JSONRef) {
    switch speech.take(line["event"]?.string ?? "", line, of: job) {
    case .progress(let progress): tell(progress)
    case .report: break
    case .fault(let why): fault = why
    }
  }

  override func conclude() {
    if !stream.finish({ keep(.stderr, $0) }), fault == nil { fault = "its last line is not complete" }
    if wasAskedToEnd {
      end.position = speech.progress.map { "in cell \($0.cell) of \($0.of)" }
      return
    }
    guard end.outcome == .exited else { return }
    let code = end.exitCode ?? 1
    if let fault {
      return end.fail(
        StepFailure(engine: "the Python interpreter of the container does not speak as it should: \(fault)"))
    }
    if let report = speech.report, !report.isSuccess || code == 0 {
      report.tell(in: &end)
    } else if speech.report != nil {
      end.explanation = "failed: \(job.shown) ended its process with status \(code) after it had given its result"
    } else if code == 0 {
      end.exitCode = 1
      end.explanation = "failed: \(job.shown) ended its process, with status 0, before it had given a result"
    }
  }
}
