internal import CSystem
package import FWBase
package import FWModel
internal import FWSystem
internal import Glibc

/// Tells whether a step has made its outputs: what was there before the step, or was left by an attempt that failed, is no
/// output of the step unless the step has changed it.
///
/// A file is the same if its inode, its size and its two times are the same; no program can set the second one (ctime). A
/// folder has changed if anything in it has. A file system stamps all changes within one tick of its clock (some
/// milliseconds) alike, so a step does not begin in the tick in which one of its outputs has been changed: see `unsettled`.
package final class OutputWatch: AttemptOutputs {
  /// What there is of an output.
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
    /// Of all that is in it.
    var print: UInt64 = 0
    /// The latest change, by the file system's clock.
    var touched: Int64 = 0
  }

  package let volume: FileVolume
  package let outputs: [VolumeKey]
  /// Whether outputs may stay as they were.
  private let isKept: Bool
  private var states: [State] = []
  /// Whether they were there before the library made the folders.
  private var wereThere: [Bool] = []
  private var isRepeated = false
  /// Whether they are those of a workflow, for which no folders are made.
  private let isOfRun: Bool

  package init(_ outputs: [VolumeKey], in volume: FileVolume, isKept: Bool, isOfRun: Bool = false) {
    self.outputs = outputs
    self.volume = volume
    self.isKept = isKept
    self.isOfRun = isOfRun
  }

  /// Makes the folders of the outputs, and looks at what there is.
  func begin() throws(StepFailure) {
    if isOfRun { return look() }
    for output in outputs { wereThere.append((try? volume.state(output, isDeep: false))?.kind != .nothing) }
    var folders: Set<VolumeKey> = []
    for output in outputs {
      if let folder = output.namesFolder ? output : output.parent, folders.insert(folder).inserted {
        try volume.makeFolder(folder)
      }
    }
    look()
  }

  /// An attempt has failed, and there will be another one.
  package func beginAgain() {
    isRepeated = true
    look()
  }

  private func look() {
    // One of which nothing else is asked than to be there is not looked through. What cannot be looked at now, such as a link
    // that leads out of the volume, may be replaced by the step; if it is not, that is told behind the step.
    states = outputs.map { isKept ? State() : (try? volume.state($0, isDeep: true)) ?? State() }
  }

  /// Seconds to wait, because a change would have the same time as the last one; `nil`: there is nothing to wait for.
  package var unsettled: Double? {
    for (output, state) in zip(outputs, states) where state.touched > 0 {
      // A time of the future, after the clock was set back, is none that a change could get.
      if volume.clock(at: output) == state.touched { return 0.002 }
    }
    return nil
  }

  /// What a step that has succeeded has not made; `nil`: it has made all.
  package func missing() throws(StepFailure) -> StepFailure? {
    for (index, output) in outputs.enumerated()
    where states.indices.contains(index) && wereThere.indices.contains(index) {
      let now = try volume.state(output, isDeep: !isKept)
      if let reason = reason(output, states[index], now, wasThere: wereThere[index]) {
        return StepFailure(
          .outputMissing,
          "its output \(output.shown) is missing in \(volume.location.shown), though its commands succeeded: \(reason) "
            + "(\(MessageFormat.path(volume.path)))")
      }
    }
    return nil
  }

  private func reason(_ output: VolumeKey, _ before: State, _ now: State, wasThere: Bool) -> String? {
    switch now.kind {
    case .nothing: return output.namesFolder ? "there is no such folder" : "there is no such file or folder"
    case .dangling: return "it is a broken symbolic link"
    case .emptyFolder: return isKept && wasThere ? nil : "it is an empty folder"
    case .file, .folder: break
    }
    if isKept || now.print != before.print { return nil }
    return
      (isRepeated && !wasThere
      ? "it was left by a failed attempt" : "it existed before the step")
      + ", and the step did not change it (set \"kept\": true in the step's \"files\" to allow this)"
  }

  /// The outputs, in the form that says what they are.
  package func made() throws(StepFailure) -> [VolumeKey] {
    var keys: [VolumeKey] = []
    for output in outputs { keys.append(try volume.state(output, isDeep: false).isFolder ? output.folder : output) }
    return keys
  }

  // MARK: Those of a workflow

  /// What there was, for a run that goes on in another process.
  package var prints: [UInt64] { states.map(\.print) }

  package func resume(_ prints: [UInt64]) { states = prints.map { State(print: $0) } }

  /// Whether something has this key now, and whether that has been made or changed since.
  package func change(of key: VolumeKey) throws(StepFailure) -> (made: VolumeKey?, isThere: Bool) {
    let now = try volume.state(key, isDeep: true)
    guard now.kind == .file || now.kind == .folder else { return (nil, now.kind != .nothing) }
    let before = outputs.firstIndex(of: key).flatMap { states.indices.contains($0) ? states[$0] : nil }
    if let before, before.print == now.print { return (nil, true) }
    return (now.isFolder ? key.folder : key, true)
  }
}

