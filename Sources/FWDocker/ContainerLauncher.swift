internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel
internal import FWOutput
internal import Glibc

/// Starts the commands of a container step on an engine.
final class ContainerLauncher: CommandLauncher {
  private let session: ContainerSession
  private let options: DockerOptions
  private let settings: RunSettings
  private var isPrepared = false
  private let box = StepContainer()
  /// The command that comes next.
  private var next: Command?
  private var early: EarlyContainer?

  init(_ worker: DockerWorker, _ step: Step, _ settings: RunSettings, rundir: CText) throws(StepFailure) {
    self.settings = settings
    options = worker.options
    session = try ContainerLauncher.session(
      worker.options, image: step.image, env: settings.environment.variables, rundir: rundir)
  }

  /// Finds the engine, and makes a session on it.
  static func session(
    _ options: DockerOptions, image: String, build: NotebookImage? = nil, env: KeyValues, rundir: CText
  ) throws(StepFailure) -> ContainerSession {
    let image = try ImageReference(image)
    var endpoint = try EngineSearch.endpoint(options)
    endpoint.timeout = options.engineTimeout
    guard options.sharedFiles ?? (endpoint.peer.socket != nil) else {
      throw StepFailure(
        "the engine at \(endpoint.address) may be on another machine without the run directory: if it sees the same "
          + "files under the same paths, set \"shared_files\": true in the worker's options")
    }
    return try ContainerSession(endpoint, options, image: image, build: build, env: env, rundir: rundir)
  }

  var engine: (any EngineFacts)? { session.facts }

  func announce(_ command: Command) { next = command }

  func start(
    _ command: Command, input: CommandInput?, isLast: Bool, timeout: Double?, events: RunOptions.Events?
  ) throws(StepFailure) -> any RunningCommand {
    if input != nil, session.endpoint.peer.hasTLS {
      throw StepFailure(
        "a command of the engine at \(session.endpoint.address) can have no standard input, because libcurl cannot end "
          + "one direction of a TLS connection: use a Unix socket or a connection without TLS, or let the command read "
          + "a file of the run directory")
    }
    let wasPrepared = isPrepared
    let program: Result<ContainerProgram, StepFailure>
    do throws(StepFailure) { program = .success(try ContainerProgram(command, shell: options.shell)) } catch {
      // A step that has begun ends in the usual way: this command fails when its turn has come.
      if !wasPrepared { throw error }
      program = .failure(error)
    }
    isPrepared = true
    next = nil
    let kind: EngineCommand.Kind
    let hasInput = input != nil
    if options.container == .step {
      kind = .stepContainer(box) { (session) throws(StepFailure) in
        let words = try program.get().exec(session.image)
        if words.isEmpty { throw ContainerLauncher.nothingToRun(session) }
        return words
      }
    } else {
      let early = early
      self.early = nil
      kind = .ownContainer(
        early: early,
        body: { (session) throws(StepFailure) in
          try ContainerLauncher.body(session, try program.get(), hasInput: hasInput)
        },
        notebook: nil, onStart: { [weak self] in self?.prepareNext(hasInput: hasInput) })
    }
    return EngineCommand(
      session, command.text, kind, input: input.map { EngineInput($0) }, isPrepared: wasPrepared, isLast: isLast,
      timeout: timeout, settings: settings, events: events)
  }

  func close() -> (any RunningCommand)? {
    guard isPrepared, session.hasContainers else { return nil }
    return EngineCommand(removing: session)
  }

  /// While a command runs, the container of the next one is created.
  ///
  /// - Parameter hasInput: whether commands of the step have a standard input: either all of them have one, or none.
  private func prepareNext(hasInput: Bool) {
    guard let next, early == nil else { return }
    self.next = nil
    // A command that cannot be run fails when its turn has come.
    guard let program = try? ContainerProgram(next, shell: options.shell),
      let body = try? ContainerLauncher.body(session, program, hasInput: hasInput)
    else { return }
    early = EarlyContainer(session, body)
  }

  private static func body(_ session: ContainerSession, _ program: ContainerProgram, hasInput: Bool)
    throws(StepFailure) -> ByteBuffer
  {
    guard let plan = session.plan, let image = session.image else { throw .noMemory }
    if program.exec(image).isEmpty { throw nothingToRun(session) }
    return program.container(image: image.id, plan, hasInput: hasInput)
  }

  private static func nothingToRun(_ session: ContainerSession) -> StepFailure {
    StepFailure(
      "the command is empty, and the image \(MessageFormat.quoted(session.reference.text, limit: 200)) "
        + "has no command of its own")
  }
}

/// A container that is created before its command starts.
final class EarlyContainer {
  private(set) var name = ""
  /// The answer of the engine: `nil` until it arrives, and `.some(nil)` if the container exists.
  private var outcome: StepFailure??
  private var onCreated: ((StepFailure?) -> Void)?

  init(_ session: ContainerSession, _ body: consuming ByteBuffer) {
    name = session.create(body) { [weak self] failure in
      guard let self else { return }
      outcome = .some(failure)
      onCreated?(failure)
      onCreated = nil
    }
  }

  func whenCreated(_ onCreated: @escaping (StepFailure?) -> Void) {
    if let outcome { return onCreated(outcome) }
    self.onCreated = onCreated
  }
}
