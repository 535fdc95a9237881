internal import FWBase
internal import FWModel

/// Lists what a key names. Several folders are listed at once.
final class SFTPFind: SFTPOperation<Result<[VolumeFile], StepFailure>> {
  private let key: VolumeKey
  private var files: [VolumeFile] = []
  private var folders: [VolumeKey] = []
  /// The number of folders that are being listed.
  private var listed = 0

  /// The most levels of folders.
  private static let maxDepth = 100
  /// The most folders that are listed at once.
  private static let maxListed = 16
  /// The most files of one folder. A server that repeats itself has to be stopped at some point.
  private static let maxFiles = 1_000_000

  init(
    _ session: SFTPSession, _ place: SFTPPlace, _ key: VolumeKey,
    _ end: @escaping (Result<[VolumeFile], StepFailure>) -> Void
  ) {
    self.key = key
    super.init(session, place, end)
  }

  override func start() {
    lookUp(key) { [self] answer in
      switch answer {
      case .failure(let failure): finish(.failure(failure))
      case .success(.nothing): finish(.success([]))
      case .success(.file(let facts)): finish(key.namesFolder ? .success([]) : file(key, facts).map { [$0] })
      case .success(.folder):
        folders = [key.folder]
        listNext()
      }
    }
  }

  private func file(_ key: VolumeKey, _ facts: SFTPAttributes) -> Result<VolumeFile, StepFailure> {
    guard let size = facts.size else {
      return .failure(place.failure("describe the key \(key.shown)", "it does not tell the size"))
    }
    return .success(VolumeFile(key: key, size: size, mode: facts.mode))
  }

  private func listNext() {
    while listed < SFTPFind.maxListed, let folder = folders.popLast() {
      listed += 1
      open(folder)
    }
    guard listed == 0 else { return }
    // Answers come in any order.
    files.sort { VolumeKey.precedes($0.key, $1.key) }
    finish(.success([.folder(key)] + files.filter { $0.key != key.folder }))
  }

  private func open(_ folder: VolumeKey) {
    session.request(.openFolder, [.string(place.path(folder))]) { [self] answer in
      guard case .handle(let handle) = answer else { return fail(folder, answer) }
      if isOver { return close(handle) }
      read(folder, handle, isEmpty: true)
    }
  }

  private func read(_ folder: VolumeKey, _ handle: [UInt8], isEmpty: Bool) {
    session.request(.readFolder, [.string(handle)]) { [self] answer in
      if isOver { return close(handle) }
      switch answer {
      case .names(let entries) where !entries.isEmpty:
        var isEmpty = isEmpty
        for entry in entries {
          switch take(entry, folder) {
          case .success(let isCounted): if isCounted { isEmpty = false }
          case .failure(let failure):
            close(handle)
            return finish(.failure(failure))
          }
        }
        read(folder, handle, isEmpty: isEmpty)
      case .status(let status) where status.code == SFTPStatus.endOfFile:
        if isEmpty { files.append(.folder(folder)) }
        close(handle)
        listed -= 1
        listNext()
      default:
        close(handle)
        fail(folder, answer)
      }
    }
  }

  /// Returns whether the entry counts, so that its folder is not empty.
  private func take(_ entry: SFTPEntry, _ folder: VolumeKey) -> Result<Bool, StepFailure> {
    let name = entry.name
    if name.elementsEqual(".".utf8) || name.elementsEqual("..".utf8) || PartFile.isHidden(name) {
      return .success(false)
    }
    let key = folder.appending(name)
    // A name with a slash would lead elsewhere.
    guard !name.contains(UInt8(ascii: "/")), VolumeKey(listed: key.bytes) == key else {
      return .failure(list(folder, "it has the name \(MessageFormat.quoted(bytes: name)), which no file can have"))
    }
    if files.count + folders.count >= SFTPFind.maxFiles {
      return .failure(list(self.key, "it has more than \(SFTPFind.maxFiles) files"))
    }
    switch entry.attributes.kind {
    case .file:
      switch file(key, entry.attributes) {
      case .success(let file): files.append(file)
      case .failure(let failure): return .failure(failure)
      }
    case .folder:
      guard key.folder.depth < SFTPFind.maxDepth else {
        return .failure(
          StepFailure(
            volume: "the volume \(MessageFormat.quoted(place.name)) is more than \(SFTPFind.maxDepth) folders deep"))
      }
      folders.append(key.folder)
    case .link, .other, nil: return .failure(place.notAFile(key, entry.attributes.kind))
    }
    return .success(true)
  }

  private func list(_ folder: VolumeKey, _ why: String) -> StepFailure {
    place.failure("list the folder \(folder.shown)", why)
  }

  private func fail(_ folder: VolumeKey, _ answer: SFTPAnswer?) {
    finish(.failure(failure("list the folder \(folder.shown)", answer)))
  }

  private func close(_ handle: [UInt8]) { session.request(.close, [.string(handle)]) { _ in } }
}

/// Creates a folder and its parent folders.
final class SFTPMakeFolder: SFTPOperation<StepFailure?> {
  private let key: VolumeKey

  init(_ session: SFTPSession, _ place: SFTPPlace, _ key: VolumeKey, _ end: @escaping (StepFailure?) -> Void) {
    self.key = key
    super.init(session, place, end)
  }

  override func start() {
    // The lookups find out whether the folder exists, and whether a folder on the path is a link.
    look { [self] folders in
      makeFolders(key, there: folders)
      look { [self] _ in finish(place.failure("create the folder \(key.shown)", "it is not there")) }
    }
  }

  /// - Parameter missing: called if the key names nothing, with the number of folders on its path that exist.
  private func look(_ missing: @escaping (Int) -> Void) {
    lookUp(key) { [self] answer in
      switch answer {
      case .failure(let failure): finish(failure)
      case .success(.folder): finish(nil)
      case .success(.file): finish(place.notAFile(key, .file))
      case .success(.nothing(let folders)): missing(folders)
      }
    }
  }
}
