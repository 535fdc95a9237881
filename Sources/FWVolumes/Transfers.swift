internal import CSystem
package import FWBase
package import FWModel
package import FWSystem
internal import Glibc

/// Copies and examines the files of volumes, one task after the other and without waiting, until all is done or a task
/// fails.
package final class Transfers {
  private enum Task {
    /// Finds a volume that has a key without an entry in the index, and copies the key.
    case search(VolumeKey, in: [Location], to: FileVolume)
    /// Copies everything that a key covers.
    case copy(FileIndex.Match, from: Location, to: Location)
    case file(VolumeFile, from: Location, to: Location)
    /// Creates the folders of a step's outputs, and records the state of the outputs.
    case watch(OutputWatch)
    /// Waits until a change of an output would be visible in its times.
    case settle(OutputWatch)
  }

  private let volumes: Volumes
  package private(set) var index: FileIndex
  /// The tasks that are left. The last element is the next task.
  private var tasks: [Task] = []
  private var slices: SliceCopy?
  private var remote: (any RemoteVolume)?
  private var isBusy = false
  private var failure: StepFailure?
  /// A descriptor that is always readable. A local file is copied piece by piece, and the host runs in between.
  private var readyFD: Descriptor?
  /// The timer that waits for the next tick of a file system's clock.
  private var tickTimer: Timer?
  private(set) var copied: [CopiedFile] = []

  package init(_ volumes: Volumes, _ index: FileIndex) {
    self.volumes = volumes
    self.index = index
  }

  deinit { remote?.drop() }

  // MARK: Tasks

  /// Makes inputs available to a worker, and records the state of its outputs.
  package func prepare(_ volume: FileVolume, inputs: [VolumeKey], _ watches: [OutputWatch]) {
    var tasks: [Task] = []
    for input in inputs {
      let matches = index.matches(input)
      if matches.isEmpty {
        let others = [volume.location] + volumes.locations.filter { $0 != volume.location }
        tasks.append(.search(input, in: others, to: volume))
      }
      for match in matches where !match.locations.contains(volume.location) {
        guard let source = match.locations.first else { continue }
        tasks.append(.copy(match, from: source, to: volume.location))
      }
      // An entry for this volume is checked as well, because the index may be out of date.
      if !matches.isEmpty, matches.allSatisfy({ $0.locations.contains(volume.location) }) {
        tasks.append(.search(input, in: [volume.location], to: volume))
      }
    }
    tasks += watches.map { .watch($0) }
    self.tasks = tasks.reversed()
  }

  /// Copies the outputs of a step to the volume that they belong to.
  package func deliver(_ keys: [VolumeKey], from volume: FileVolume, to location: Location) {
    tasks = keys.reversed().map {
      .copy(FileIndex.Match(key: $0, locations: [volume.location]), from: volume.location, to: location)
    }
  }

  package func takeCopied() -> [CopiedFile] {
    defer { copied = [] }
    return copied
  }

  // MARK: Running the tasks

  /// The descriptors to wait for.
  package var waiting: Waiting {
    if isBusy, let remote { return Waiting(channel: remote.fd) }
    if let tickTimer { return Waiting(channel: tickTimer.fd) }
    if readyFD == nil {
      let fd = fws_readable()
      if fd >= 0 { readyFD = Descriptor(fd) }
    }
    return Waiting(channel: readyFD?.number ?? fws_fd.lost)
  }

  /// Does all work that needs no waiting. Returns the end of all tasks, once; an inner `nil` is success.
  package func advance() -> StepFailure?? {
    remote?.advance()
    do throws(StepFailure) {
      // A call works for five milliseconds: this is enough for many small files, and large files continue in the next
      // call.
      let end = fws_monotonic() + 0.005
      repeat {
        if let failure { throw failure }
        if isBusy { return nil }
        if let tickTimer {
          guard tickTimer.isOver else { return nil }
          self.tickTimer = nil
        }
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

  package func drop() {
    remote?.drop()
    slices = nil
    tasks = []
  }

  private func begin(_ task: Task) throws(StepFailure) {
    switch task {
    case .watch(let watch):
      try watch.begin()
      tasks.append(.settle(watch))
    case .settle(let watch):
      guard let seconds = watch.unsettled else { return }
      tickTimer = try Timer(seconds)
      tasks.append(task)
    case .search(let key, let names, let volume): try search(key, names, volume)
    case .copy(let match, let from, let to): try copy(match, from, to)
    case .file(let file, let from, let to): try copy(file, from, to)
    }
  }

  private func search(_ input: VolumeKey, _ locations: [Location], _ volume: FileVolume) throws(StepFailure) {
    guard let location = locations.first else { throw missing(input, volume) }
    let finishSearch: (VolumeKey?) -> Void = { [self] key in
      guard let key else { return tasks.append(.search(input, in: Array(locations.dropFirst()), to: volume)) }
      index.add(key, in: location)
      guard location != volume.location, let match = index.matches(key).first else { return }
      tasks.append(.copy(match, from: location, to: volume.location))
    }
    switch try volumes.volume(location) {
    case .files(let files):
      switch try files.lookUp(input) {
      case .nothing: finishSearch(nil)
      case .file, .other: finishSearch(input)
      case .folder: finishSearch(input.folder)
      case .dangling(let text): throw files.dangling(input, text)
      }
    case .remote(let volume):
      beginRemote(volume)
      volume.find(input) { [self] answer in
        isBusy = false
        switch answer {
        case .success(let files): finishSearch(files.first.map { $0.isFolder ? input.folder : input })
        case .failure(let failure): self.failure = failure
        }
      }
    }
  }

  private func missing(_ key: VolumeKey, _ volume: FileVolume) -> StepFailure {
    let what = key.namesFolder ? "folder" : "file or folder"
    let everywhere = MessageFormat.names(volumes.locations.map(\.volume))
    return StepFailure(
      .inputMissing,
      "its input \(key.shown) is missing: no such \(what) in \(volume.location.shown)"
        + (volumes.locations.count > 1
          ? ", nor in any other of \(everywhere)" : " (\(MessageFormat.path(volume.path)))"))
  }

  private func beginRemote(_ volume: any RemoteVolume) {
    remote = volume
    isBusy = true
  }

  private func copy(_ match: FileIndex.Match, _ from: Location, _ to: Location) throws(StepFailure) {
    let queueFiles: ([VolumeFile]) -> StepFailure? = { [self] files in
      guard let first = files.first else {
        let what = match.key.namesFolder ? "folder" : "file or folder"
        return StepFailure(
          .inputMissing, "its input \(match.key.shown) is missing: \(from.shown) has no such \(what)")
      }
      index.add(first.isFolder ? FileIndex.Match(key: match.key.folder, locations: match.locations) : match, in: to)
      // A file with its own entry has its own latest version, which may be in another volume.
      var own = files.filter { index.entry(for: $0.key) == match.key.path }
      // A folder with content is created by copying its content.
      if first.isFolder, own.count > 1 { own.removeFirst() }
      tasks += own.reversed().map { .file($0, from: from, to: to) }
      return nil
    }
    switch try volumes.volume(from) {
    case .files(let volume):
      if let failure = queueFiles(try volume.files(match.key)) { throw failure }
    case .remote(let volume):
      beginRemote(volume)
      volume.find(match.key) { [self] answer in
        isBusy = false
        switch answer {
        case .success(let files): failure = queueFiles(files)
        case .failure(let failure): self.failure = failure
        }
      }
    }
  }

  private func copy(_ file: VolumeFile, _ from: Location, _ to: Location) throws(StepFailure) {
    let (origin, destination) = (try volumes.volume(from), try volumes.volume(to))
    switch file.kind {
    case .folder: return try makeFolder(file.key, destination)
    case .link(let text):
      guard case .files(let target) = destination else {
        throw StepFailure(
          volume:
            "the key \(file.key.shown) of \(from.shown) is a symbolic link to "
            + "\(MessageFormat.quoted(bytes: text)), which does "
            + "not exist or leads back to itself: only a local directory can store it, not \(to.shown)")
      }
      return try target.makeLink(file.key, text)
    case .file: break
    }
    let began = fws_monotonic()
    let done: (Int64) -> Void = { [self] bytes in
      copied.append(CopiedFile(key: file.key, from: from, to: to, bytes: bytes, duration: fws_monotonic() - began))
    }
    switch (origin, destination) {
    case (.files(let source), .files(let target)):
      slices = try SliceCopy(file, source, target) { done($0) }
    case (.remote(let source), .files(let target)):
      let part = try PartFile(file.key, in: target)
      beginRemote(source)
      source.fetch(file, into: part.fd) { [self] answer in
        isBusy = false
        do throws(StepFailure) {
          let file = try answer.get()
          try part.publish(size: file.size, mode: file.mode)
          done(file.size)
        } catch { failure = error }
      }
    case (.files(let source), .remote(let target)):
      let (content, facts) = try source.read(file.key)
      beginRemote(target)
      target.store(VolumeFile(key: file.key, size: facts.size, mode: facts.mode), from: content.number) {
        [self] failure in
        isBusy = false
        self.failure = failure ?? source.change(of: content, since: facts, file.key)
        if self.failure == nil { done(facts.size) }
      }
    case (.remote, .remote):
      // This cannot happen, because workers run on local copies, and their outputs are copied from there.
      throw StepFailure(volume: "the key \(file.key.shown) cannot be copied from one remote volume to another")
    }
  }

  private func makeFolder(_ key: VolumeKey, _ volume: Volumes.Volume) throws(StepFailure) {
    switch volume {
    case .files(let files): try files.makeFolder(key)
    case .remote(let remote):
      beginRemote(remote)
      remote.makeFolder(key) { [self] failure in
        isBusy = false
        self.failure = failure
      }
    }
  }
}

extension FileVolume {
  /// The failure for a file that has changed while it was read; `nil` if it has not.
  func change(of file: Descriptor, since facts: fws_file, _ key: VolumeKey) -> StepFailure? {
    var now = fws_file()
    let error = fws_file_facts(file.number, &now)
    if error == 0, now.size == facts.size, now.changed == facts.changed { return nil }
    return StepFailure(
      volume: "the key \(key.shown) of \(location.shown) changed while it was copied: a process is still "
        + "writing to it")
  }
}

/// A copy of a file from one local directory to another, piece by piece.
private final class SliceCopy {
  private let key: VolumeKey
  private let source: FileVolume
  private let target: FileVolume
  private let content: Descriptor
  private let facts: fws_file
  private let part: PartFile?
  private let done: (Int64) -> Void
  private var offset: Int64 = 0

  /// The number of bytes that are copied at once. A disk needs some milliseconds for them.
  private static let piece = 4 << 20

  init(_ file: VolumeFile, _ source: FileVolume, _ target: FileVolume, _ done: @escaping (Int64) -> Void)
    throws(StepFailure)
  {
    key = file.key
    self.source = source
    self.target = target
    self.done = done
    (content, facts) = try source.read(file.key)
    let part = try PartFile(file.key, in: target)
    // Two volumes may be the same directory, by their paths or by links. The file is then already there.
    self.part = part.isSameFile(as: facts) ? nil : part
    if let part = self.part, facts.size > 0, fws_clone(content.number, part.fd) { offset = facts.size }
  }

  /// Copies the next piece. Returns true when the copy is complete and has its name.
  func advance() throws(StepFailure) -> Bool {
    guard let part else { return true }
    if offset < facts.size {
      let count = fws_copy_piece(content.number, offset, part.fd, min(SliceCopy.piece, Int(facts.size - offset)))
      if count < 0 {
        throw StepFailure(
          volume: "the key \(key.shown) cannot be copied from \(source.location.shown) to \(target.location.shown)",
          errno)
      }
      offset += Int64(count)
      if count > 0 { return false }
    }
    if let change = source.change(of: content, since: facts, key) { throw change }
    try part.publish(size: facts.size, mode: facts.mode)
    done(facts.size)
    return true
  }
}
