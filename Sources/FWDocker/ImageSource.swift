internal import CSystem
internal import FWBase
internal import FWHTTP
internal import FWModel
internal import FWSystem
internal import Glibc

/// The facts of an image on the engine.
struct ImageFacts {
  let id: String
  let entrypoint: [String]
  let command: [String]
  /// The name under which a registry has the image: `NAME@sha256:…`.
  let digest: String?
}

/// Gets the image of a step: it is pulled or built if the engine does not have it.
final class ImageSource {
  /// The facts of the image; `nil` until `get` has succeeded.
  private(set) var facts: ImageFacts?
  private(set) var isPulled = false
  private let endpoint: EngineEndpoint
  private let engine: Engine
  private let link: HTTPLink
  private let reference: ImageReference
  private let policy: DockerOptions.Pull
  private let network: String?
  private var helper: CredentialHelper?
  /// Remarks about the configuration of the docker CLI, for the user.
  private(set) var notes: [String] = []
  /// The recipe of an image that is built, once its base image is there.
  private let build: NotebookImage?
  private var base: ImageSource?
  private var job: ImageJob?
  private var seen = 0
  private var log: ArraySlice<String> = []
  private var isAbandoned = false
  private var onPulled: ((StepFailure?) -> Void)?
  private var tick: Timer?
  private var progress: ImageProgress?
  private var reportedProgress: ImageProgress?

  /// The number of seconds between two checks of a pull that another step may advance.
  private static let tickInterval = 0.05

  init(
    _ endpoint: EngineEndpoint, _ engine: Engine, _ link: HTTPLink, _ reference: ImageReference,
    _ policy: DockerOptions.Pull,
    build: NotebookImage? = nil, network: String? = nil
  ) {
    self.build = build
    self.network = network
    self.endpoint = endpoint
    self.engine = engine
    self.link = link
    self.reference = reference
    self.policy = policy
  }

  func get(_ done: @escaping (StepFailure?) -> Void) {
    // Nobody can be asked for an ID but the engine itself.
    if policy == .always, !reference.isID { fetch(done) } else { inspect(done) }
  }

  private func inspect(_ done: @escaping (StepFailure?) -> Void) {
    link.call("GET", engine.path("/images/\(URLText.escaped(reference.text))/json"), within: .answer(endpoint.timeout))
    {
      [weak self] answer in
      guard let self else { return }
      if answer.status == 404, !isPulled {
        if build != nil { return fetch(done) }
        if policy != .never, !reference.isID { return fetch(done) }
        return done(
          StepFailure(
            "the engine at \(endpoint.address) has no image \(MessageFormat.quoted(reference.text, limit: 200)), and "
              + (reference.isID ? "an ID cannot be pulled" : "\"pull\" is \"never\"")))
      }
      guard answer.isSuccess else {
        let verb = answer.status < 500 ? "find" : "inspect"
        return done(
          endpoint.failure(answer, doing: "\(verb) the image \(MessageFormat.quoted(reference.text, limit: 200))"))
      }
      let reference = reference
      let recipe = build?.recipe
      // An image with the same name and another recipe is built anew.
      if let recipe, !isPulled,
        answer.read({ $0["Config"]?["Labels"]?.member(NotebookImage.label)?.string }) != recipe
      {
        return fetch(done)
      }
      facts = answer.read { json -> ImageFacts? in
        guard let id = json["Id"]?.string else { return nil }
        let config = json["Config"]
        return ImageFacts(
          id: id, entrypoint: config?["Entrypoint"]?.strings ?? [], command: config?["Cmd"]?.strings ?? [],
          digest: reference.digest(among: json["RepoDigests"]?.strings ?? []))
      }
      done(
        facts == nil
          ? StepFailure(engine: "the engine at \(endpoint.address) described an image in an unknown format") : nil)
    }
  }

  // MARK: Fetching the image

  private func fetch(_ done: @escaping (StepFailure?) -> Void) {
    // An answer may arrive after the work was abandoned.
    if isAbandoned { return }
    onPulled = { [weak self] failure in
      guard let self else { return }
      job = nil
      tick = nil
      if let failure { return done(failure) }
      isPulled = true
      inspect(done)
    }
    if let build { return fetchBase(of: build) }
    let search: CredentialHelper.Search
    do throws(StepFailure) { search = try CredentialHelper.search(for: reference.registry) } catch {
      let shown = MessageFormat.quoted(reference.text, limit: 200)
      onPulled?(error.with(reason: "the image \(shown) was not requested: \(error.reason)"))
      return
    }
    switch search {
    case .found(let credentials): pull(with: credentials)
    case .asking(let helper):
      self.helper = helper
      fws_epoll_add(link.fd, helper.fd)
    }
  }

  private func fetchBase(of build: NotebookImage) {
    let source: ImageSource
    do throws(StepFailure) {
      source = ImageSource(endpoint, engine, link, try ImageReference(build.base), policy)
    } catch {
      onPulled?(error)
      return
    }
    base = source
    source.get { [weak self] failure in
      guard let self, !isAbandoned else { return }
      notes += source.notes
      base = nil
      if let failure { onPulled?(failure) } else { start(build) }
    }
  }

  private func start(_ build: NotebookImage) {
    do throws(StepFailure) {
      let path = engine.path("")
      job = try engine.job(build.name) { () throws(StepFailure) in
        try ImageJob.build(endpoint, build, base: path, network: network)
      }
      startTick()
    } catch { onPulled?(error) }
  }

  private func pull(with credentials: Credentials) {
    notes += credentials.warnings
    do throws(StepFailure) {
      let base = engine.path("")
      job = try engine.job(reference.text) { () throws(StepFailure) in
        try ImageJob.pull(endpoint, reference, base: base, credentials: credentials)
      }
      startTick()
    } catch { onPulled?(error) }
  }

  private func startTick() {
    tick.map { fws_epoll_remove(link.fd, $0.fd) }
    tick = try? Timer(ImageSource.tickInterval)
    if let tick { fws_epoll_add(link.fd, tick.fd) }
  }

  /// Does all work that needs no waiting.
  func advance() {
    if let helper, let credentials = helper.advance() {
      fws_epoll_remove(link.fd, helper.fd)
      self.helper = nil
      pull(with: credentials)
    }
    base?.advance()
    guard let job else { return }
    let state = job.advance(seen: seen)
    progress = state.progress
    log += state.log
    seen = state.logged
    if let outcome = state.outcome {
      tick.map { fws_epoll_remove(link.fd, $0.fd) }
      onPulled?(outcome)
    } else if tick?.isOver ?? true {
      startTick()
    }
  }

  /// The progress of the image, if it has changed, and the name of the image. Each line of a build is returned once.
  func takeProgress() -> (String, ImageProgress)? {
    if let baseProgress = base?.takeProgress() { return baseProgress }
    if !log.isEmpty { return (reference.text, ImageProgress(status: log.removeFirst())) }
    if build != nil { return nil }
    guard progress != reportedProgress else { return nil }
    reportedProgress = progress
    return progress.map { (reference.text, $0) }
  }

  /// Abandons the work on the image.
  func abandon() {
    isAbandoned = true
    if let helper { fws_epoll_remove(link.fd, helper.fd) }
    tick.map { fws_epoll_remove(link.fd, $0.fd) }
    helper = nil
    base?.abandon()
    base = nil
    job = nil
    tick = nil
    onPulled = nil
  }
}
