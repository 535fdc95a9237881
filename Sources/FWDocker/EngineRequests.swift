internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel
internal import FWOutput
internal import FWSystem
internal import CSystem

/// The requests to the engine for a command, and the answers that have arrived since the last `take`. The command
/// handles the answers when libcurl is not at work.
final class EngineRequests {
  typealias Occurrence = EngineCommand.Occurrence

  /// The container that the command runs in.
  private(set) var container: String?
  private(set) var exec: String?
  /// Whether output was lost because memory ran out.
  private(set) var hasLostOutput = false
  /// Whether the output stream of a container has ended before the container was asked to start.
  private(set) var hasOutputEndedEarly = false
  /// The standard input of the command; `nil`: it is empty.
  let input: EngineInput?
  private var isStartRequested = false
  private let session: ContainerSession
  private let kind: EngineCommand.Kind
  private var occurrences: [Occurrence] = []
  /// The bytes of output, and how many of them were taken.
  private var received = ByteBuffer()
  private var taken = 0
  /// The call that streams the output, the call that reports the exit, and the call that takes the standard input, if
  /// it is not the first one.
  private var output: HTTPCall?
  private var exit: HTTPCall?
  private var ownInput: HTTPCall?

  /// The most bytes of memory that are kept for the next output.
  private static let longestRoom = 1 << 20
  /// The number of seconds for the last request about a container, which does not change the status.
  private static let inspectTimeout = 5.0

  init(_ session: ContainerSession, _ kind: EngineCommand.Kind, _ input: EngineInput?) {
    self.input = input
    self.session = session
    self.kind = kind
  }

  // MARK: Occurrences

  func add(_ occurrence: Occurrence) { occurrences.append(occurrence) }

  func take() -> [Occurrence] {
    var batch: [Occurrence] = []
    swap(&batch, &occurrences)
    return batch
  }

  /// Passes on the bytes of an output occurrence.
  func takeOutput(_ count: Int, _ body: (UnsafeRawBufferPointer) -> Void) {
    let end = min(taken + count, received.count)
    body(UnsafeRawBufferPointer(rebasing: received.bytes[taken..<end]))
    taken = end
    guard taken == received.count else { return }
    taken = 0
    if received.count > EngineRequests.longestRoom { received = ByteBuffer() } else { received.truncate(0) }
  }

  private func addOutput(_ bytes: UnsafeRawBufferPointer) {
    let before = received.count
    received.append(bytes)
    hasLostOutput = hasLostOutput || received.isExhausted
    let count = received.count - before
    if case .output(let last) = occurrences.last {
      occurrences[occurrences.count - 1] = .output(last + count)
    } else {
      occurrences.append(.output(count))
    }
  }

  private func endOutput(_ answer: borrowing HTTPAnswer) {
    output = nil
    input?.finish("the command has ended")
    hasOutputEndedEarly = exec == nil && !isStartRequested
    add(.outputEnded(EngineReply(answer)))
  }

  // MARK: Before the start

  func prepare() { session.prepare { [weak self] failure in self?.add(.prepared(failure)) } }

  func ping() {
    session.link.call("GET", "/_ping", within: session.answer) { [weak self] answer in
      self?.add(.pinged(EngineReply(answer)))
    }
  }

  /// Requests the container. Returns false if it exists and runs.
  func create() throws(StepFailure) -> Bool {
    switch kind {
    case .ownContainer(let early?, _, _, _):
      container = early.name
      early.whenCreated { [weak self] failure in self?.add(.created(failure)) }
    case .ownContainer(nil, let body, _, _): create(try body(session))
    case .stepContainer(let box, _):
      container = box.name
      if container != nil { return false }
      guard let plan = session.plan, let image = session.image else { throw .noMemory }
      create(
        plan.container(
          image: image.id, command: ["-c", StepContainer.program], entrypoint: [StepContainer.shell], hasInit: false))
    case .removal: break
    }
    return true
  }

  private func create(_ body: consuming ByteBuffer) {
    container = session.create(body) { [weak self] failure in self?.add(.created(failure)) }
  }

  /// Puts files into the container.
  func populate(_ archive: consuming ByteBuffer) {
    session.link.call(
      "PUT", path("/archive?path=/"), within: session.answer, body: archive, type: "application/x-tar"
    ) { [weak self] answer in self?.add(.populated(EngineReply(answer))) }
  }

  func createExec() throws(StepFailure) {
    guard case .stepContainer(_, let words) = kind, let plan = session.plan else { throw .noMemory }
    let body = plan.exec(command: try words(session), hasInput: input != nil)
    session.link.call("POST", path("/exec"), within: session.answer, body: body) { [weak self] answer in
      let id = answer.isSuccess ? answer.read { $0["Id"]?.string } : nil
      self?.exec = id
      self?.add(.execCreated(EngineReply(answer, isUnderstood: id != nil)))
    }
  }

  // MARK: The start, and the streams

  /// Requests the output and the next exit. A container that has ended cannot be attached to. Without "next-exit",
  /// waiting for a container that has not been started would end at once.
  func attach() {
    stream(path("/attach?stream=1&stdout=1&stderr=1\(input == nil || hasOwnInput ? "" : "&stdin=1")"))
    if hasOwnInput { attachInput() }
    exit = session.link.call(
      "POST", path("/wait?condition=next-exit"), within: .stream(session.timeout),
      head: { [weak self] status in if status < 300 { self?.add(.exitPromised) } },
      end: { [weak self] answer in
        self?.exit = nil
        self?.add(.exited(EngineReply(answer), ContainerExit(answer)))
      })
  }

