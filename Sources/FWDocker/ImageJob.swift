internal import CSystem
internal import FWBase
internal import FWHTTP
internal import FWModel
internal import Glibc

/// The pull or the build of an image, for all steps that wait for it. Each of these steps advances the job when it is
/// advanced itself. When the last step has gone, the connection is closed, and the engine stops.
final class ImageJob: @unchecked Sendable {
  // The conformance is unchecked because everything is used only under the lock.
  private let lock: UnsafeMutableRawPointer
  private let link: HTTPLink
  private var documents = ImageDocuments()
  private var outcome: StepFailure??

  /// The longest pauses of a pull and of a build, as multiples of the engine's time for an answer. The check of a
  /// layer, or a command of a build, may take long.
  private static let silenceOfPull = 4.0
  private static let silenceOfBuild = 20.0

  /// The progress of the job.
  struct State {
    var progress = ImageProgress()
    /// The lines of a build that are new for the caller.
    var log: ArraySlice<String> = []
    /// The number of lines so far.
    var logged = 0
    /// The outcome of the job; `nil` until the job is over, and `.some(nil)` for success.
    var outcome: StepFailure??
  }

  private init(_ peer: HTTPPeer) throws(StepFailure) {
    guard let lock = fws_lock_create() else { throw .noMemory }
    self.lock = lock
    do throws(StepFailure) { link = try HTTPLink(peer) } catch {
      fws_lock_free(lock)
      throw error
    }
  }

  /// Pulls an image.
  ///
  /// - Parameter base: the beginning of all paths, with the version of the API.
  static func pull(_ endpoint: EngineEndpoint, _ image: ImageReference, base: String, credentials: Credentials)
    throws(StepFailure)
    -> ImageJob
  {
    let job = try ImageJob(endpoint.peer)
    let outcome = PullOutcome(endpoint: endpoint, image: image, credentials: credentials)
    job.link.call(
      "POST", "\(base)/images/create?\(image.pullQuery)",
      within: .progress(endpoint.timeout, silence: endpoint.timeout * silenceOfPull),
      header: credentials.header.map { "X-Registry-Auth: \($0)" },
      data: { [weak job] _, bytes in job?.documents.take(bytes) },
      end: { [weak job] answer in job?.finish(answer, outcome.refused, outcome.failed) })
    return job
  }

  /// Builds the image of a notebook.
  static func build(_ endpoint: EngineEndpoint, _ image: NotebookImage, base: String, network: String?)
    throws(StepFailure)
    -> ImageJob
  {
    let job = try ImageJob(endpoint.peer)
    let shown = "the image \(MessageFormat.quoted(image.name, limit: 200)) for the notebook"
    job.link.call(
      "POST", "\(base)/build?\(image.query(network: network))",
      within: .progress(endpoint.timeout * silenceOfBuild, silence: endpoint.timeout * silenceOfBuild),
      body: image.context,
      type: "application/x-tar",
      data: { [weak job] _, bytes in job?.documents.take(bytes) },
      end: { [weak job] answer in
        job?.finish(answer) { answer in
          endpoint.failure(answer, doing: "build \(shown)")
        } _: { message, log in
          let last = log.filter { !$0.begins(with: "Removing intermediate") }.suffix(3).joined(separator: " | ")
          let reason = "\(shown) could not be built from \(image.base): \(message)\(last.isEmpty ? "" : ": \(last)")"
          // The commands of the recipe fail because of the step's requirements.
          return message.contains("non-zero code") ? StepFailure(reason) : StepFailure(engine: reason)
        }
      })
    return job
  }

  // A job may be freed under the lock of the engine, so it does not give its link to the engine.
  deinit { fws_lock_free(lock) }

  var isOver: Bool {
    fws_lock(lock)
    defer { fws_unlock(lock) }
    return outcome != nil
  }

  /// Does all work that needs no waiting.
  ///
  /// - Parameter seen: the number of lines of the log that the caller has got already.
  func advance(seen: Int) -> State {
    fws_lock(lock)
    defer { fws_unlock(lock) }
    if outcome == nil { link.advance() }
    return State(
      progress: documents.progress, log: documents.log.lines(from: seen), logged: documents.log.count, outcome: outcome)
  }

  private func finish(
    _ answer: borrowing HTTPAnswer, _ refused: (borrowing HTTPAnswer) -> StepFailure,
    _ failed: (String, [String]) -> StepFailure
  ) {
    documents.end()
    guard answer.isSuccess else {
      outcome = .some(refused(answer))
      return
    }
    // An engine answers "200 OK" before it begins. A later failure is in the last document.
    outcome = .some(documents.failure.map { failed($0, Array(documents.log.lines(from: 0))) })
  }
}

/// Describes why a pull has failed.
private struct PullOutcome {
  let endpoint: EngineEndpoint
  let image: ImageReference
  let credentials: Credentials

  func refused(_ answer: borrowing HTTPAnswer) -> StepFailure {
    // If the connection breaks during a pull, the engine was lost.
    let shown = MessageFormat.quoted(image.text, limit: 200)
    if answer.failure != nil { return endpoint.failure(answer, doing: "pull the image \(shown)") }
    return answer.status == 404 ? refusal(answer.message) : failed(answer.message, [])
  }

  /// The step is at fault if the registry does not have the image, or refuses it. All other failures are the engine's.
  func failed(_ message: String, _ log: [String]) -> StepFailure {
    let shown = MessageFormat.quoted(image.text, limit: 200)
    if message.contains("no space left on device") || message.contains("disk quota exceeded") {
      return StepFailure(
        engine: "the disk of the engine at \(endpoint.address) is full: the image \(shown) could not be pulled: "
          + message)
    }
    let words = message.smallLetters
    let refusals = [
      "denied", "unauthorized", "not found", "manifest unknown", "does not exist", "no basic auth credentials",
      "authentication required", "invalid reference", "forbidden", "no matching manifest", "incorrect username",
    ]
    // Some registries deny a request because there are too many, and say both.
    let isBusy = words.contains("toomanyrequests") || words.contains("too many requests")
    let isRefused = !isBusy && refusals.contains { words.contains($0) }
    return isRefused
      ? refusal(message)
      : StepFailure(engine: "the image \(shown) could not be pulled by the engine at \(endpoint.address): \(message)")
  }

  /// - Parameter message: the message of the registry.
  private func refusal(_ message: String) -> StepFailure {
    StepFailure(
      "the image \(MessageFormat.quoted(image.text, limit: 200)) was refused (\(credentials.shown)): \(message)")
  }
}
