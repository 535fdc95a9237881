internal import CSupervisorClient
internal import CSystem
internal import FWBase
internal import FWHTTP
internal import FWModel
internal import FWSystem
internal import Glibc

/// What a step's result says of the engine that ran it.
struct ContainerFacts: EngineFacts {
  let host: String
  let image: String
  var imageID: String?
  var digest: String?
  var isPulled = false
}

/// One attempt of a step on an engine: the link, the image, and the containers, of which none is left at its end.
final class ContainerSession {
  let endpoint: EngineEndpoint
  let engine: Engine
  let options: DockerOptions
  let link: HTTPLink
  let reference: ImageReference
  /// `nil` until `prepare` has succeeded.
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
  /// The containers whose removal has been asked for.
  private var removing: Set<String> = []
  private var sweep: Sweep?
  private var onCreated: (() -> Void)?
  private var onRemoved: (() -> Void)?
  /// No container had to be left on the engine.
  private(set) var isClean = true

  /// How often a removal is asked for: an engine may be busy with a container for a moment.
  private static let maxRemovals = 20
  /// Seconds for a request to go out over a connection that is there.
  private static let sendTimeout = 0.5

  /// - Parameter build: the recipe of an image that may have to be built.
  init(
    _ endpoint: EngineEndpoint, _ options: DockerOptions, image: String, build: NotebookImage? = nil, env: KeyValues,
    rundir: CText
  ) throws(StepFailure) {
    self.endpoint = endpoint
    engine = try Engine.at(endpoint.peer)
    self.options = options
    self.env = env
    self.rundir = rundir
    reference = ImageReference(image)
    link = try engine.link()
    timer = try Timer(Timer.never)
    fws_epoll_add(link.fd, timer.fd)
    source = ImageSource(
      endpoint, engine, link, reference, options.pull, build: build, network: options.network)
  }

  /// Seconds that the engine may take to answer.
  var timeout: Double { endpoint.timeout }
  var answer: HTTPLimit { .answer(endpoint.timeout) }

