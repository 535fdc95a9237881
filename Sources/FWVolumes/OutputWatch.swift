internal import CSystem
package import FWBase
package import FWModel
internal import FWSystem
internal import Glibc

/// Tells whether a step has made its outputs. A file that existed before the step, or was left by a failed attempt, is
/// an output of the step only if the step has changed it.
///
/// A file is unchanged if its inode, its size and its two times are unchanged; no program can set the second time
/// (ctime). A folder has changed if anything in it has. A file system gives all changes within one tick of its clock
/// (some milliseconds) the same time, so a step does not begin in the tick in which one of its outputs was changed: see
/// `unsettled`.
package final class OutputWatch: AttemptOutputs {
  /// The state of an output at one time.
  struct State: Equatable {
    enum Kind {
      case nothing
      case file
      case folder
      case emptyFolder
      case dangling
    }

    var kind = Kind.nothing
    var isFolder: Bool { kind == .folder || kind == .emptyFolder }
    /// A hash over the facts of the file, or of everything in the folder.
    var fingerprint: UInt64 = 0
    /// The time of the latest change, by the file system's clock.
    var touched: Int64 = 0
  }

  package let volume: FileVolume
  package let outputs: [VolumeKey]
  /// Whether the step may leave outputs unchanged.
  private let isKept: Bool
  private var states: [State] = []
  /// Whether each output existed before the library created the folders.
  private var existed: [Bool] = []
  private var isRepeated = false
  /// Whether the outputs are those of a workflow, for which no folders are created.
  private let isOfRun: Bool

  package init(_ outputs: [VolumeKey], in volume: FileVolume, isKept: Bool, isOfRun: Bool = false) {
    self.outputs = outputs
    self.volume = volume
    self.isKept = isKept
    self.isOfRun = isOfRun
  }

  /// Creates the folders of the outputs, and records the state of the outputs.
  func begin() throws(StepFailure) {
    if isOfRun { return recordStates() }
    for output in outputs { existed.append((try? volume.state(output, isDeep: false))?.kind != .nothing) }
    var folders: Set<VolumeKey> = []
    for output in outputs {
      if let folder = output.namesFolder ? output : output.parent, folders.insert(folder).inserted {
        try volume.makeFolder(folder)
      }
    }
    recordStates()
  }

  /// Records the state of the outputs anew, after a failed attempt that will be repeated.
  package func beginAgain() {
    isRepeated = true
    recordStates()
  }

  private func recordStates() {
    // An output that only has to exist is not examined. An output that cannot be examined now, such as a link that
    // leads out of the volume, may be replaced by the step; otherwise it is reported after the step.
    states = outputs.map { isKept ? State() : (try? volume.state($0, isDeep: true)) ?? State() }
  }

  /// The number of seconds to wait, because a change now would get the same time as the last one; `nil` if no wait is
  /// needed.
  package var unsettled: Double? {
    for (output, state) in zip(outputs, states) where state.touched > 0 {
      // A time in the future, which exists after the clock was set back, cannot be given to a new change.
      if volume.clock(at: output) == state.touched { return 0.002 }
    }
    return nil
  }

  /// The failure for an output that a successful step has not made; `nil` if it has made all.
  package func missing() throws(StepFailure) -> StepFailure? {
    for (index, output) in outputs.enumerated()
    where states.indices.contains(index) && existed.indices.contains(index) {
      let now = try volume.state(output, isDeep: !isKept)
      if let reason = reason(output, states[index], now, existedBefore: existed[index]) {
        return StepFailure(
          .outputMissing,
          "its output \(output.shown) is missing in \(volume.location.shown), though its commands succeeded: \(reason) "
            + "(\(MessageFormat.path(volume.path)))")
      }
    }
    return nil
  }

  private func reason(_ output: VolumeKey, _ before: State, _ now: State, existedBefore: Bool) -> String? {
    switch now.kind {
    case .nothing: return output.namesFolder ? "there is no such folder" : "there is no such file or folder"
    case .dangling: return "it is a broken symbolic link"
    case .emptyFolder: return isKept && existedBefore ? nil : "it is an empty folder"
    case .file, .folder: break
    }
    if isKept || now.fingerprint != before.fingerprint { return nil }
    return
      (isRepeated && !existedBefore
      ? "it was left by a failed attempt" : "it existed before the step")
      + ", and the step did not change it (set \"kept\": true in the step's \"files\" to allow this)"
  }

  /// The keys of the outputs. The key of a folder ends with a `/`.
  package func made() throws(StepFailure) -> [VolumeKey] {
    var keys: [VolumeKey] = []
    for output in outputs { keys.append(try volume.state(output, isDeep: false).isFolder ? output.folder : output) }
    return keys
  }

  // MARK: The outputs of a workflow

  /// The hashes of the recorded states, for a run that is resumed in another process.
  package var fingerprints: [UInt64] { states.map(\.fingerprint) }

  package func resume(_ fingerprints: [UInt64]) { states = fingerprints.map { State(fingerprint: $0) } }

  /// Whether a file or folder has this key now, and its key if it was made or changed since the recorded state.
  package func change(of key: VolumeKey) throws(StepFailure) -> (made: VolumeKey?, isThere: Bool) {
    let now = try volume.state(key, isDeep: true)
    guard now.kind == .file || now.kind == .folder else { return (nil, now.kind != .nothing) }
    let before = outputs.firstIndex(of: key).flatMap { states.indices.contains($0) ? states[$0] : nil }
    if let before, before.fingerprint == now.fingerprint { return (nil, true) }
    return (now.isFolder ? key.folder : key, true)
  }
}

