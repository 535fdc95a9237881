internal import CFlowShims
internal import Glibc

/// A file that was copied from one volume to another.
struct CopiedFile {
  let key: String
  let from: String
  let to: String
  let bytes: Int64
  /// Seconds.
  let duration: Double
}

/// Does what has to be done with the files of volumes, one thing after the other and never waiting, until all is done or
/// something fails.
final class Transfers {
  private enum Task {
    /// Finds which of the volumes has a key that nobody has listed, and copies it.
    case search(String, in: [String], to: FileVolume)
    /// Copies what a key stands for.
    case copy(FileIndex.Match, from: String, to: String)
    case file(VolumeFile, from: String, to: String)
    case folder(String, in: FileVolume)
  }

  private let volumes: Volumes
  private(set) var index: FileIndex
  /// The next is the last.
  private var tasks: [Task] = []
  private var slices: SliceCopy?
  private var remote: (any RemoteVolume)?
  private var isBusy = false
  private var failure: SpawnFailure?
  /// Readable at any time: a file of this machine is copied piece by piece, and the host has its turn in between.
  private var turn: Descriptor?
  private(set) var copied: [CopiedFile] = []

  init(_ volumes: Volumes, _ index: FileIndex) {
    self.volumes = volumes
    self.index = index
  }

  deinit { remote?.drop() }

  // MARK: What is to be done

  /// Makes inputs available where a worker runs, and the folders of its outputs.
  func prepare(_ place: FileVolume, inputs: [String], outputs: [String]) {
    var tasks: [Task] = []
    for input in inputs {
      let matches = index.matches(input)
      if matches.isEmpty {
        let others = [place.name] + volumes.names.filter { $0 != place.name }
        tasks.append(.search(input, in: others, to: place))
      }
      for match in matches where !match.volumes.contains(place.name) {
        guard let source = match.volumes.first else { continue }
        tasks.append(.copy(match, from: source, to: place.name))
      }
      // What is listed for this volume is looked at as well: a listing may be old.
      if !matches.isEmpty, matches.allSatisfy({ $0.volumes.contains(place.name) }) {
        tasks.append(.search(input, in: [place.name], to: place))
      }
    }
    var folders: Set<String> = []
    for output in outputs {
      let folder = VolumeKey.isFolder(output) ? output : VolumeKey.parent(of: output)
      if let folder, folders.insert(folder).inserted { tasks.append(.folder(folder, in: place)) }
    }
    self.tasks = tasks.reversed()
  }

  /// Copies what a step has made to the volume that it belongs to.
  func deliver(_ keys: [String], from place: FileVolume, to volume: String) {
    tasks = keys.reversed().map { .copy(FileIndex.Match(key: $0, volumes: [place.name]), from: place.name, to: volume) }
  }

  func takeCopied() -> [CopiedFile] {
    defer { copied = [] }
    return copied
  }

  // MARK: Doing it

  /// What it waits for.
  var waiting: Waiting {
    if isBusy, let remote { return Waiting(channel: remote.fd) }
    if turn == nil {
      let fd = fws_readable()
      if fd >= 0 { turn = Descriptor(fd) }
    }
    return Waiting(channel: turn?.number ?? fws_fd.lost)
  }

  /// Gives the end of all, once: `nil` inside is success.
  func advance() -> SpawnFailure?? {
    remote?.advance()
    do throws(SpawnFailure) {
      // Large files are left to the next turn; of small ones there may be many.
      let end = fws_monotonic() + 0.005
      repeat {
        if let failure { throw failure }
        if isBusy { return nil }
        if let slices {
          guard try slices.advance() else { continue }
          self.slices = nil
        } else if let task = tasks.popLast() {
          try begin(task)
        } else {
          return .some(nil)
        }
      } while fws_monotonic() < end
      return nil
    } catch {
      tasks = []
      slices = nil
      remote?.drop()
      isBusy = false
      return .some(error)
    }
  }

  func drop() {
    remote?.drop()
    slices = nil
    tasks = []
  }

  private func begin(_ task: Task) throws(SpawnFailure) {
    switch task {
    case .folder(let key, let place): try place.makeFolder(key)
    case .search(let key, let names, let place): try search(key, names, place)
    case .copy(let match, let from, let to): try copy(match, from, to)
    case .file(let file, let from, let to): try copy(file, from, to)
    }
  }

  private func search(_ key: String, _ names: [String], _ place: FileVolume) throws(SpawnFailure) {
    guard let name = names.first else { throw missing(key, place) }
    let found: (Bool) -> Void = { [self] isThere in
      guard isThere else { return tasks.append(.search(key, in: Array(names.dropFirst()), to: place)) }
      index.add(key, in: name)
      guard name != place.name, let match = index.matches(key).first else { return }
      tasks.append(.copy(match, from: name, to: place.name))
    }
    switch try volumes.volume(name) {
    case .files(let files): found(try files.has(key))
    case .remote(let volume):
      ask(volume)
      volume.find(key) { [self] answer in
        isBusy = false
        switch answer {
        case .success(let files): found(!files.isEmpty)
        case .failure(let failure): self.failure = failure
        }
      }
    }
  }

  private func missing(_ key: String, _ place: FileVolume) -> SpawnFailure {
    let what = VolumeKey.isFolder(key) ? "folder" : "file"
    let everywhere = volumes.names.map { Wording.quoted($0) }.joined(separator: ", ")
    return SpawnFailure(
      .inputMissing,
      "its input \(Wording.quoted(key)) is missing: no such \(what) in \(Volumes.shown(place.name))"
        + (volumes.names.count > 1 ? ", nor in any other of \(everywhere)" : " (\(Wording.path(place.path)))"))
  }