extension FileVolume {
  /// What there is of an output.
  ///
  /// - Parameter isDeep: whether all that is in it is looked at; else only what it is.
  func state(_ key: VolumeKey, isDeep: Bool) throws(StepFailure) -> OutputWatch.State {
    var state = OutputWatch.State()
    switch try look(key) {
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
    // Making a link anew is a change, too.
    if isDeep, let link = open(key, Int32(FWS_LOOK) | O_NOFOLLOW) {
      let facts = try facts(of: link, key)
      if facts.kind == FileVolume.linkKind { state.add(key, facts) }
    }
    return state
  }

  /// A file system of a network asks the server for what it knows of a file when the file is opened.
  private func fresh(_ key: VolumeKey, _ facts: fws_file) throws(StepFailure) -> fws_file {
    guard facts.kind == FileVolume.fileKind, let file = open(key, O_RDONLY | O_NONBLOCK) else { return facts }
    return try self.facts(of: file, key)
  }

  private func addFolder(_ top: VolumeKey, _ facts: fws_file, to state: inout OutputWatch.State) throws(StepFailure) {
    state.kind = .emptyFolder
    var folders = [(key: top, facts: facts)]
    while let (folder, own) = folders.popLast() {
      guard let names = try? names(in: folder) else {
        // Another user's, who lets nobody in: its own times are all that is known of it.
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
          // Its times say only that something in it came or went.
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

  /// The time that the file system would give to a change now, in nanoseconds; `nil`: it cannot be asked.
  func clock(at key: VolumeKey) -> Int64? {
    let volume = key.namesFolder ? key : key.parent
    guard let folder = open(volume, Int32(FWS_LOOK) | O_DIRECTORY) else { return nil }
    var part = fws_part()
    guard fws_part_open(folder.number, &part) == 0 else { return nil }
    defer { fws_part_close(folder.number, &part) }
    // From Linux 6.13 on, a file that somebody has looked at gets a finer time with its next change, so that nothing waits.
    var facts = fws_file()
    guard fws_file_facts(part.fd, &facts) == 0, fchmod(part.fd, 0o600) == 0, fws_file_facts(part.fd, &facts) == 0 else {
      return nil
    }
    return facts.touched
  }
}

extension OutputWatch.State {
  /// Adds what is known of one name, in any order of names.
  mutating func add(_ key: VolumeKey, _ facts: fws_file) {
    // FNV-1a: the same in each process, as a state directory needs it.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func mix(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    for byte in key.path.bytes { mix(byte) }
    mix(0)
    mix(UInt8(bitPattern: facts.kind))
    for number in [facts.device, facts.inode]
      + [facts.size, facts.changed, facts.touched].map({ UInt64(bitPattern: $0) })
    {
      for shift in stride(from: UInt64(0), to: 64, by: 8) { mix(UInt8(truncatingIfNeeded: number >> shift)) }
    }
    print = print &+ hash
    touched = max(touched, facts.touched)
  }
}
