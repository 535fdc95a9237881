internal import CFlowShims
internal import Glibc

/// An image that an engine is asked to fetch, for all steps that wait for it. Whoever of them is driven drives it;
/// when the last one has gone, the engine is let go of, and stops.
final class Pull: @unchecked Sendable {
  // Unchecked: all is touched under the lock only.
  private let lock: UnsafeMutableRawPointer
  private let place: EnginePlace
  private let image: ImageReference
  private let link: HTTPLink
  private var documents = PullDocuments()
  private var outcome: SpawnFailure??

  /// - Parameter base: the beginning of the paths, with the API's version.
  init(_ place: EnginePlace, _ image: ImageReference, base: String, credentials: String?) throws(SpawnFailure) {
    guard let lock = fws_lock_create() else { throw .noMemory }
    self.lock = lock
    self.place = place
    self.image = image
    do throws(SpawnFailure) { link = try HTTPLink(place.peer) } catch {
      fws_lock_free(lock)
      throw error
    }
    let hasCredentials = credentials != nil
    link.call(
      "POST", "\(base)/images/create?\(image.pullQuery)", header: credentials.map { "X-Registry-Auth: \($0)" },
      data: { [weak self] _, bytes in self?.documents.take(bytes) },
      end: { [weak self] answer in self?.finish(answer, hasCredentials: hasCredentials) })
  }

  // It is made, and its last reference may go, under the engine's lock: the link is its own.
  deinit { fws_lock_free(lock) }

  /// Can be read when there is something to do.
  var fd: Int32 { link.fd }

  var isOver: Bool {
    fws_lock(lock)
    defer { fws_unlock(lock) }
    return outcome != nil
  }

  /// Does what can be done without waiting. Gives the outcome when there is one: `.some(nil)` is success.
  func advance(progress: inout PullProgress) -> SpawnFailure?? {
    fws_lock(lock)
    defer { fws_unlock(lock) }
    if outcome == nil { link.advance() }
    progress = documents.progress
    return outcome
  }

  private func finish(_ answer: borrowing HTTPAnswer, hasCredentials: Bool) {
    documents.end()
    let shown = Wording.quoted(image.text, limit: 200)
    guard answer.isSuccess else {
      // A pull that has begun and whose connection breaks is the engine's end.
      let failure = place.failure(answer, doing: "pull the image \(shown)")
      outcome = .some(answer.failure != nil ? failure : judged(answer.message, hasCredentials: hasCredentials))
      return
    }
    // An engine says "200 OK" before it begins: what happened then is in the last document.
    outcome = .some(documents.failure.map { judged($0, hasCredentials: hasCredentials) })
  }

  /// A registry that has no such image, or does not give it to us, is the step's concern; all else is not.
  private func judged(_ message: String, hasCredentials: Bool) -> SpawnFailure {
    let shown = Wording.quoted(image.text, limit: 200)
    if message.contains("no space left on device") || message.contains("disk quota exceeded") {
      return SpawnFailure(
        engine: "the disk of the engine at \(place.address) is full: the image \(shown) could not be pulled: "
          + message)
    }
    let words = message.lowercased()
    let refusals = [
      "denied", "unauthorized", "not found", "manifest unknown", "does not exist", "no basic auth credentials",
      "authentication required", "invalid reference", "forbidden", "no matching manifest", "incorrect username",
    ]
    // "too many requests" comes with a word of denial at some registries.
    let isBusy = words.contains("toomanyrequests") || words.contains("too many requests")
    let isRefused = !isBusy && refusals.contains { words.contains($0) }
    let login =
      hasCredentials
      ? "with the credentials that the docker CLI has stored for \(image.registry)"
      : "without credentials: the docker CLI has stored none for \(image.registry)"
    return isRefused
      ? SpawnFailure("the image \(shown) was refused (\(login)): \(message)")
      : SpawnFailure(engine: "the image \(shown) could not be pulled: \(message)")
  }
}