  private func ask(_ volume: any RemoteVolume) {
    remote = volume
    isBusy = true
  }

  private func copy(_ match: FileIndex.Match, _ from: String, _ to: String) throws(SpawnFailure) {
    let listed: ([VolumeFile], Bool) -> SpawnFailure? = { [self] files, isEmptyFolder in
      if files.isEmpty, !isEmptyFolder {
        return SpawnFailure(
          .inputMissing, "its input \(Wording.quoted(match.key)) is missing: \(Volumes.shown(from)) does not have it any more")
      }
      index.add(match, in: to)
      // What is listed by itself has a version of its own, which may be elsewhere.
      let own = files.filter { index.entry(for: $0.key) == match.key }
      tasks += own.reversed().map { .file($0, from: from, to: to) }
      return nil
    }
    switch try volumes.volume(from) {
    case .files(let volume):
      let isFolder = VolumeKey.isFolder(match.key)
      let isThere = isFolder ? try volume.has(match.key) : false
      if let failure = listed(try volume.files(match.key), isThere) { throw failure }
      // An empty folder is one, too.
      if isFolder, case .files(let target) = try volumes.volume(to) { tasks.append(.folder(match.key, in: target)) }
    case .remote(let volume):
      ask(volume)
      volume.find(match.key) { [self] answer in
        isBusy = false
        switch answer {
        case .success(let files): failure = listed(files, false)
        case .failure(let failure): self.failure = failure
        }
      }
    }
  }

  private func copy(_ file: VolumeFile, _ from: String, _ to: String) throws(SpawnFailure) {
    let began = fws_monotonic()
    let done: (Int64) -> Void = { [self] bytes in
      copied.append(CopiedFile(key: file.key, from: from, to: to, bytes: bytes, duration: fws_monotonic() - began))
    }
    let (origin, destination) = (try volumes.volume(from), try volumes.volume(to))
    switch (origin, destination) {
    case (.files(let source), .files(let target)):
      slices = try SliceCopy(file, source, target) { done($0) }
    case (.remote(let source), .files(let target)):
      let part = try PartFile(file.key, in: target)
      ask(source)
      source.fetch(file, into: part.fd) { [self] answer in
        isBusy = false
        do throws(SpawnFailure) {
          let file = try answer.get()
          try part.publish(size: file.size, mode: file.mode)
          done(file.size)
        } catch { failure = error }
      }
    case (.files(let source), .remote(let target)):
      let (content, facts) = try source.read(file.key)
      ask(target)
      target.store(VolumeFile(key: file.key, size: facts.size, mode: facts.mode), from: content.number) { [self] failure in
        isBusy = false
        self.failure = failure ?? source.change(of: content, since: facts, file.key)
        if self.failure == nil { done(facts.size) }
      }
    case (.remote, .remote):
      // Workers run on copies in this machine, and what they make comes from there.
      throw SpawnFailure(volume: "the key \(Wording.quoted(file.key)) cannot be copied from one remote volume to another")
    }
  }
}

extension FileVolume {
  /// What has happened to a file while it was read, if anything has.
  func change(of file: Descriptor, since facts: fws_file, _ key: String) -> SpawnFailure? {
    var now = fws_file()
    let error = fws_file_facts(file.number, &now)
    if error == 0, now.size == facts.size, now.changed == facts.changed { return nil }
    return SpawnFailure(
      volume: "the key \(Wording.quoted(key)) of \(Volumes.shown(name)) has changed while it was copied: something still "
        + "writes to it")
  }
}

/// A copy from one directory of this machine to another, piece by piece.
private final class SliceCopy {
  private let key: String
  private let source: FileVolume
  private let target: FileVolume
  private let content: Descriptor
  private let facts: fws_file
  private let part: PartFile?
  private let done: (Int64) -> Void
  private var at: Int64 = 0

  /// Bytes at a time: some milliseconds of a disk.
  private static let piece = 4 << 20

  init(_ file: VolumeFile, _ source: FileVolume, _ target: FileVolume, _ done: @escaping (Int64) -> Void)
    throws(SpawnFailure)
  {
    key = file.key
    self.source = source
    self.target = target
    self.done = done
    (content, facts) = try source.read(file.key)
    let part = try PartFile(file.key, in: target)
    // Two volumes may be one directory, or links may make it so.
    self.part = part.isPlace(of: facts) ? nil : part
    if let part = self.part, facts.size > 0, fws_clone(content.number, part.fd) { at = facts.size }
  }

  /// True when the copy has its name.
  func advance() throws(SpawnFailure) -> Bool {
    guard let part else { return true }
    if at < facts.size {
      let count = fws_copy_piece(content.number, at, part.fd, min(SliceCopy.piece, Int(facts.size - at)))
      if count < 0 {
        throw SpawnFailure(
          volume: "the key \(Wording.quoted(key)) cannot be copied from \(Volumes.shown(source.name)) to "
            + Volumes.shown(target.name), errno)
      }
      at += Int64(count)
      if count > 0 { return false }
    }
    if let change = source.change(of: content, since: facts, key) { throw change }
    try part.publish(size: facts.size, mode: facts.mode)
    done(facts.size)
    return true
  }
}
