internal import FWExecution
internal import FWOutput
internal import CSystem
internal import CJansson
internal import FWBase
internal import FWModel
internal import FWSystem
internal import FWVolumes
internal import Glibc

/// The state directory of a run. It has one file for each step that has succeeded: the step as it was run, its files as
/// they were, its result, and the value that its function gave. So another host can go on where this one has died.
///
/// A file gets its name when it is complete. A file that is damaged, or does not describe what is there now, counts as
/// missing, and so do those of all later steps. A file that cannot be read counts as missing too, and the result of the
/// run says so.
final class RunState {
  /// The folder in the directory that has the copies of remote files.
  let copies: String
  let path: String
  private let directory: FileVolume
  /// The files that the run has under other keys. A step is run again if one of them has changed.
  let sources: [VolumeKey]
  /// A file that the kernel locks as long as the run lasts.
  private let lock: Descriptor
  /// The first failure of the directory; `nil`: it has all of the run.
  private(set) var failure: StepFailure?

  init(_ path: String, sources: [VolumeKey]) throws(FlowError) {
    self.sources = sources
    self.path = path
    do throws(StepFailure) {
      directory = try FileVolume(Location(stateDirectory: path), at: path, isMade: true)
    } catch { throw FlowError(.invalid, error.reason) }
    copies = path + "/copies"
    let fd = fws_open_beneath(directory.directory.number, "lock", O_RDWR | O_CREAT, 0o600)
    guard fd >= 0 else {
      throw FlowError(.invalid, "the state directory \(MessageFormat.path(path)) cannot be used: \(errorText(errno))")
    }
    lock = Descriptor(fd)
    guard flock(fd, LOCK_EX | LOCK_NB) == 0 else {
      let reason = errno == EWOULDBLOCK ? "is in use by another run" : "cannot be locked: \(errorText(errno))"
      throw FlowError(.invalid, "the state directory \(MessageFormat.path(path)) \(reason)")
    }
  }

  /// Does something with the directory. A failure is recorded and does not end the run, because its work would be lost,
  /// but the result of the run is then a failure.
  @discardableResult
  func attempt<T>(_ body: (RunState) throws(StepFailure) -> T?) -> T? {
    do throws(StepFailure) { return try body(self) } catch {
      failure = failure ?? error
      return nil
    }
  }

  private static func name(_ index: Int) -> VolumeKey { VolumeKey(inBase: Array("step-\(index + 1).json".utf8)) }

  // MARK: Writing

  /// Saves a step that has succeeded. Gives its result, with a note if a step of its kind cannot be saved.
  func remember(
    _ result: StepResult, of task: WorkflowRun.StepTask, _ context: ContextValues, _ files: FileIndex,
    _ volumes: Volumes, _ secrets: Secrets
  ) -> StepResult {
    guard let plan = task.plan else { return result }
    var value: JSONValue?
    if let argument = task.step.code.argument {
      // An object that JSON cannot express would be another value when it is read, and no file may have a secret in it.
      if let object = result.last.commands.last?.end.object {
        return result.noted(
          "its value is \(MessageFormat.foreign(secrets.masked(object.kind))), which JSON cannot express: the state "
            + "directory cannot store the step, so another run will run it again")
      }
      guard !secrets.contains(argument), let current = context[argument] else { return result }
      value = JSONValue(keeping: current)
    }
    // A later run cannot mask what it reads, so a step whose value or file names have a secret in them is not saved.
    if let value, secrets.isIn(value) { return result }
    if files.all.contains(where: { secrets.isIn($0.key.text) }) { return result }
    guard failure == nil,
      let signature = Signature(
        task.step, plan: plan.document, plan.values, volumes, files, task.volume, sources: sources, secrets)
    else { return result }
    attempt { (state) throws(StepFailure) in try state.record(task.place.index, signature, result, value, files) }
    return result
  }

