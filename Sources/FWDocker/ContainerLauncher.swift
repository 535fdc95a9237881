internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel
internal import Glibc

/// Starts the commands of a container step on an engine.
final class ContainerLauncher: CommandLauncher {
  private let session: ContainerSession
  private let options: DockerOptions
  private let settings: RunSettings
  private var isPrepared = false
  private let box = StepContainer()
  /// Of the command that comes next.
  private var next: UnsafeRawBufferPointer?
  private var early: EarlyContainer?

  init(_ worker: DockerWorker, _ step: Step, _ settings: RunSettings, rundir: CText) throws(StepFailure) {
    self.settings = settings
    options = worker.options
    session = try ContainerLauncher.session(
      worker.options, image: step.image, env: worker.env.overridden(by: step.env).overridden(by: settings.secrets.env),
      rundir: rundir)
  }

  /// Finds the engine.
  static func session(
    _ options: DockerOptions, image: String, build: NotebookImage? = nil, env: KeyValues, rundir: CText
  ) throws(StepFailure) -> ContainerSession {
    var endpoint = try EngineSearch.endpoint(options)
    endpoint.timeout = options.engineTimeout
    guard options.sharedFiles ?? (endpoint.peer.socket != nil) else {
      throw StepFailure(
        "the engine at \(endpoint.address) may be on another machine, where the run directory is not: if it sees the same "
          + "files under the same paths, say so by \"shared_files\": true in the worker's options")
    }
    return try ContainerSession(endpoint, options, image: image, build: build, env: env, rundir: rundir)
  }

  var engine: (any EngineFacts)? { session.facts }

  func announce(_ command: UnsafeRawBufferPointer) { next = command }

  func start(_ command: UnsafeRawBufferPointer, isLast: Bool, timeout: Double?, events: RunOptions.Events?)
    throws(StepFailure) -> any RunningCommand
  {
    let text = String(decoding: command, as: UTF8.self)
    let wasPrepared = isPrepared
    let words: Result<[String], StepFailure>
    do throws(StepFailure) {
      words = .success(options.shell == nil ? try ContainerLauncher.words(command) : [])
    } catch {
      // The session of a step that has begun is ended in order.
      if !wasPrepared { throw error }
      words = .failure(error)
    }
    isPrepared = true
    next = nil
    let options = options
    if options.container == .step {
      let started = ExecCommand(
        session, text, isLast: isLast, timeout: timeout, settings: settings, events: events, box: box
      ) { (session) throws(StepFailure) in
        if let shell = options.shell { return [shell, "-c", text] }
        let image = session.image
        let words = try words.get()
        let all = (image?.entrypoint ?? []) + (words.isEmpty ? image?.command ?? [] : words)
        if all.isEmpty { throw ContainerLauncher.nothingToRun(session) }
        return all
      }
      started.start(isPrepared: wasPrepared)
      return started
    }
    let early = early
    self.early = nil
    let started = ContainerCommand(
      session, text, isLast: isLast, timeout: timeout, settings: settings, events: events, early: early
    ) { (session) throws(StepFailure) in
      try ContainerLauncher.body(session, text, try words.get())
    } onStart: { [weak self] in
      self?.prepareNext()
    }
    started.start(isPrepared: wasPrepared)
    return started
  }

  func close() -> (any RunningCommand)? {
    guard isPrepared, session.hasContainers else { return nil }
    return SessionClosing(session, timeout: EngineCommand.removalTimeout)
  }

  /// While a command runs, the container of the next one is created.
  private func prepareNext() {
    guard let next, early == nil else { return }
    self.next = nil
    let text = String(decoding: next, as: UTF8.self)
    // One that cannot be run is told of when its turn has come.
    guard let words = options.shell == nil ? try? ContainerLauncher.words(next) : [],
      let body = try? ContainerLauncher.body(session, text, words)
    else { return }
    early = EarlyContainer(session, body)
  }

  static func words(_ command: UnsafeRawBufferPointer) throws(StepFailure) -> [String] {
    do throws(Words.Fault) { return try Words.split(command) } catch {
      throw StepFailure(
        "it cannot be split into words: \(error.text): "
          + MessageFormat.quoted(String(decoding: command, as: UTF8.self), limit: 100))
    }
  }

  private static func body(_ session: ContainerSession, _ text: String, _ words: [String]) throws(StepFailure)
    -> ByteBuffer
  {
    guard let plan = session.plan, let image = session.image else { throw .noMemory }
    let options = session.options
    if let shell = options.shell {
      return plan.container(image: image.id, command: ["-c", text], entrypoint: [shell], hasInit: options.hasInit)
    }
    if words.isEmpty, image.entrypoint.isEmpty, image.command.isEmpty { throw nothingToRun(session) }
    return plan.container(
      image: image.id, command: words.isEmpty ? nil : words, entrypoint: nil, hasInit: options.hasInit)
  }

  private static func nothingToRun(_ session: ContainerSession) -> StepFailure {
    StepFailure(
      "the command is empty, and the image \(MessageFormat.quoted(session.reference.text, limit: 200)) has no command of its own"
    )
  }
}
