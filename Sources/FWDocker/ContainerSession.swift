internal import CSupervisorClient
internal import CSystem
internal import FWBase
internal import FWHTTP
internal import FWModel
internal import FWSystem
internal import Glibc

/// The facts about the engine in the result of a step.
struct ContainerFacts: EngineFacts {
  let host: String
  let image: String
  var imageID: String?
  var digest: String?
  var isPulled = false
}

/// One attempt of a step on an engine: the link, the image and the containers. When the attempt ends, no container is
/// left.
final class ContainerSession {
  let endpoint: EngineEndpoint
  let engine: Engine
  let options: DockerOptions
  let link: HTTPLink
  let reference: ImageReference
  /// The image; `nil` until `prepare` has succeeded.
  var image: ImageFacts? { source.facts }
  private(set) var plan: ContainerPlan?
  private let source: ImageSource
  /// The timer of the command that runs. It is made before any command, so that a lack of descriptors shows at once.
  let timer: Timer
  private let env: KeyValues
  private let rundir: CText
  private let token = String(uniqueIdentifier().prefix(16))
  private var count = 0
  private var cleanup: CleanupRequest?
  /// The containers that are or may be on the engine.
  private var containers: [String] = []
  /// The containers whose creation has not been answered.
  private var creating: Set<String> = []
  /// The containers whose removal has been requested.
  private var removing: Set<String> = []
  private var sweep: Sweep?
  private var onCreated: (() -> Void)?
  private var onRemoved: (() -> Void)?
  private var reportedNotes: Set<Name> = []
  /// Whether no container had to be left on the engine.
  private(set) var isClean = true

  /// The number of times that a removal is requested, because an engine may be busy with a container for a moment.
  private static let maxRemovals = 20
  /// The number of seconds in which a request is sent over an existing connection.
  private static let sendTimeout = 0.5

  /// - Parameter build: the recipe of an image that may have to be built.
  init(
    _ endpoint: EngineEndpoint, _ options: DockerOptions, image: ImageReference, build: NotebookImage? = nil,
    env: KeyValues, rundir: CText
  ) throws(StepFailure) {
    self.endpoint = endpoint
    engine = try Engine.at(endpoint.peer)
    self.options = options
    self.env = env
    self.rundir = rundir
    reference = image
    link = try engine.link()
    timer = try Timer(Timer.never)
    fws_epoll_add(link.fd, timer.fd)
    source = ImageSource(
      endpoint, engine, link, reference, options.pull, build: build, network: options.network)
  }

  /// Remarks about the configuration of the docker CLI that are new since the last call.
  func takeNotes() -> [String] {
    var new: [String] = []
    for note in endpoint.notes + source.notes where !reportedNotes.contains(Name(note)) {
      reportedNotes.insert(Name(note))
      new.append(note)
    }
    return new
  }

  /// The number of seconds that the engine may take to answer.
  var timeout: Double { endpoint.timeout }
  var answer: HTTPLimit { .answer(endpoint.timeout) }

  /// The facts about the engine for the result of the step.
  var facts: ContainerFacts {
    ContainerFacts(
      host: endpoint.address, image: reference.text, imageID: image?.id, digest: image?.digest,
      isPulled: source.isPulled)
  }

  deinit {
    // In a process that was forked from the host, the link and the containers belong to the host.
    if fws_is_forked() { return }
    fws_epoll_remove(link.fd, timer.fd)
    if containers.isEmpty {
      cleanup?.revoke()
    } else {
      // The monitor removes the containers, unless the engine cannot be reached.
      for name in containers { engine.addLeftover(name) }
      if cleanup == nil { leaveWithoutCleanupRequest() }
    }
    engine.putBack(link)
  }