  /// What the result of the step says of the engine.
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
      // The monitor removes them, unless the engine is away.
      for name in containers { engine.addLeftover(name) }
      if cleanup == nil { leaveWithoutCleanupRequest() }
    }
    engine.take(link)
  }

  /// Nobody waits for the end of the step, and there is no monitor to do it: the engine is asked at once.
  private func leaveWithoutCleanupRequest() {
    link.dropAll()
    for name in containers {
      let engine = engine
      link.call("DELETE", path("/containers/\(name)?force=1&v=1"), within: answer) { answer in
        if answer.isSuccess || answer.status == 404 { engine.removeLeftover(name) }
      }
    }
    // The next step on the engine sees what has come of the requests.
    link.send(within: ContainerSession.sendTimeout)
    link.dropAll()
  }

  func path(_ rest: String) -> String { engine.path(rest) }

  // MARK: Before the first container

  /// Speaks with the engine, and gets the image.
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
      engine.setVersion(version)
      prepareUser(done)
    }
  }

  /// On an engine without root, root in a container is the engine's user.
  private func prepareUser(_ done: @escaping (StepFailure?) -> Void) {
    guard options.isHostUser, engine.isRootless == nil else { return preparePlan(done) }
    link.call("GET", path("/info"), within: answer) { [weak self] answer in
      guard let self else { return }
      guard answer.isSuccess else { return done(endpoint.failure(answer, doing: "report its version")) }
      let isRootless = answer.read { json in
        var found = json["Rootless"]?.boolean ?? false
        json["SecurityOptions"]?.forEachElement { _, option in
          if option.string?.contains("name=rootless") == true { found = true }
        }
        return found
      }
      engine.setRootless(isRootless ?? false)
      preparePlan(done)
    }
  }

  private func preparePlan(_ done: @escaping (StepFailure?) -> Void) {
    do throws(StepFailure) {
      plan = try ContainerPlan(
        options, env: env, rundir: rundir, label: HostLabel.own, isRootless: engine.isRootless ?? false)
    } catch { return done(error) }
    if engine.isSweepDue() { sweep = Sweep(engine, link, within: answer) }
    makeWill()
    source.get(done)
  }

  /// Does what can be done without waiting.
  func advance() {
    link.advance()
    source.advance()
  }

  func takeProgress() -> (image: String, ImageProgress)? { source.takeProgress() }

  /// Gives up the work that is done before the first container.
  func abandonPreparation() { source.abandon() }

  // MARK: Containers

  private func makeWill() {
    // A monitor does not speak TLS.
    guard cleanup == nil, endpoint.peer.certificates == nil, !endpoint.peer.base.begins(with: "https") else { return }
    var address = fws_address()
    if let socket = endpoint.peer.socket {
      if fws_address_of_socket(socket, &address) == 0 { takeWill(address) }
      return
    }
    // The monitor needs an address, and libcurl knows which one belongs to a name.
    link.connect { [weak self] fd, _ in
      guard fd >= 0 else { return }
      defer { close(fd) }
      if fws_address_of_peer(fd, &address) == 0 { self?.takeWill(address) }
    }
  }

  private func takeWill(_ address: fws_address) {
    guard cleanup == nil else { return }
    cleanup = try? CleanupRequest(address)
    writeCleanupRequest()
  }

  private func writeCleanupRequest() {
    cleanup?.write(containers, creating: creating, base: path(""), grace: options.grace)
  }

  /// Asks for a container of its own; gives its name.
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
    tellRemoved()
  }

  /// Removes a container whose end has been seen, while other things go on.
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

  /// Somebody else is removing the container, and that is waited for.
  private func awaitRemoval(_ name: String, _ attempt: Int) {
    link.call("POST", path("/containers/\(name)/wait?condition=removed"), within: answer) { [weak self] _ in
      self?.remove(name, attempt: attempt + 1)
    }
  }

  /// Removes all containers; they are gone, or cannot be removed, when `done` is called.
  func removeAll(_ done: @escaping () -> Void) {
    if !creating.isEmpty {
      // A creation that has been sent goes on if its call is dropped, so its answer is waited for.
      onCreated = { [weak self] in self?.removeAll(done) }
      return
    }
    onRemoved = done
    for name in containers where !removing.contains(name) { remove(name) }
    tellRemoved()
  }

  private func tellRemoved() {
    guard containers.isEmpty, let onRemoved else { return }
    self.onRemoved = nil
    onRemoved()
  }

  /// Whether the containers may go while nobody waits.
  var canRequestCleanup: Bool { creating.isEmpty && cleanup != nil }

  /// Has the monitor remove all containers, now, while the result goes its way. Whether they have gone is seen by the
  /// next step on the engine.
  func requestCleanup() {
    let names = containers.filter { !removing.contains($0) }
    for name in containers { engine.addLeftover(name) }
    cleanup?.execute(names, base: path(""))
    cleanup = nil
    containers = []
    removing = []
  }

  var hasContainers: Bool { !containers.isEmpty }

  /// Whether the engine has been asked for a container, and has not answered.
  var isCreating: Bool { !creating.isEmpty }

  /// The engine was lost: nothing that was asked for is answered any more.
  func dropCalls() {
    link.dropAll()
    creating = []
    removing = []
    sweep = nil
  }

  /// The engine does not answer: containers are left to the monitor, which asks for some minutes, and to the next step.
  func giveUp() {
    cleanup = nil
    dropCalls()
    if !containers.isEmpty { isClean = false }
    for name in containers { engine.addLeftover(name) }
    containers = []
  }
}

extension JSONRef {
  /// The strings of an array; other elements are left out. `nil`: the value is no array.
  var strings: [String]? {
    guard kind == .array else { return nil }
    var strings: [String] = []
    forEachElement { _, element in if let string = element.string { strings.append(string) } }
    return strings
  }
}
