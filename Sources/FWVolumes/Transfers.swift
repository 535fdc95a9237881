internal import CSystem
package import FWBase
package import FWModel
package import FWSystem
internal import Glibc

/// Does what has to be done with the files of volumes, one thing after the other and never waiting, until all is done or
/// something fails.
package final class Transfers {
  private enum Task {
    /// Finds which of the volumes has a key that nobody has listed, and copies it.
    case search(VolumeKey, in: [Location], to: FileVolume)
    /// Copies what a key stands for.
    case copy(FileIndex.Match, from: Location, to: Location)
    case file(VolumeFile, from: Location, to: Location)
    /// Makes the folders of a step's outputs, and looks at what there is of these.
    case watch(OutputWatch)
    /// Waits until a change of an output can be seen.
    case settle(OutputWatch)
  }

  private let volumes: Volumes
  package private(set) var index: FileIndex
  /// The next is the last.
  private var tasks: [Task] = []
  private var slices: SliceCopy?
  private var remote: (any RemoteVolume)?
  private var isBusy = false
  private var failure: StepFailure?
  /// Readable at any time: a file of this machine is copied piece by piece, and the host runs in between.
  private var readyFD: Descriptor?
  /// Until the clock of a file system has gone on.
  private var pause: Timer?
  private(set) var copied: [CopiedFile] = []

  package init(_ volumes: Volumes, _ index: FileIndex) {
    self.volumes = volumes
    self.index = index
  }

  deinit { remote?.drop() }

  // MARK: What is to be done

  /// Makes inputs available where a worker runs, and looks at what there is of its outputs.
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
      // What is listed for this volume is looked at as well: a listing may be old.
      if !matches.isEmpty, matches.allSatisfy({ $0.locations.contains(volume.location) }) {
        tasks.append(.search(input, in: [volume.location], to: volume))
      }
    }
    tasks += watches.map { .watch($0) }
    self.tasks = tasks.reversed()
  }

  /// Copies what a step has made to the volume that it belongs to.
  package func deliver(_ keys: [VolumeKey], from volume: FileVolume, to location: Location) {
    tasks = keys.reversed().map {
      .copy(FileIndex.Match(key: $0, locations: [volume.location]), from: volume.location, to: location)
    }
  }

  package func takeCopied() -> [CopiedFile] {
    defer { copied = [] }
    return copied
  }

  // MARK: Doing it

  /// What it waits for.
  package var waiting: Waiting {
    if isBusy, let remote { return Waiting(channel: remote.fd) }
    if let pause { return Waiting(channel: pause.fd) }
    if readyFD == nil {
      let fd = fws_readable()
      if fd >= 0 { readyFD = Descriptor(fd) }
    }
    return Waiting(channel: readyFD?.number ?? fws_fd.lost)
  }

  /// Gives the end of all, once: `nil` inside is success.
  package func advance() -> StepFailure?? {
    remote?.advance()
    do throws(StepFailure) {
      // Large files are left to the next poll; of small ones there may be many.
      let end = fws_monotonic() + 0.005
      repeat {
        if let failure { throw failure }
        if isBusy { return nil }
        if let pause {
          guard pause.isOver else { return nil }
          self.pause = nil
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
      pause = try Timer(seconds)
      tasks.append(task)
    case .search(let key, let names, let volume): try search(key, names, volume)
    case .copy(let match, let from, let to): try copy(match, from, to)
    case .file(let file, let from, let to): try copy(file, from, to)
    }
  }

  private func search(_ key: VolumeKey, _ locations: [Location], _ volume: FileVolume) throws(StepFailure) {
    guard let location = locations.first else { throw missing(key, volume) }
    let found: (VolumeKey?) -> Void = { [self] there in
      guard let there else { return tasks.append(.search(key, in: Array(locations.dropFirst()), to: volume)) }
      index.add(there, in: location)
      guard location != volume.location, let match = index.matches(there).first else { return }
      tasks.append(.copy(match, from: location, to: volume.location))
    }
    switch try volumes.volume(location) {
    case .files(let files):
      switch try files.look(key) {
      case .nothing: found(nil)
      case .file, .other: found(key)
      case .folder: found(key.folder)
      case .dangling(let text): throw files.dangling(key, text)
      }
    case .remote(let volume):
      ask(volume)
      volume.find(key) { [self] answer in
        isBusy = false
        switch answer {
        case .success(let files): found(files.first.map { $0.isFolder ? key.folder : key })
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

  private func ask(_ volume: any RemoteVolume) {
    remote = volume
    isBusy = true
  }

  private func copy(_ match: FileIndex.Match, _ from: Location, _ to: Location) throws(StepFailure) {
    let listed: ([VolumeFile]) -> StepFailure? = { [self] files in
      guard let first = files.first else {
        let what = match.key.namesFolder ? "folder" : "file or folder"
        return StepFailure(
          .inputMissing, "its input \(match.key.shown) is missing: \(from.shown) has no such \(what)")
      }
      index.add(first.isFolder ? FileIndex.Match(key: match.key.folder, locations: match.locations) : match, in: to)
      // What is listed by itself has a version of its own, which may be elsewhere.
      var own = files.filter { index.entry(for: $0.key) == match.key.path }
      // What is in a folder makes it, too.
      if first.isFolder, own.count > 1 { own.removeFirst() }
      tasks += own.reversed().map { .file($0, from: from, to: to) }
      return nil
    }
    switch try volumes.volume(from) {
    case .files(let volume):
      if let failure = listed(try volume.files(match.key)) { throw failure }
    case .remote(let volume):
      ask(volume)
      volume.find(match.key) { [self] answer in
        isBusy = false
        switch answer {
        case .success(let files): failure = listed(files)
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
      ask(source)
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
      ask(target)
      target.store(VolumeFile(key: file.key, size: facts.size, mode: facts.mode), from: content.number) {
        [self] failure in
        isBusy = false
        self.failure = failure ?? source.change(of: content, since: facts, file.key)
        if self.failure == nil { done(facts.size) }
      }
    case (.remote, .remote):
      // Workers run on copies in this machine, and what they make comes from there.
      throw StepFailure(volume: "the key \(file.key.shown) cannot be copied from one remote volume to another")
    }
  }

  private func makeFolder(_ key: VolumeKey, _ volume: Volumes.Volume) throws(StepFailure) {
    switch volume {
    case .files(let files): try files.makeFolder(key)
    case .remote(let remote):
      ask(remote)
      remote.makeFolder(key) { [self] failure in
        isBusy = false
        self.failure = failure
      }
    }
  }
}

extension FileVolume {
  /// What has happened to a file while it was read, if anything has.
  func change(of file: Descriptor, since facts: fws_file, _ key: VolumeKey) -> StepFailure? {
    var now = fws_file()
    let error = fws_file_facts(file.number, &now)
    if error == 0, now.size == facts.size, now.changed == facts.changed { return nil }
    return StepFailure(
      volume: "the key \(key.shown) of \(location.shown) changed while it was copied: a process is still "
        + "writing to it")
  }
}

/// A copy from one directory of this machine to another, piece by piece.
private final class SliceCopy {
  private let key: VolumeKey
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
    throws(StepFailure)
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
  func advance() throws(StepFailure) -> Bool {
    guard let part else { return true }
    if at < facts.size {
      let count = fws_copy_piece(content.number, at, part.fd, min(SliceCopy.piece, Int(facts.size - at)))
      if count < 0 {
        throw StepFailure(
          volume: "the key \(key.shown) cannot be copied from \(source.location.shown) to \(target.location.shown)",
          errno)
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