  /// Requests the removal of the containers at once, because nobody waits for the end of the step and no monitor can
  /// remove them.
  private func leaveWithoutCleanupRequest() {
    link.dropAll()
    for name in containers {
      let engine = engine
      link.call("DELETE", path("/containers/\(name)?force=1&v=1"), within: answer) { answer in
        if answer.isSuccess || answer.status == 404 { engine.removeLeftover(name) }
      }
    }
    // The next step on the engine checks whether the requests have succeeded.
    link.send(within: ContainerSession.sendTimeout)
    link.dropAll()
  }

  func path(_ rest: String) -> String { engine.path(rest) }

  // MARK: Before the first container

  /// Determines the version of the engine, and gets the image.
  func prepare(_ done: @escaping (StepFailure?) -> Void) {
    guard engine.isUnknown else { return prepareUser(done) }
    let engine = engine
    link.call("GET", "/_ping", within: answer) { [weak self] answer in
      guard let self else { return }
      guard answer.isSuccess else { return done(endpoint.firstFailure(answer)) }
      guard let version = answer.apiVersion else {
        return done(
          StepFailure(
            engine: "the server at \(endpoint.address) is not a container engine: it reports no API version"))
      }
      engine.setVersion(version, isPodman: answer.isPodman)
      Log.write(
        .info, "the container engine at \(endpoint.address) answers: API version \(MessageFormat.foreign(version))")
      prepareUser(done)
    }
  }

  /// Determines whether the engine runs without root. Root in a container is then the engine's user.
  private func prepareUser(_ done: @escaping (StepFailure?) -> Void) {
    guard options.isHostUser, engine.isRootless == nil else { return preparePlan(done) }
    link.call("GET", path("/info"), within: answer) { [weak self] answer in
      guard let self else { return }
      guard answer.isSuccess else { return done(endpoint.failure(answer, doing: "report its version")) }
      let isRootless = answer.read { json in
        var isRootless = json["Rootless"]?.boolean ?? false
        json["SecurityOptions"]?.forEachElement { _, option in
          if option.string?.contains("name=rootless") == true { isRootless = true }
        }
        return isRootless
      }
      engine.setRootless(isRootless ?? false)
      preparePlan(done)
    }
  }

  private func preparePlan(_ done: @escaping (StepFailure?) -> Void) {
    do throws(StepFailure) {
      plan = try ContainerPlan(
        options, env: env, rundir: rundir, label: HostLabel.own, isRootless: engine.isRootless ?? false,
        isPodman: engine.isPodman)
    } catch { return done(error) }
    if engine.isSweepDue() { sweep = Sweep(engine, link, within: answer) }
    openCleanupRequest()
    source.get(done)
  }

  /// Does all work that needs no waiting.
  func advance() {
    link.advance()
    source.advance()
  }

  func takeProgress() -> (image: String, ImageProgress)? { source.takeProgress() }

  /// Abandons the work that is done before the first container.
  func abandonPreparation() { source.abandon() }

  // MARK: Containers

  private func openCleanupRequest() {
    // A monitor does not support TLS.
    guard cleanup == nil, !endpoint.peer.hasTLS else { return }
    var address = fws_address()
    if let socket = endpoint.peer.socket {
      if fws_address_of_socket(socket, &address) == 0 { setCleanupRequest(address) }
      return
    }
    // The monitor needs an IP address, and libcurl resolves the host name.
    link.connect { [weak self] fd, _ in
      guard fd >= 0 else { return }
      defer { close(fd) }
      if fws_address_of_peer(fd, &address) == 0 { self?.setCleanupRequest(address) }
    }
  }

  private func setCleanupRequest(_ address: fws_address) {
    guard cleanup == nil else { return }
    cleanup = try? CleanupRequest(address)
    writeCleanupRequest()
  }

  private func writeCleanupRequest() {
    cleanup?.write(containers, creating: creating, base: path(""), grace: options.grace)
  }