  /// Writes the file of a step, and waits until it is on the disk: a file system reports late what it could not write.
  private func record(_ index: Int, _ step: Signature, _ result: StepResult, _ value: JSONValue?, _ files: FileIndex)
    throws(StepFailure)
  {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("version", 1)
      writer.member("signature") { $0.json(step.text) }
      writer.member("value") { writer in
        guard let value else { return writer.null() }
        value.read { writer.value($0) }
      }
      writer.member("files") { writer in
        let kept = files.all.map { ($0.key, $0.locations.filter { !$0.isLocalCopy }) }.filter { !$0.1.isEmpty }
        writer.array(kept) { writer, entry in
          writer.object { writer in
            writer.member("key", entry.0.text)
            writer.member("volumes") { writer in writer.array(entry.1) { $0.string($1.volume) } }
          }
        }
      }
      writer.member("result") { result.write(to: &$0) }
    }
    try write(writer.buffer(), RunState.name(index))
  }

  private func write(_ text: consuming ByteBuffer, _ name: VolumeKey) throws(StepFailure) {
    guard lock.isOurs else {
      throw StepFailure(
        volume: "this process has closed the lock of \(directory.location.shown), which may be another run's by now")
    }
    if text.isExhausted { throw .noMemory }
    let part = try PartFile(name, in: directory)
    var done = 0
    while done < text.count {
      let rest = UnsafeRawBufferPointer(rebasing: text.bytes[done...])
      let count = rest.baseAddress.map { fws_write_file(part.fd, $0, rest.count) } ?? 0
      if count < 0, errno == EINTR { continue }
      if count <= 0 { throw directory.failure("the file", name, count < 0 ? errno : ENOSPC) }
      done += count
    }
    while fsync(part.fd) < 0 {
      if errno != EINTR { throw directory.failure("the file", name, errno) }
    }
    try part.publish(size: Int64(text.count), mode: 0o600)
  }

  private static let beginningName = VolumeKey(inBase: Array("beginning.json".utf8))

  /// Saves the state, before the first step, of the outputs that no step declares.
  func record(_ outputs: [OutputWatch]) throws(StepFailure) {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("version", 1)
      writer.member("outputs") { writer in
        writer.array(outputs) { writer, watch in
          writer.array(watch.fingerprints) { $0.string(String($1, radix: 16)) }
        }
      }
    }
    try write(writer.buffer(), RunState.beginningName)
  }

  /// What `record` has saved, in the same order; `nil` if nothing is known.
  func beginning() throws(StepFailure) -> [[UInt64]]? {
    guard let text = try content(RunState.beginningName), let json = try? JSONText.parse(text.bytes) else { return nil }
    return json.read { json in
      var outputs: [[UInt64]] = []
      json["outputs"]?.forEachElement { _, watch in
        var fingerprints: [UInt64] = []
        watch.forEachElement { _, print in fingerprints.append(print.string.flatMap { UInt64($0, radix: 16) } ?? 0) }
        outputs.append(fingerprints)
      }
      return outputs
    }
  }

  /// Removes the files of a step and of all later ones, because another run would believe what they say.
  func forget(from index: Int) throws(StepFailure) {
    var at = index
    while RunState.name(at).withCString({ fws_remove_file(directory.directory.number, $0) }) == 0 { at += 1 }
    if errno != ENOENT { throw directory.failure("the file", RunState.name(at), errno) }
  }

  // MARK: Reading

  /// What the directory has of a step that has succeeded.
  struct Record {
    let signature: JSONValue
    /// The value that the step's function gave.
    let value: JSONValue?
    let files: FileIndex
    let result: JSONValue
  }

  func read(_ index: Int) throws(StepFailure) -> Record? {
    guard let text = try content(RunState.name(index)), let json = try? JSONText.parse(text.bytes, allowingNUL: true)
    else { return nil }
    return json.read { json in
      guard json["version"]?.integer == 1, let signature = json["signature"].flatMap({ JSONValue(keeping: $0) }),
        let result = json["result"].flatMap({ JSONValue(keeping: $0) })
      else { return nil }
      var files = FileIndex()
      json["files"]?.forEachElement { _, entry in
        guard let key = entry["key"]?.string.flatMap({ try? VolumeKey(checking: $0) }) else { return }
        entry["volumes"]?.forEachElement { _, volume in
          if let name = volume.string { files.add(key, in: Location(name)) }
        }
      }
      let value = json["value"].flatMap { JSONValue(keeping: $0) }
      return Record(signature: signature, value: value, files: files, result: result)
    }
  }

  /// The most times that a read is tried which fails with an error that may pass.
  private static let tries = 20

  /// The content of a file; `nil` if there is no such file, or if it is damaged.
  private func content(_ name: VolumeKey) throws(StepFailure) -> ByteBuffer? {
    if case .nothing = try directory.lookUp(name) { return nil }
    let (file, facts) = try directory.read(name)
    guard let size = Int(exactly: facts.size) else { return nil }
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

extension StepResult {
  /// Reads a result from a state directory; `nil` if it is not that of a success.
  ///
  /// - Parameter rundir: the directory of the step in this run.
  init?(_ json: JSONRef, of step: Step, by worker: Worker, rundir: String) {
    guard json["returncode"]?.integer == 0, json["outcome"]?.string == "exited",
      json["step"]?.string?.isSame(as: step.cName.string) == true
    else { return nil }
    var pieces: [[String]] = [[], []]
    for (at, name) in ["stdout", "stderr"].enumerated() {
      json.member(name)?.forEachElement { _, piece in pieces[at].append(piece.string ?? "") }
    }
    var records: [CommandRecord] = []
    json["commands"]?.forEachElement { index, command in
      var end = CommandEnd(outcome: .exited, started: command["started"]?.number ?? 0)
      let code = command["exit_code"]?.integer.flatMap { Int32(exactly: $0) } ?? 0
      end.exitCode = code
      end.duration = command["duration"]?.number ?? 0
      if let user = command["user_time"]?.number, let system = command["system_time"]?.number {
        let peak = command["peak_memory"]?.integer.flatMap { Int(exactly: $0) }
        end.usage = Usage(user: user, system: system, peakMemory: peak)
      }
      if step.type == .code {
        // A function is one command, whose output may have any number of pieces.
        end.stdout = Output(pieces: pieces[0])
        end.stderr = Output(pieces: pieces[1])
        pieces = [[], []]
      }
      // A command has a piece only if it has written something.
      if command["stdout_bytes"]?.integer != 0, !pieces[0].isEmpty { end.stdout = Output(pieces[0].removeFirst()) }
      if command["stderr_bytes"]?.integer != 0, !pieces[1].isEmpty { end.stderr = Output(pieces[1].removeFirst()) }
      // The whole step was a success, so this code was one.
      records.append(
        CommandRecord(index: index, command: command["command"]?.string ?? "", end, codes: ExitCodes([code])))
    }
    let attempt = Attempt(
      step: step, commands: records, total: records.count, limit: "", engine: nil, on: worker.type, path: nil,
      Secrets.none)
    self.init(
      step: step, worker: worker.cName.string, worker.type, rundir: rundir, attempts: [], last: attempt,
      started: json["started"]?.number ?? 0, duration: json["duration"]?.number ?? 0)
  }
}
