internal import CSystem
internal import FWBase
internal import FWModel
internal import FWOutput
internal import FWSystem
internal import FWVolumes
internal import Glibc

/// The state directory of a run. It has one file for each step, or instance of a step, that has succeeded, so another
/// host can go on where this one has died: see `StepRecord`. `beginning.json` has what was there before the first step,
/// and `begun` names the steps that have begun, whether they ended or not.
///
/// A file gets its name when it is complete. A file that is damaged counts as missing. A file that cannot be read
/// counts as missing too, and the result of the run says so.
final class RunState {
  /// The folder in the directory that has the copies of remote files.
  let copies: String
  let path: String
  private let directory: FileVolume
  /// A file that the kernel locks as long as the run lasts.
  private let lock: Descriptor
  /// A file that is locked until no process of the run's commands is left. When a host dies its commands are ended, and
  /// until then they may still write files.
  let commands: Descriptor
  /// The first failure of the directory; `nil`: it has all of the run.
  private(set) var failure: StepFailure?
  /// The number of the next record.
  private var next = 1
  /// The list of steps that have begun, open for writing at its end.
  private var begun: Descriptor?

  init(_ path: String) throws(FlowError) {
    self.path = path
    do throws(StepFailure) {
      directory = try FileVolume(Location(stateDirectory: path), at: path, isMade: true)
    } catch { throw FlowError(.invalid, error.reason) }
    copies = path + "/copies"
    lock = try RunState.open("lock", in: directory, at: path)
    commands = try RunState.open("commands", in: directory, at: path)
    let error = fws_lock_file(lock.number)
    guard error == 0 else {
      let reason = error == EWOULDBLOCK ? "is in use by another run" : "cannot be locked: \(errorText(error))"
      throw FlowError(.invalid, "the state directory \(MessageFormat.path(path)) \(reason)")
    }
  }

  deinit {
    // All commands have ended. In a process that the host has forked, the lock is the host's.
    if !fws_is_forked(), commands.isOurs { flock(commands.number, LOCK_UN) }
  }

  private static func open(_ name: String, in directory: FileVolume, at path: String) throws(FlowError) -> Descriptor {
    let fd = fws_open_beneath(directory.directory.number, name, O_RDWR | O_CREAT, 0o600)
    guard fd >= 0 else {
      throw FlowError(.invalid, "the state directory \(MessageFormat.path(path)) cannot be used: \(errorText(errno))")
    }
    // A process that the host forks may outlive it.
    return Descriptor(fd, isClosedInForks: true)
  }

  /// Whether no command of an earlier run has a process any more. From then on this run has the lock.
  func isAlone() -> Bool { fws_lock_file(commands.number) != EWOULDBLOCK }

  /// Does something with the directory. A failure is recorded and does not end the run, because its work would be lost,
  /// but the result of the run is then a failure.
  @discardableResult
  func attempt<T>(_ body: (RunState) throws(StepFailure) -> T?) -> T? {
    do throws(StepFailure) { return try body(self) } catch {
      failure = failure ?? error
      return nil
    }
  }

  // MARK: Records

  private static let prefix = Array("step-".utf8)
  private static let suffix = Array(".json".utf8)

  private static func name(_ number: Int) -> VolumeKey { VolumeKey(inBase: Array("step-\(number).json".utf8)) }

  /// The number in the name of a record; `nil` if the name is none of a record.
  private static func number(_ name: [UInt8]) -> Int? {
    guard name.starts(with: prefix), name.suffix(suffix.count).elementsEqual(suffix),
      let number = Int(String(decoding: name.dropFirst(prefix.count).dropLast(suffix.count), as: UTF8.self)),
      number > 0, RunState.name(number).bytes == name
    else { return nil }
    return number
  }

  /// The records of earlier runs.
  struct Listing {
    fileprivate(set) var numbers: [StepIdentity: Int] = [:]
    /// The records that are damaged, cannot be read, or are of another version of the library.
    fileprivate(set) var useless: [Int] = []
  }

  func list() -> Listing {
    var listing = Listing()
    var numbers = (attempt { (state) throws(StepFailure) in try state.directory.names() } ?? []).compactMap(
      RunState.number)
    numbers.sort()
    var isForeign = false
    for number in numbers {
      let json = attempt { (state) throws(StepFailure) in try state.document(RunState.name(number)) }
      guard let json, let identity = json.read({ StepRecord.identity($0) }) else {
        if let version = json?.read({ $0["version"]?.integer }), version != Int64(StepRecord.version) {
          isForeign = true
        }
        listing.useless.append(number)
        continue
      }
      if let older = listing.numbers.updateValue(number, forKey: identity) { listing.useless.append(older) }
    }
    if isForeign {
      Log.write(
        .warning,
        "nothing is kept of the state directory \(MessageFormat.path(path)): another version of the library wrote it")
    }
    next = (numbers.last ?? 0) + 1
    return listing
  }