  /// Whether the standard input has a connection of its own. Podman stops passing on the output as soon as it cannot
  /// pass on the input that came over the same connection, and what is lost then may be all that the command, or the
  /// init process that could not run it, has written. It cannot give an exec two connections.
  ///
  /// The engine is known when this is read first, and another step may not change the answer for this command.
  private(set) lazy var hasOwnInput = input != nil && kind.isOwnContainer && session.engine.isPodman

  private func attachInput() {
    ownInput = session.link.call(
      "POST", path("/attach?stream=1&stdin=1"), within: .stream(session.timeout),
      head: { [weak self] status in if status < 300 { self?.add(.inputAttached) } },
      // What comes over this connection is Podman's word that nobody reads the input any more.
      data: { _, _ in },
      room: { [weak self] in self?.add(.inputWanted) },
      end: { [weak self] answer in
        self?.ownInput = nil
        self?.input?.finish("the command reads no more of its standard input")
        self?.add(.inputEnded(EngineReply(answer)))
      })
  }

  /// - Parameter occurrence: makes the occurrence of the answer.
  func start(_ occurrence: @escaping (EngineReply) -> Occurrence) {
    isStartRequested = true
    session.link.call("POST", path("/start"), within: session.answer) { [weak self] answer in
      self?.add(occurrence(EngineReply(answer)))
    }
  }

  func startExec() {
    var body = ByteBuffer()
    body.append("{\"Detach\":false,\"Tty\":false}" as StaticString)
    stream(session.path("/exec/\(exec ?? "")/start"), body: body)
  }

  /// Requests the stream of the output, over whose connection the input is sent if that has none of its own.
  private func stream(_ path: String, body: consuming ByteBuffer? = nil) {
    output = session.link.call(
      "POST", path, within: .stream(session.timeout), body: body,
      head: { [weak self] status in if status < 300 { self?.add(.attached) } },
      data: { [weak self] _, bytes in self?.addOutput(bytes) },
      room: input == nil || hasOwnInput ? nil : { [weak self] in self?.add(.inputWanted) },
      end: { [weak self] answer in self?.endOutput(answer) })
  }

  /// Begins to send the standard input.
  func openInput() {
    input?.open(over: hasOwnInput ? ownInput : output)
    noteInput()
  }

  /// Sends more of the standard input, for which there is room.
  func goOnWithInput() {
    input?.goOn()
    noteInput()
  }

  /// Reports a standard input that cannot be read to its end, after anything that may have read a part of it. Gives
  /// whether it is one.
  @discardableResult
  func noteInput() -> Bool {
    if input?.failure == nil { return false }
    add(.inputFailed)
    return true
  }

  /// Sends a signal that is to end the command.
  func signal(_ signal: EndingSignal) {
    session.link.call("POST", path("/kill?signal=SIG\(signal.rawValue)"), within: session.answer) {
      [weak self] answer in self?.add(.signalled(EngineReply(answer), signal))
    }
  }

  /// Sends a signal of the host to the main process of the container.
  func signal(_ number: Int32) {
    session.link.call("POST", path("/kill?signal=\(number)"), within: session.answer) { [weak self] answer in
      self?.add(.hostSignalled(EngineReply(answer), number))
    }
  }

  // MARK: Questions

  /// Asks whether the command still runs.
  func askPulse() {
    guard exec == nil else {
      return askExec { reply, state in
        .pulse(reply, hasEnded: state?.isRunning == false || reply.status == 404 || reply.status == 409, status: nil)
      }
    }
    ask(within: session.answer) { reply, state in
      let status = state?.hasEnded == true ? state?.exitCode : nil
      return .pulse(reply, hasEnded: status != nil || reply.status == 404, status: status)
    }
  }

  /// Asks for the facts of the engine about the end.
  func askEnd() {
    ask(within: .answer(min(EngineRequests.inspectTimeout, session.timeout))) { .inspected($0, $1) }
  }

  /// Asks why the container of the step has ended.
  func askReason() { ask(within: session.answer) { .examined($1) } }

  /// Asks whether the container exists, after the engine was lost.
  func search() { ask(within: session.answer) { .found($0, $1) } }

  private func ask(within limit: HTTPLimit, _ occurrence: @escaping (EngineReply, ContainerState?) -> Occurrence) {
    session.link.call("GET", path("/json"), within: limit) { [weak self] answer in
      self?.add(occurrence(EngineReply(answer), ContainerState(answer)))
    }
  }

  func askExec(_ occurrence: @escaping (EngineReply, ExecState?) -> Occurrence) {
    session.link.call("GET", session.path("/exec/\(exec ?? "")/json"), within: session.answer) { [weak self] answer in
      self?.add(occurrence(EngineReply(answer), ExecState(answer)))
    }
  }

  private func path(_ rest: String) -> String { session.path("/containers/\(container ?? "")\(rest)") }

  // MARK: The end

  /// Whether the output has not ended.
  var isStreaming: Bool { output != nil }

  func removeAll() { session.removeAll { [weak self] in self?.add(.removed) } }

  /// Ends the stream of the output, and with it the input that is sent over its connection.
  func dropOutput() {
    if !hasOwnInput { input?.finish("the stream of the engine cannot be read any more") }
    output?.drop()
    output = nil
  }

  /// Ends the streams. Their handlers are not called.
  func dropStreams() {
    input?.finish("the command has ended")
    output?.drop()
    exit?.drop()
    ownInput?.drop()
    output = nil
    exit = nil
    ownInput = nil
  }
}