  /// Requests the creation of a container. Returns its name.
  func create(_ body: consuming ByteBuffer, _ done: @escaping (StepFailure?) -> Void) -> String {
    count += 1
    let name = "flowworker-\(token)-\(count)"
    containers.append(name)
    creating.insert(name)
    writeCleanupRequest()
    link.call("POST", path("/containers/create?name=\(name)"), within: answer, body: body) { [weak self] answer in
      guard let self else { return }
      creating.remove(name)
      let failure = answer.isSuccess ? nil : endpoint.failure(answer, doing: "create the container")
      // The engine has refused to make the container. Without an answer the container may exist.
      if failure != nil, answer.failure == nil { forget(name) } else { writeCleanupRequest() }
      done(failure)
      if creating.isEmpty, let onCreated {
        self.onCreated = nil
        onCreated()
      }
    }
    return name
  }

  private func forget(_ name: String) {
    containers.removeAll { $0 == name }
    removing.remove(name)
    writeCleanupRequest()
    reportRemoved()
  }

  /// Removes a container that is known to have ended, while other work continues.
  func remove(_ name: String) {
    removing.insert(name)
    remove(name, attempt: 1)
  }

  private func remove(_ name: String, attempt: Int) {
    link.call("DELETE", path("/containers/\(name)?force=1&v=1"), within: answer) { [weak self] answer in
      guard let self else { return }
      // The status 404 says that the container has gone already.
      if answer.isSuccess || answer.status == 404 { return forget(name) }
      if answer.status == 409, attempt < ContainerSession.maxRemovals { return awaitRemoval(name, attempt) }
      if answer.failure == nil, attempt < ContainerSession.maxRemovals { return remove(name, attempt: attempt + 1) }
      isClean = false
      engine.addLeftover(name)
      forget(name)
    }
  }

  /// Waits until another request, which is removing the container, has finished.
  private func awaitRemoval(_ name: String, _ attempt: Int) {
    link.call("POST", path("/containers/\(name)/wait?condition=removed"), within: answer) { [weak self] _ in
      self?.remove(name, attempt: attempt + 1)
    }
  }

  /// Removes all containers. When `done` is called, they are gone or cannot be removed.
  func removeAll(_ done: @escaping () -> Void) {
    if !creating.isEmpty {
      // The engine completes a creation even if its call is dropped, so the answer is waited for.
      onCreated = { [weak self] in self?.removeAll(done) }
      return
    }
    onRemoved = done
    for name in containers where !removing.contains(name) { remove(name) }
    reportRemoved()
  }

  private func reportRemoved() {
    guard containers.isEmpty, let onRemoved else { return }
    self.onRemoved = nil
    onRemoved()
  }

  /// Whether the monitor can remove the containers while nobody waits.
  var canRequestCleanup: Bool { creating.isEmpty && cleanup != nil }

  /// Lets the monitor remove all containers while the result is returned. The next step on the engine checks that they
  /// are gone.
  func requestCleanup() {
    let names = containers.filter { !removing.contains($0) }
    for name in containers { engine.addLeftover(name) }
    cleanup?.execute(names, base: path(""))
    cleanup = nil
    containers = []
    removing = []
  }

  var hasContainers: Bool { !containers.isEmpty }

  /// Whether a container has been requested and the engine has not answered.
  var isCreating: Bool { !creating.isEmpty }

  /// Drops all calls, because the engine was lost and no request is answered any more.
  func dropCalls() {
    link.dropAll()
    creating = []
    removing = []
    sweep = nil
  }

  /// Stops waiting for an engine that does not answer. The containers are left to the monitor, which tries for some
  /// minutes, and to the next step.
  func abandonContainers() {
    cleanup = nil
    dropCalls()
    if !containers.isEmpty { isClean = false }
    for name in containers { engine.addLeftover(name) }
    containers = []
  }
}

extension JSONRef {
  /// The strings of an array, without other elements; `nil` if the value is not an array.
  var strings: [String]? {
    guard kind == .array else { return nil }
    var strings: [String] = []
    forEachElement { _, element in if let string = element.string { strings.append(string) } }
    return strings
  }
}