  func record(_ number: Int) -> StepRecord? {
    attempt { (state) throws(StepFailure) in try state.document(RunState.name(number)) }?.read { StepRecord($0) }
  }

  /// Saves a step that has succeeded. Gives its result, with a note if the step cannot be saved.
  ///
  /// - Parameters:
  ///   - task: the step, with what it was when it began.
  ///   - files: what the run knows of the places of files.
  func remember(
    _ result: StepResult, of task: WorkflowRun.StepTask, _ context: ContextValues, _ files: FileIndex,
    _ volumes: Volumes, _ secrets: Secrets
  ) -> StepResult {
    guard let memory = task.memory else { return result }
    let step = task.step
    let result = memory.note.map { result.noted($0) } ?? result
    var value: JSONValue?
    if let argument = step.code.argument {
      // An object that JSON cannot express would be another value when it is read, and no file may have a secret in it.
      if let object = result.last.commands.last?.end.object {
        return result.noted(
          "its value is \(MessageFormat.foreign(secrets.masked(object.kind))), which JSON cannot express: the state "
            + "directory cannot store the step, so another run will run it again")
      }
      if secrets.contains(argument) { return result }
      value = step.instance == nil ? context[argument].flatMap { JSONValue(keeping: $0) } : memory.given
      if value == nil { return result }
    }
    // A later run cannot mask what it reads, so a step whose values or file names have a secret in them is not saved.
    if let value, secrets.isIn(value) { return result }
    if let values = step.values, secrets.isIn(values) { return result }
    guard failure == nil,
      let signature = Signature(step, plan: memory.plan, memory.values, needs: memory.needs, secrets),
      let seen = SeenFiles(of: step, in: task.volume, volumes, files)
    else { return result }
    let places = StepRecord.places(of: step, in: task.volume.location, files)
    if (seen.keys + places.map(\.key)).contains(where: { secrets.isIn($0.text) }) { return result }
    let text = StepRecord.write(memory.identity, step, signature, seen, value, places, result)
    guard text.count <= RunState.largest else {
      return result.noted(
        "the state directory cannot store the step, so another run will run it again: its record would have more than "
          + "\(RunState.largest) bytes")
    }
    let number = next
    next += 1
    write(text, RunState.name(number))
    return result
  }

  /// Removes records, because a later run would believe what they say.
  func forget(_ numbers: [Int]) {
    if numbers.isEmpty { return }
    attempt { (state) throws(StepFailure) in
      for number in numbers {
        let name = RunState.name(number)
        let error = name.withCString { fws_remove_file(state.directory.directory.number, $0) }
        if error != 0, error != ENOENT { throw state.directory.failure("the file", name, error) }
      }
      // The records of steps that run again must not follow upon these, whatever happens to the machine.
      try state.directory.synchronize()
      return nil as Bool?
    }
  }

  // MARK: The beginning

  private static let beginningName = VolumeKey(inBase: Array("beginning.json".utf8))

  /// What was there before the first step.
  struct Beginning {
    /// The files that the run has under other keys. All steps are run again if one of them has changed.
    let sources: SeenFiles
    /// Where the run had files.
    let files: [StepRecord.KnownPlaces]
    /// The states of the outputs that no step declares.
    let outputs: [[UInt64]]
  }

