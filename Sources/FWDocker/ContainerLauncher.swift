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
    let text = command.text
    let wasPrepared = isPrepared
    let words: Result<[String], StepFailure>
    do throws(StepFailure) {
      words = .success(options.shell == nil ? try ContainerLauncher.words(command) : [])
    } catch {
      // A step that has begun ends in the usual way: this command fails when its turn has come.
      if !wasPrepared { throw error }
      words = .failure(error)
    }
    isPrepared = true
    next = nil
    let options = options
    let kind: EngineCommand.Kind
    if options.container == .step {
      kind = .stepContainer(box) { (session) throws(StepFailure) in
        if let shell = options.shell { return [shell, "-c", text] }
        let image = session.image
        let words = try words.get()
        let all = (image?.entrypoint ?? []) + (words.isEmpty ? image?.command ?? [] : words)
        if all.isEmpty { throw ContainerLauncher.nothingToRun(session) }
        return all
      }
    } else {
      let early = early
      self.early = nil
      kind = .ownContainer(
        early: early,
        body: { (session) throws(StepFailure) in try ContainerLauncher.body(session, text, try words.get()) },
        notebook: nil, onStart: { [weak self] in self?.prepareNext() })
    }
    return EngineCommand(
      session, text, kind, isPrepared: wasPrepared, isLast: isLast, timeout: timeout, settings: settings,
      events: events)
  }

  func close() -> (any RunningCommand)? {
    guard isPrepared, session.hasContainers else { return nil }
    return EngineCommand(removing: session)
  }

  /// While a command runs, the container of the next one is created.
  private func prepareNext() {
    guard let next, early == nil else { return }
    self.next = nil
    let text = next.text
    // A command that cannot be run fails when its turn has come.
    guard let words = options.shell == nil ? try? ContainerLauncher.words(next) : [],
      let body = try? ContainerLauncher.body(session, text, words)
    else { return }
    early = EarlyContainer(session, body)
  }

  static func words(_ command: Command) throws(StepFailure) -> [String] {
    if command.isWords { return command.words.map { String(decoding: $0, as: UTF8.self) } }
    do throws(CommandWords.Fault) { return try CommandWords.split(command.bytes) } catch {
      throw StepFailure(
        "it cannot be split into words: \(error.text): "
          + MessageFormat.quoted(command.text, limit: 100))
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
      "the command is empty, and the image \(MessageFormat.quoted(session.reference.text, limit: 200)) "
        + "has no command of its own")
  }
}

/// The one container of a step whose commands run in it one after the other.
final class StepContainer {
  var name: String?
  /// Whether the engine has reported that memory ran out in the container. It does not say for which command.
  var wasOutOfMemory = false

  static let shell = "/bin/sh"
  /// The program of process 1. It waits, which reaps orphans, and forwards TERM to all other processes of the
  /// container. It uses only programs that are in nearly every image. (A `trap` interrupts `wait`, but not a `sleep` in
  /// the foreground.)
  static let program = "trap 'kill -TERM -1' TERM; while :; do sleep 86400 & wait $!; done"
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

/// Splits a command into words as a POSIX shell and Python's shlex.split do. Quotes and backslashes have their meaning,
/// and nothing else of a shell.
enum CommandWords {
  /// Why a command cannot be split.
  enum Fault: Error {
    case openQuote(UInt8)
    case lastBackslash

    var text: String {
      switch self {
      case .openQuote(let quote): return "the quotation mark \(quote == UInt8(ascii: "'") ? "'" : "\"") is not closed"
      case .lastBackslash: return "it ends with a backslash, which must be followed by a character"
      }
    }
  }

  static func split(_ command: UnsafeRawBufferPointer) throws(Fault) -> [String] {
    var words: [String] = []
    var word: [UInt8] = []
    // An empty pair of quotation marks is a word as well.
    var hasWord = false
    var quote: UInt8?
    var index = 0
    while index < command.count {
      let byte = command[index]
      index += 1
      switch (quote, byte) {
      case (UInt8(ascii: "'"), UInt8(ascii: "'")), (UInt8(ascii: "\""), UInt8(ascii: "\"")): quote = nil
      case (UInt8(ascii: "'"), _): word.append(byte)
      case (UInt8(ascii: "\""), UInt8(ascii: "\\")):
        guard index < command.count else { throw .openQuote(UInt8(ascii: "\"")) }
        // Between double quotation marks, a backslash quotes only these two characters.
        if command[index] != UInt8(ascii: "\"") && command[index] != UInt8(ascii: "\\") { word.append(byte) }
        word.append(command[index])
        index += 1
      case (UInt8(ascii: "\""), _): word.append(byte)
      case (_, UInt8(ascii: "'")), (_, UInt8(ascii: "\"")):
        quote = byte
        hasWord = true
      case (_, UInt8(ascii: "\\")):
        guard index < command.count else { throw .lastBackslash }
        word.append(command[index])
        hasWord = true
        index += 1
      case (_, UInt8(ascii: " ")), (_, UInt8(ascii: "\t")), (_, UInt8(ascii: "\r")), (_, UInt8(ascii: "\n")):
        if hasWord { words.append(String(decoding: word, as: UTF8.self)) }
        word = []
        hasWord = false
      default:
        word.append(byte)
        hasWord = true
      }
    }
    if let quote { throw .openQuote(quote) }
    if hasWord { words.append(String(decoding: word, as: UTF8.self)) }
    return words
  }
}
