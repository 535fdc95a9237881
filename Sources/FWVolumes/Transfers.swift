internal import CSystem
package import FWBase
package import FWModel
package import FWSystem
internal import Glibc

/// Copies and examines the files of volumes without waiting, until all is done or a task fails.
///
/// The tasks begin in the order of the list, and each sees what the tasks before it have done. Files on their way to or
/// from a remote volume are the only ones that do not have to wait for each other: as many of them are in flight as the
/// volume likes. If one of them fails, nothing more begins, and those before it in the list may end. The failure that
/// is reported is therefore always that of the first file in the list, and it is reported no later than if the files
/// had been copied one by one.
package final class Transfers {
  private enum Task {
    /// Finds a volume that has a key without an entry in the index, and copies the key.
    case search(VolumeKey, in: [Location], to: FileVolume)
    /// Checks that the volume of a worker has a key as the index says.
    case check(VolumeKey, in: FileVolume)
    /// Copies everything that a key covers.
    case copy(FileIndex.Match, from: Location, to: Location)
    case file(VolumeFile, from: Location, to: Location)
    /// Notes that a volume has a key, when everything that the key covers is there.
    case arrival(VolumeKey, at: Location)
    /// Creates the folders of a step's outputs, and records the state of the outputs.
    case watch(OutputWatch)
    /// Waits until a change of an output would be visible in its times.
    case settle(OutputWatch)
  }

  /// A file or folder on its way to or from a remote volume.
  private final class Passage {
    let key: VolumeKey
    /// Ends the work on this machine, and describes the copy; `nil` for a folder.
    let complete: (VolumeFile) throws(StepFailure) -> CopiedFile?
    var end: Result<VolumeFile, StepFailure>?

    init(_ key: VolumeKey, _ complete: @escaping (VolumeFile) throws(StepFailure) -> CopiedFile?) {
      self.key = key
      self.complete = complete
    }
  }

  /// What a key names in a remote volume, which is asked before it is needed.
  private struct Question: Hashable {
    let key: VolumeKey
    let location: Location
  }

  private final class Answer {
    var files: Result<[VolumeFile], StepFailure>?
  }

  private let volumes: Volumes
  private let known: KnownFiles
  /// The tasks that have not begun. The last element is the next task.
  private var tasks: [Task] = []
  /// The number of tasks at the beginning of `tasks` whose questions have not been asked ahead.
  private var unasked = 0
  /// The files in flight, in the order of the list.
  private var passages: [Passage] = []
  /// The keys that a volume will have when some of the files in flight have arrived.
  private var arrivals: [(key: VolumeKey, location: Location)] = []
  private var answers: [Question: Answer] = [:]
  private var slices: (copy: SliceCopy, done: (Int64) -> CopiedFile)?
  /// The volume that has operations in flight. Another volume is used when they have ended, so that there is one
  /// descriptor to wait for.
  private var remote: (any RemoteVolume)?
  /// Whether nothing can be done until the volume reports something.
  private var isWaiting = false
  /// The failure of the task that comes right after the files in flight.
  private var failure: StepFailure?
  /// Whether only what the ended operations have left is still being removed.
  package private(set) var isStopped = false
  /// A descriptor that is always readable. A local file is copied piece by piece, and the host runs in between.
  private var readyFD: Descriptor?
  /// The timer that waits for the next tick of a file system's clock.
  private var tickTimer: Timer?
  private(set) var copied: [CopiedFile] = []

  package init(_ volumes: Volumes, _ known: KnownFiles) {
    self.volumes = volumes
    self.known = known
  }

  deinit { remote?.drop() }

  // MARK: Tasks

  /// Makes inputs available to a worker, and records the state of its outputs.
  package func prepare(_ volume: FileVolume, inputs: [VolumeKey], _ watches: [OutputWatch]) {
    var tasks: [Task] = []
    for input in inputs {
      let matches = known.files.matches(input)
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
        tasks.append(.check(input, in: volume))
      }
    }
    tasks += watches.map { .watch($0) }
    begin(with: tasks)
  }

  /// Copies the outputs of a step to the volume that they belong to.
  package func deliver(_ keys: [VolumeKey], from volume: FileVolume, to location: Location) {
    begin(
      with: keys.map {
        .copy(FileIndex.Match(key: $0, locations: [volume.location]), from: volume.location, to: location)
      })
  }

  /// Whether these transfers are the only ones of their run that copy files.
  package var isExclusive = false

  /// Whether a file may be copied. If not, the transfers only look at files that are where they are needed.
  package var mayCopy: Bool {
    tasks.contains { task in
      switch task {
      case .search(_, let locations, _): return locations.count > 1
      case .copy, .file: return true
      case .arrival, .check, .watch, .settle: return false
      }
    }
  }

  private func begin(with list: [Task]) {
    tasks = list.reversed()
    unasked = tasks.count
  }

  package func takeCopied() -> [CopiedFile] {
    defer { copied = [] }
    return copied
  }

  // MARK: Running the tasks

  /// The descriptors to wait for.
  package var waiting: Waiting {
    if isWaiting, let remote { return Waiting(channel: remote.fd) }
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
    isWaiting = false
    // A call works for five milliseconds: this is enough for many small files, and large files continue in the next
    // call.
    let end = fws_monotonic() + 0.005
    repeat {
      takeEnds()
      if !passages.isEmpty, failure != nil || (tasks.isEmpty && slices == nil) {
        isWaiting = true
        return nil
      }
      if failure != nil || (tasks.isEmpty && slices == nil) {
        stop(failure)
        isWaiting = remote?.isClearing == true
        return isWaiting ? nil : .some(failure)
      }
      if let tickTimer {
        guard tickTimer.isOver else { return nil }
        self.tickTimer = nil
      }
      do throws(StepFailure) {
        if let slices {
          guard try slices.copy.advance() else { continue }
          if let size = slices.copy.size { copied.append(slices.done(size)) }
          self.slices = nil
        } else if let task = tasks.popLast() {
          unasked = min(unasked, tasks.count)
          isWaiting = try !begin(task)
          if isWaiting { tasks.append(task) }
          askAhead()
          if isWaiting { return nil }
        }
      } catch { fail(error, after: passages.count) }
    } while fws_monotonic() < end
    return nil
  }

  /// Ends everything that has begun. `advance` reports the reason as the end, when nothing is left of it.
  package func stop(_ reason: StepFailure?) {
    if isStopped { return }
    isStopped = true
    failure = reason
    remote?.drop()
    passages = []
    arrivals = []
    answers = [:]
    slices = nil
    tasks = []
  }

  /// Begins nothing more. Only the first files in flight may still end, of which there are `count`.
  private func fail(_ reason: StepFailure, after count: Int) {
    failure = reason
    passages.removeSubrange(count...)
    arrivals = []
    slices = nil
    tasks = []
  }

  /// Takes the ends of the files that were in flight.
  private func takeEnds() {
    var at = 0
    while at < passages.count {
      guard let end = passages[at].end else {
        at += 1
        continue
      }
      do throws(StepFailure) {
        if let file = try passages[at].complete(try end.get()) { copied.append(file) }
        passages.remove(at: at)
      } catch { fail(error, after: at) }
    }
    arrivals.removeAll { arrival in
      if isInFlight(arrival.key) { return false }
      known.files.add(arrival.key, in: arrival.location)
      return true
    }
  }

  /// Whether a file or folder is in flight that has this key, or is in it, or has it inside.
  private func isInFlight(_ key: VolumeKey) -> Bool {
    passages.contains { $0.key.path == key.path || $0.key.isInside(key) || key.isInside($0.key) }
  }

  /// Whether an operation of a volume can begin now. If it can, the volume is the one that is waited for.
  private func isFree(_ volume: any RemoteVolume) -> Bool {
    let count = passages.count + answers.values.reduce(0) { $0 + ($1.files == nil ? 1 : 0) }
    if count == 0 { remote = volume }
    return remote === volume && count < volume.width
  }

  /// Begins a task. Returns false if it has to wait for something in flight.
  private func begin(_ task: Task) throws(StepFailure) -> Bool {
    switch task {
    case .watch(let watch):
      guard passages.isEmpty else { return false }
      try watch.begin()
      tasks.append(.settle(watch))
    case .settle(let watch):
      guard let seconds = watch.unsettled else { return true }
      tickTimer = try Timer(seconds)
      tasks.append(task)
    case .search(let key, let names, let volume): return try search(key, names, volume)
    case .check(let key, let volume):
      if isInFlight(key) { return false }
      guard let found = try find(key, in: volume) else { throw missing(key, volume) }
      known.files.confirm(found)
    case .copy(let match, let from, let to): return try copy(match, from, to)
    case .file(let file, let from, let to): return try copy(file, from, to)
    case .arrival(let key, let location): arrivals.append((key, location))
    }
    return true
  }

  // MARK: Questions

  /// What a key names in a volume; `nil` if the answer is not there yet.
  private func find(_ key: VolumeKey, in volume: any RemoteVolume, _ location: Location) throws(StepFailure)
    -> [VolumeFile]?
  {
    let question = Question(key: key, location: location)
    ask(question, volume)
    guard let files = answers[question]?.files else { return nil }
    answers[question] = nil
    return try files.get()
  }

  private func ask(_ question: Question, _ volume: any RemoteVolume) {
    guard answers[question] == nil, isFree(volume) else { return }
    let answer = Answer()
    answers[question] = answer
    volume.find(question.key) { answer.files = $0 }
  }

  /// Asks the questions of the next tasks. The answers are used when the tasks begin.
  private func askAhead() {
    while unasked > 0, let remote, tasks.count - unasked < remote.width, isFree(remote) {
      unasked -= 1
      guard let (key, location) = question(of: tasks[unasked]),
        case .remote(let volume)? = try? volumes.volume(location)
      else { continue }
      ask(Question(key: key, location: location), volume)
    }
  }

  /// What a task will ask, as far as that can be foreseen; `nil` if it asks nothing.
  private func question(of task: Task) -> (VolumeKey, Location)? {
    switch task {
    case .copy(let match, let from, _): return (match.key, from)
    case .search(let key, let locations, _):
      let location = locations.first {
        guard case .files(let files)? = try? volumes.volume($0), case .nothing? = try? files.lookUp(key) else {
          return true
        }
        return false
      }
      return location.map { (key, $0) }
    case .file, .arrival, .check, .watch, .settle: return nil
    }
  }

  private func search(_ input: VolumeKey, _ locations: [Location], _ volume: FileVolume) throws(StepFailure) -> Bool {
    guard let location = locations.first else { throw missing(input, volume) }
    if isInFlight(input) { return false }
    var found: VolumeKey?
    var files: [VolumeFile]?
    switch try volumes.volume(location) {
    case .files(let files): found = try find(input, in: files)
    case .remote(let volume):
      files = try find(input, in: volume, location)
      guard let files else { return false }
      found = files.first.map { $0.isFolder ? input.folder : input }
    }
    guard let found else {
      tasks.append(.search(input, in: Array(locations.dropFirst()), to: volume))
      return true
    }
    known.files.add(found, in: location)
    guard location != volume.location, let match = known.files.matches(found).first else { return true }
    if let files {
      let answer = Answer()
      answer.files = .success(files)
      answers[Question(key: match.key, location: location)] = answer
    }
    tasks.append(.copy(match, from: location, to: volume.location))
    return true
  }

  /// The key of a file or folder of a local directory; `nil` if there is none.
  private func find(_ input: VolumeKey, in volume: FileVolume) throws(StepFailure) -> VolumeKey? {
    switch try volume.lookUp(input) {
    case .nothing: return nil
    case .file, .other: return input
    case .folder: return input.folder
    case .dangling(let text): throw volume.dangling(input, text)
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

  private func copy(_ match: FileIndex.Match, _ from: Location, _ to: Location) throws(StepFailure) -> Bool {
    let files: [VolumeFile]
    switch try volumes.volume(from) {
    case .files(let volume): files = try volume.files(match.key)
    case .remote(let volume):
      guard let found = try find(match.key, in: volume, from) else { return false }
      files = found
    }
    guard let first = files.first else {
      let what = match.key.namesFolder ? "folder" : "file or folder"
      throw StepFailure(
        .inputMissing, "its input \(match.key.shown) is missing: \(from.shown) has no such \(what)")
    }
    let key = first.isFolder ? match.key.folder : match.key
    known.files.separate(FileIndex.Match(key: key, locations: match.locations))
    // A file with its own entry has its own latest version, which may be in another volume.
    var own = files.filter { known.files.entry(for: $0.key) == match.key.path }
    // A folder with content is created by copying its content.
    if first.isFolder, own.count > 1 { own.removeFirst() }
    tasks.append(.arrival(key, at: to))
    tasks += own.reversed().map { .file($0, from: from, to: to) }
    return true
  }

  // MARK: Files

  private func copy(_ file: VolumeFile, _ from: Location, _ to: Location) throws(StepFailure) -> Bool {
    if isInFlight(file.key) { return false }
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
      try target.makeLink(file.key, text)
      return true
    case .file: break
    }
    let began = fws_monotonic()
    let done: (Int64) -> CopiedFile = { bytes in
      CopiedFile(key: file.key, from: from, to: to, bytes: bytes, duration: fws_monotonic() - began)
    }
    switch (origin, destination) {
    case (.files(let source), .files(let target)):
      slices = (try SliceCopy((file.key, source), to: (file.key, target)), done)
    case (.remote(let source), .files(let target)):
      guard isFree(source) else { return false }
      let part = try PartFile(file.key, in: target)
      let passage = Passage(file.key) { (file) throws(StepFailure) in
        try part.publish(size: file.size, mode: file.mode)
        return done(file.size)
      }
      passages.append(passage)
      source.fetch(file, into: part.fd) { passage.end = $0 }
    case (.files(let source), .remote(let target)):
      guard isFree(target) else { return false }
      let (content, facts) = try source.read(file.key)
      let stored = VolumeFile(key: file.key, size: facts.size, mode: facts.mode)
      let passage = Passage(file.key) { (file) throws(StepFailure) in
        if let change = source.change(of: content, since: facts, file.key) { throw change }
        return done(file.size)
      }
      passages.append(passage)
      target.store(stored, from: content.number) { passage.end = $0.map { .failure($0) } ?? .success(stored) }
    case (.remote, .remote):
      // This cannot happen, because workers run on local copies, and their outputs are copied from there.
      throw StepFailure(volume: "the key \(file.key.shown) cannot be copied from one remote volume to another")
    }
    return true
  }

  private func makeFolder(_ key: VolumeKey, _ volume: Volumes.Volume) throws(StepFailure) -> Bool {
    switch volume {
    case .files(let files): try files.makeFolder(key)
    case .remote(let remote):
      guard isFree(remote) else { return false }
      let passage = Passage(key) { _ in nil }
      passages.append(passage)
      remote.makeFolder(key) { passage.end = $0.map { .failure($0) } ?? .success(.folder(key)) }
    }
    return true
  }
}
