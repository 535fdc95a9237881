internal import FWBase
internal import FWModel

/// One operation of an SFTP volume. It reports its end once, unless it is abandoned before.
class SFTPOperation<End>: SFTPRunning {
  let session: SFTPSession
  let place: SFTPPlace
  private(set) var isOver = false
  /// Called with the end. The session may hold an operation that is over, which must not hold its caller.
  private var report: ((End) -> Void)?
  /// Called when the operation is over or abandoned.
  private var release: (() -> Void)?

  init(_ session: SFTPSession, _ place: SFTPPlace, _ report: @escaping (End) -> Void) {
    self.session = session
    self.place = place
    self.report = report
  }

  /// - Parameter release: forgets the operation.
  func begin(_ release: @escaping () -> Void) {
    self.release = release
    start()
  }

  func start() {}

  func move() -> Bool { false }

  /// Reports the end, unless the operation is over.
  func finish(_ end: End) {
    let report = report
    let wasOver = isOver
    abandon()
    if !wasOver { report?(end) }
  }

  func abandon() {
    if isOver { return }
    isOver = true
    report = nil
    session.remove(self)
    cleanUp()
    release?()
    release = nil
  }

  /// Gives back what the server keeps for the operation.
  func cleanUp() {}

  // MARK: Paths

  /// What a key names.
  enum Found {
    case file(SFTPAttributes)
    case folder
    /// Nothing. Of the folders on the path, this many exist.
    case nothing(folders: Int)
  }

  /// Looks at a key and all folders on its path, so that each of them is known to be a folder and not a link. All
  /// requests are on their way at once.
  func lookUp(_ key: VolumeKey, _ end: @escaping (Result<Found, StepFailure>) -> Void) {
    let count = key.components.count
    var answers: [SFTPAnswer?] = Array(repeating: nil, count: count)
    var left = count
    for depth in 0..<count {
      session.request(.lstat, [.string(place.path(key.prefix(depth + 1)))]) { [self] answer in
        answers[depth] = answer
        left -= 1
        guard left == 0, !isOver else { return }
        end(judge(key, answers))
      }
    }
  }

  private func judge(_ key: VolumeKey, _ answers: [SFTPAnswer?]) -> Result<Found, StepFailure> {
    for (index, answer) in answers.enumerated() {
      let part = key.prefix(index + 1)
      switch answer {
      case .status(let status) where status.code == SFTPStatus.noFile: return .success(.nothing(folders: index))
      case .attributes(let attributes):
        switch attributes.kind {
        case .folder: continue
        case .file: return .success(index + 1 == answers.count ? .file(attributes) : .nothing(folders: index))
        case .link, .other, nil: return .failure(place.notAFile(part, attributes.kind))
        }
      default: return .failure(failure("describe the key \(part.shown)", answer))
      }
    }
    return .success(.folder)
  }

  /// Creates the folders of a path that are missing. All requests are on their way at once. Another operation may have
  /// created a folder meanwhile, so a failure does not matter here.
  ///
  /// - Parameter there: the number of folders that exist.
  func makeFolders(_ folder: VolumeKey, there: Int) {
    for depth in there..<max(there, folder.components.count) {
      session.request(.makeFolder, [.string(place.path(folder.prefix(depth + 1))), .noAttributes]) { _ in }
    }
  }

  // MARK: Failures

  /// The failure for an answer that is not the expected one.
  func failure(_ what: String, _ answer: SFTPAnswer?) -> StepFailure {
    switch answer {
    case nil: return place.failure(what, session.failure)
    case .status(let status)?: return place.failure(what, status.shown)
    default: return place.failure(what, "it gave the answer to another request")
    }
  }
}

/// Where an SFTP volume is, and how its failures are told.
struct SFTPPlace {
  let name: String
  let address: String
  /// The base directory. A relative one begins at the user's home directory, as the server has it.
  private let base: [UInt8]

  init(_ spec: VolumeSpec, _ server: SSHServer) {
    name = spec.name
    address = server.address
    base = Array((spec.arguments["basedir"] ?? "").utf8)
  }

  /// The path of a key, or of the base.
  func path(_ key: VolumeKey?) -> [UInt8] {
    guard let key else { return base }
    return base + (base.last == UInt8(ascii: "/") ? [] : [UInt8(ascii: "/")]) + key.path.bytes
  }

  func failure(_ what: String, _ why: String) -> StepFailure {
    StepFailure(volume: "the volume \(MessageFormat.quoted(name)) (\(address)) did not \(what): \(why)")
  }

  func notAFile(_ key: VolumeKey, _ kind: SFTPAttributes.Kind?) -> StepFailure {
    let what =
      switch kind {
      case .file: "a file there, whose place a folder cannot take"
      case .folder: "a folder there, whose place a file cannot take"
      case .link: "a symbolic link, which may lead out of the volume"
      case .other: "neither a file nor a folder"
      case nil: "of a kind that the server does not tell"
      }
    return StepFailure(
      volume: "the key \(key.shown) of the volume \(MessageFormat.quoted(name)) is \(what): it cannot be copied")
  }
}