extension FileVolume {
  /// The state of an output now.
  ///
  /// - Parameter isDeep: whether everything in the output is examined; otherwise only its kind is determined.
  func state(_ key: VolumeKey, isDeep: Bool) throws(StepFailure) -> OutputWatch.State {
    var state = OutputWatch.State()
    switch try lookUp(key) {
    case .nothing: return state
    case .dangling: state.kind = .dangling
    case .file(let facts), .other(let facts):
      state.kind = .file
      if isDeep { state.add(key, try fresh(key, facts)) }
    case .folder(let facts):
      if !isDeep {
        state.kind = (try? names(in: key))?.isEmpty == true ? .emptyFolder : .folder
      } else {
        try addFolder(key, facts, to: &state)
      }
    }
    // A link that was created anew counts as a change too.
    if isDeep, let link = open(key, Int32(FWS_LOOK) | O_NOFOLLOW) {
      let facts = try facts(of: link, key)
      if facts.kind == FileVolume.linkKind { state.add(key, facts) }
    }
    return state
  }

  /// The facts of a file after opening it, because a network file system asks the server for current facts only when
  /// the file is opened.
  private func fresh(_ key: VolumeKey, _ facts: fws_file) throws(StepFailure) -> fws_file {
    guard facts.kind == FileVolume.fileKind, let file = open(key, O_RDONLY | O_NONBLOCK) else { return facts }
    return try self.facts(of: file, key)
  }

  private func addFolder(_ top: VolumeKey, _ facts: fws_file, to state: inout OutputWatch.State) throws(StepFailure) {
    state.kind = .emptyFolder
    var folders = [(key: top, facts: facts)]
    while let (folder, own) = folders.popLast() {
      guard let names = try? names(in: folder) else {
        // The folder belongs to another user and cannot be read. Only its own times are known.
        state.kind = .folder
        state.add(folder, own)
        continue
      }
      for name in names {
        state.kind = .folder
        let key = folder.appending(name)
        guard let file = open(key, Int32(FWS_LOOK) | O_NOFOLLOW) else { continue }
        let facts = try self.facts(of: file, key)
        if facts.kind == FileVolume.directoryKind {
          // The times of a folder only say that an entry was added or removed.
          var own = facts
          (own.size, own.changed, own.touched) = (0, 0, 0)
          state.add(key, own)
          folders.append((key, facts))
          continue
        }
        state.add(key, facts)
        if facts.kind == FileVolume.linkKind, let target = open(key, Int32(FWS_LOOK)) {
          state.add(key, try self.facts(of: target, key))
        }
      }
    }
  }

  /// The time that the file system would give to a change now, in nanoseconds; `nil` if it cannot be determined.
  func clock(at key: VolumeKey) -> Int64? {
    let volume = key.namesFolder ? key : key.parent
    guard let folder = open(volume, Int32(FWS_LOOK) | O_DIRECTORY) else { return nil }
    var part = fws_part()
    guard fws_part_open(folder.number, &part) == 0 else { return nil }
    defer { fws_part_close(folder.number, &part) }
    // From Linux 6.13 on, the next change of a file whose times were read gets a finer time, so no wait is needed.
    var facts = fws_file()
    guard fws_file_facts(part.fd, &facts) == 0, fchmod(part.fd, 0o600) == 0, fws_file_facts(part.fd, &facts) == 0 else {
      return nil
    }
    return facts.touched
  }
}

extension OutputWatch.State {
  /// Adds the facts of one name. The order of the names does not matter.
  mutating func add(_ key: VolumeKey, _ facts: fws_file) {
    var hash = StableHash()
    hash.add(key.path.bytes)
    hash.add(0 as UInt8)
    hash.add(UInt8(bitPattern: facts.kind))
    for number in [facts.device, facts.inode] { hash.add(number) }
    for number in [facts.size, facts.changed, facts.touched] { hash.add(UInt64(bitPattern: number)) }
    fingerprint = fingerprint &+ hash.value
    touched = max(touched, facts.touched)
  }
}