  func begin(_ sources: [VolumeKey], in volume: FileVolume?, _ files: FileIndex, _ outputs: [OutputWatch]) {
    guard failure == nil else { return }
    var seen = SeenFiles()
    if let volume, let found = SeenFiles(sources, in: volume) { seen = found }
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("version", StepRecord.version)
      writer.member("sources") { seen.write(to: &$0) }
      writer.member("files") { writer in
        StepRecord.KnownPlaces.write(
          files.all.map { StepRecord.KnownPlaces(key: $0.key, locations: $0.locations, isMade: false) }, to: &writer)
      }
      writer.member("outputs") { writer in
        writer.array(outputs) { writer, watch in
          writer.array(watch.fingerprints) { $0.string(String($1, radix: 16)) }
        }
      }
    }
    write(writer.buffer(), RunState.beginningName)
  }

  /// What `begin` has saved; `nil` if nothing is known.
  func beginning() -> Beginning? {
    attempt { (state) throws(StepFailure) in try state.document(RunState.beginningName) }?.read { json in
      guard json["version"]?.integer == Int64(StepRecord.version),
        let sources = json["sources"].flatMap({ SeenFiles($0) }),
        let files = StepRecord.KnownPlaces.list(json["files"])
      else { return nil }
      var outputs: [[UInt64]] = []
      json["outputs"]?.forEachElement { _, watch in
        var fingerprints: [UInt64] = []
        watch.forEachElement { _, print in fingerprints.append(print.string.flatMap { UInt64($0, radix: 16) } ?? 0) }
        outputs.append(fingerprints)
      }
      return Beginning(sources: sources, files: files, outputs: outputs)
    }
  }

  // MARK: Steps that have begun

  private static let begunName = VolumeKey(inBase: Array("begun".utf8))

  /// The steps that earlier runs have begun, whether they ended or not. A line that a dying host has not completed is
  /// passed over.
  func begunSteps() -> Set<StepIdentity> {
    attempt { (state) throws(StepFailure) in
      guard let text = try state.content(RunState.begunName) else { return nil }
      let lines = String(decoding: text.bytes, as: UTF8.self).pieces(at: "\n", keepingEmpty: true)
      return Set(lines.dropLast().compactMap { StepIdentity(line: $0) })
    } ?? []
  }

  /// Begins the list anew, with the steps that have begun before and have not ended well.
  func setBegun(_ steps: Set<StepIdentity>) {
    if steps.isEmpty, begunSteps().isEmpty { return }
    var text = ByteBuffer()
    for step in steps { text.append(step.line + "\n") }
    write(text, RunState.begunName)
  }

  /// Notes that a step begins that changes files. The list is for the case that the host dies, and need not outlive the
  /// machine: without a line more steps are run again.
  func noteBegin(_ step: StepIdentity) {
    guard failure == nil else { return }
    attempt { (state) throws(StepFailure) in
      if state.begun == nil {
        let fd = RunState.begunName.withCString {
          fws_open_beneath(state.directory.directory.number, $0, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        }
        if fd < 0 { throw state.directory.failure("the file", RunState.begunName, errno) }
        state.begun = Descriptor(fd)
      }
      guard let begun = state.begun, begun.isOurs else { throw state.lockIsLost }
      var line = step.line + "\n"
      let written = line.withUTF8 { line in line.baseAddress.map { fws_write_file(begun.number, $0, line.count) } ?? 0 }
      if written < 0 { throw state.directory.failure("the file", RunState.begunName, errno) }
      return nil as Bool?
    }
  }

  // MARK: Files

  /// The most bytes of a file of the directory.
  private static let largest = 1 << 28

  private var lockIsLost: StepFailure {
    StepFailure(
      volume: "this process has closed the lock of \(directory.location.shown), which may be another run's by now")
  }

  /// Writes a file, and waits until it is on the disk: a file system reports late what it could not write.
  private func write(_ text: consuming ByteBuffer, _ name: VolumeKey) {
    do throws(StepFailure) { try publish(text, name) } catch { failure = failure ?? error }
  }

  private func publish(_ text: borrowing ByteBuffer, _ name: VolumeKey) throws(StepFailure) {
    guard lock.isOurs else { throw lockIsLost }
    if text.isExhausted { throw .noMemory }
    let part = try PartFile(name, in: directory)
    var done = 0
    while done < text.count {
      let rest = UnsafeRawBufferPointer(rebasing: text.bytes[done...])
      let count = rest.baseAddress.map { fws_write_file(part.fd, $0, rest.count) } ?? 0
      if count <= 0 { throw directory.failure("the file", name, count < 0 ? errno : ENOSPC) }
      done += count
    }
    let error = fws_synchronize(part.fd)
    if error != 0 { throw directory.failure("the file", name, error) }
    try part.publish(size: Int64(text.count), mode: 0o600)
  }

  /// The document in a file; `nil` if there is no such file, or if it is damaged.
  private func document(_ name: VolumeKey) throws(StepFailure) -> JSONValue? {
    guard let text = try content(name) else { return nil }
    return try? JSONText.parse(text.bytes, allowingNUL: true)
  }

  /// The most times that a read is tried which fails with an error that may pass.
  private static let tries = 20

  /// The content of a file; `nil` if there is no such file, or if it is damaged.
  private func content(_ name: VolumeKey) throws(StepFailure) -> ByteBuffer? {
    if case .nothing = try directory.lookUp(name) { return nil }
    let (file, facts) = try directory.read(name)
    guard let size = Int(exactly: facts.size), size <= RunState.largest else { return nil }
    var text = ByteBuffer()
    var failures = 0
    while text.count < size {
      guard let room = text.room(for: size - text.count) else { throw .noMemory }
      let count = Glibc.read(file.number, room, size - text.count)
      if count == 0 { return nil }
      if count < 0 {
        let error = errno
        failures += 1
        let passes = [EINTR, ENOMEM, EAGAIN].contains(error) && failures < RunState.tries
        if !passes { throw directory.failure("the file", name, error) }
        continue
      }
      text.commit(count)
    }
    return text
  }
}

extension Descriptor: HeldFile {}
