internal import CFlowShims
internal import Glibc

/// An image, as the engine has it.
struct ImageFacts {
  let id: String
  let entrypoint: [String]
  let command: [String]
  /// `NAME@sha256:…`, under which a registry has it.
  let digest: String?
}

/// Gets the image of a step: looks whether the engine has it, and has it pulled.
final class ImageSource {
  /// There once `get` has succeeded.
  private(set) var facts: ImageFacts?
  private(set) var isPulled = false
  private let place: EnginePlace
  private let engine: Engine
  private let link: HTTPLink
  private let reference: ImageReference
  private let policy: DockerOptions.Pull
  private var credentials: Credentials?
  private var pull: Pull?
  private var isAbandoned = false
  private var onPulled: ((SpawnFailure?) -> Void)?
  private var tick: Pause?
  private var progress: PullProgress?
  private var toldProgress: PullProgress?

  /// Seconds between two looks at a pull that another step may drive.
  private static let tickInterval = 0.05

  init(
    _ place: EnginePlace, _ engine: Engine, _ link: HTTPLink, _ reference: ImageReference, _ policy: DockerOptions.Pull
  ) {
    self.place = place
    self.engine = engine
    self.link = link
    self.reference = reference
    self.policy = policy
  }

  func get(_ done: @escaping (SpawnFailure?) -> Void) {
    if policy == .always { fetch(done) } else { inspect(done) }
  }

  private func inspect(_ done: @escaping (SpawnFailure?) -> Void) {
    link.call("GET", engine.path("/images/\(URLText.escaped(reference.text))/json")) { [weak self] answer in
      guard let self else { return }
      if answer.status == 404, !isPulled {
        if policy == .missing { return fetch(done) }
        return done(
          SpawnFailure(
            "the engine at \(place.address) has no image \(Wording.quoted(reference.text, limit: 200)), and \"pull\" is "
              + "\"never\""))
      }
      guard answer.isSuccess else {
        return done(place.failure(answer, doing: "have the image \(Wording.quoted(reference.text, limit: 200))"))
      }
      let reference = reference
      facts = answer.read { json -> ImageFacts? in
        guard let id = json["Id"]?.string else { return nil }
        let config = json["Config"]
        return ImageFacts(
          id: id, entrypoint: config?["Entrypoint"]?.strings ?? [], command: config?["Cmd"]?.strings ?? [],
          digest: reference.digest(among: json["RepoDigests"]?.strings ?? []))
      }
      done(
        facts == nil
          ? SpawnFailure(engine: "the engine at \(place.address) tells of an image in an unknown form") : nil)
    }
  }

  // MARK: Fetching the image

  private func fetch(_ done: @escaping (SpawnFailure?) -> Void) {
    // An answer may have come after that.
    if isAbandoned { return }
    onPulled = { [weak self] failure in
      guard let self else { return }
      pull = nil
      tick = nil
      if let failure { return done(failure) }
      isPulled = true
      inspect(done)
    }
    do throws(SpawnFailure) {
      if let stored = try Credentials.stored(for: reference.registry) { return take(stored) }
      let credentials = try Credentials(askingFor: reference.registry)
      self.credentials = credentials
      fws_epoll_add(link.fd, credentials.fd)
    } catch { refuse(error) }
  }

  /// There are no credentials to be had.
  private func refuse(_ failure: SpawnFailure) {
    let shown = Wording.quoted(reference.text, limit: 200)
    onPulled?(SpawnFailure("the image \(shown) was not asked for: \(failure.reason)"))
  }

  private func take(_ outcome: Credentials.Outcome) {
    switch outcome {
    case .failed(let failure): refuse(failure)
    case .found(let header):
      do throws(SpawnFailure) {
        let base = engine.path("")
        let pull = try engine.pull(reference) { () throws(SpawnFailure) in
          try Pull(place, reference, base: base, credentials: header)
        }
        self.pull = pull
        startTick()
      } catch { onPulled?(error) }
    }
  }

  private func startTick() {
    tick.map { fws_epoll_remove(link.fd, $0.fd) }
    tick = Pause(ImageSource.tickInterval)
    if let tick { fws_epoll_add(link.fd, tick.fd) }
  }

  /// Does what can be done without waiting.
  func advance() {
    if let credentials, let outcome = credentials.advance() {
      fws_epoll_remove(link.fd, credentials.fd)
      self.credentials = nil
      take(outcome)
    }
    guard let pull else { return }
    var now = PullProgress()
    let outcome = pull.advance(progress: &now)
    progress = now
    if let outcome {
      tick.map { fws_epoll_remove(link.fd, $0.fd) }
      onPulled?(outcome)
    } else if tick?.isOver ?? true {
      startTick()
    }
  }

  /// How far the pull is, if that has changed.
  func takeProgress() -> PullProgress? {
    guard progress != toldProgress else { return nil }
    toldProgress = progress
    return progress
  }

  /// Lets go of what was under way before the first container.
  func abandon() {
    isAbandoned = true
    if let credentials { fws_epoll_remove(link.fd, credentials.fd) }
    tick.map { fws_epoll_remove(link.fd, $0.fd) }
    credentials = nil
    pull = nil
    tick = nil
    onPulled = nil
  }
}
