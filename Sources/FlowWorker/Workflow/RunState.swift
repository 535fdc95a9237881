internal import CSystem
internal import CJansson
internal import FWBase
internal import FWModel
internal import FWSystem
internal import FWVolumes
internal import Glibc

/// What a run leaves in its state directory, one file for each step that has ended well, so that another host can go on
/// where this one has died: the step as it was run, its files as they were, its result, and the value that its function gave.
///
/// A file has its name when it is complete, and not before. One that is damaged, or says something else than what is
/// there now, counts as none, and so do all behind it. One that the system does not let us read does, too, and that is told.
final class RunState {
  /// The part of the directory where copies of remote files go.
  let copies: String
  private let directory: FileVolume
  /// Locked as long as the run lasts, by the kernel.
  private let lock: Descriptor

  init(_ path: String) throws(FlowError) {
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

  private static func name(_ index: Int) -> VolumeKey { VolumeKey(inBase: Array("step-\(index + 1).json".utf8)) }

  // MARK: Writing

  /// Remembers a step. It has happened only when it is on the disk: a file system tells late of what it could not write.
  func record(_ index: Int, _ step: Signature, _ result: StepResult, _ value: JSONValue?, _ files: FileIndex)
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
      throw StepFailure(volume: "this process has closed the lock of \(directory.location.shown), which may be another run's by now")
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

  /// Remembers what there was of the workflow's own outputs before the first step.
  func record(_ outputs: [OutputWatch]) throws(StepFailure) {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("version", 1)
      writer.member("outputs") { writer in
        writer.array(outputs) { writer, watch in
          writer.array(watch.prints) { $0.string(String($1, radix: 16)) }
        }
      }
    }
    try write(writer.buffer(), RunState.beginningName)
  }

  /// In the order in which they were recorded; `nil`: nothing is known.
  func beginning() throws(StepFailure) -> [[UInt64]]? {
    guard let text = try content(RunState.beginningName), let json = try? JSONText.parse(text.bytes) else { return nil }
    return json.read { json in
      var outputs: [[UInt64]] = []
      json["outputs"]?.forEachElement { _, watch in
        var prints: [UInt64] = []
        watch.forEachElement { _, print in prints.append(print.string.flatMap { UInt64($0, radix: 16) } ?? 0) }
        outputs.append(prints)
      }
      return outputs
    }
  }

  /// Forgets a step and those behind it: of a record that is left, another run would believe what it says.
  func forget(from index: Int) throws(StepFailure) {
    var at = index
    while RunState.name(at).withCString({ fws_remove_file(directory.directory.number, $0) }) == 0 { at += 1 }
    if errno != ENOENT { throw directory.failure("the file", RunState.name(at), errno) }
  }

  // MARK: Reading

  /// A step that had ended.
  struct Record {
    let signature: JSONValue
    /// What its function gave.
    let value: JSONValue?
    let files: FileIndex
    let result: JSONValue
  }

  func read(_ index: Int) throws(StepFailure) -> Record? {
    guard let text = try content(RunState.name(index)), let json = try? JSONText.parse(text.bytes, allowingNUL: true) else { return nil }
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

  /// How often a read is tried again that fails for a moment.
  private static let tries = 20

  /// `nil`: there is none, or it is damaged.
  private func content(_ name: VolumeKey) throws(StepFailure) -> ByteBuffer? {
    if case .nothing = try directory.look(name) { return nil }
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

/// What has to be the same for a step that is not to be run again: what it runs, by which worker, and its files.
struct Signature {
  let text: String

  /// - Parameters:
  ///   - context: the values that the step may see.
  ///   - settings: of the run, with its secrets.
  init?(
    _ step: Step, _ worker: Worker, _ context: Context, rundir: String, _ volumes: Volumes, _ files: FileIndex,
    _ volume: FileVolume, _ settings: RunSettings
  ) {
    guard let path = try? CText(rundir), let plan = try? worker.plan(step, context, path, settings),
      let parsed = try? JSONText.parse(plan.bytes)
    else { return nil }
    // Default workers have new names each time, and what an engine or a scheduler is asked has the host's own label in it.
    for key in ["worker", "containers", "submission", "problem", "host"] { _ = parsed.read { json_object_del($0.raw, key) } }
    let values = step.type == .code ? context.snapshot.without(settings.secrets.names) : nil
    var isComplete = true
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("plan") { writer in parsed.read { writer.value($0) } }
      writer.member("image", step.image)
      writer.member("values") { writer in
        guard let values else { return writer.null() }
        values.read { writer.value($0) }
      }
      for (name, keys) in [("inputs", step.files.inputs), ("outputs", step.files.outputs)] {
        writer.member(key: name) { writer in
          writer.object { writer in
            for key in keys {
              writer.member(key: key.text) { isComplete = Signature.write(key, volumes, files, volume, to: &$0) && isComplete }
            }
          }
        }
      }
    }
    guard isComplete else { return nil }
    let buffer = writer.buffer()
    if buffer.isExhausted { return nil }
    // A secret may also have come by a reference, or be the name of a file.
    guard let whole = try? JSONText.parse(buffer.bytes),
      let shown = settings.secrets.masked(whole)?.read({ JSONText.compact($0) })
    else { return nil }
    text = shown.string
  }

  /// Size, identity and times of change of a file, or of all in a folder, where the worker has it and where it comes from.
  private static func write(
    _ key: VolumeKey, _ volumes: Volumes, _ files: FileIndex, _ volume: FileVolume, to writer: inout JSONWriter
  ) -> Bool {
    var found: [(volume: String, file: VolumeFile, facts: fws_file)] = []
    var locations = [volume.location]
    for location in files.matches(key).flatMap(\.locations) where !locations.contains(location) { locations.append(location) }
    var isThere = false
    for location in locations {
      guard case .files(let volume)? = try? volumes.volume(location), let inner = try? volume.files(key) else { continue }
      if location == volume.location { isThere = !inner.isEmpty }
      for file in inner {
        var facts = fws_file()
        if case .file = file.kind {
          guard let (_, read) = try? volume.read(file.key) else { return false }
          facts = read
        }
        found.append((location.volume, file, facts))
      }
    }
    found.sort {
      $0.volume.isSame(as: $1.volume) ? VolumeKey.precedes($0.file.key, $1.file.key) : $0.volume.utf8.lexicographicallyPrecedes($1.volume.utf8)
    }
    writer.array(found) { writer, entry in
      writer.object { writer in
        writer.member("volume", entry.volume)
        writer.member("key", entry.file.key.escaped)
        writer.member("size", Int(entry.file.size))
        writer.member("changed", Int(entry.facts.changed))
        // A file that another one has replaced may have its size and time: `cp -p`, `tar`, `rsync -t`.
        writer.member("touched", Int(entry.facts.touched))
        writer.member("inode", Int(truncatingIfNeeded: entry.facts.inode))
        writer.member("mode", Int(entry.file.mode))
      }
    }
    return isThere
  }

  func isSame(as other: JSONValue) -> Bool {
    var text = text
    let own = text.withUTF8 { try? JSONText.parse(UnsafeRawBufferPointer($0)) }
    return own?.read { own in other.read { json_equal(own.raw, $0.raw) == 1 } } ?? false
  }
}

extension StepResult {
  /// A result as a state directory has it; `nil`: it is none of a success.
  convenience init?(_ json: JSONRef, of step: Step, by worker: Worker) {
    guard json["returncode"]?.integer == 0, json["outcome"]?.string == "exited",
      json["step"]?.string?.isSame(as: step.cName.string) == true
    else { return nil }
    var pieces: [[String]] = [[], []]
    for (at, name) in ["stdout", "stderr"].enumerated() {
      json[name]?.forEachElement { _, piece in pieces[at].append(piece.string ?? "") }
    }
    var records: [CommandRecord] = []
    json["commands"]?.forEachElement { index, command in
      var end = CommandEnd(outcome: .exited, started: command["started"]?.number ?? 0)
      end.exitCode = 0
      end.duration = command["duration"]?.number ?? 0
      if let user = command["user_time"]?.number, let system = command["system_time"]?.number {
        let peak = command["peak_memory"]?.integer.flatMap { Int(exactly: $0) }
        end.usage = Usage(user: user, system: system, peakMemory: peak)
      }
      if step.type == .code {
        // One command, whose output may have any number of pieces.
        end.stdout = Output(pieces: pieces[0])
        end.stderr = Output(pieces: pieces[1])
        pieces = [[], []]
      }
      // Only commands that wrote have a piece.
      if command["stdout_bytes"]?.integer != 0, !pieces[0].isEmpty { end.stdout = Output(pieces[0].removeFirst()) }
      if command["stderr_bytes"]?.integer != 0, !pieces[1].isEmpty { end.stderr = Output(pieces[1].removeFirst()) }
      records.append(CommandRecord(index: index, command: command["command"]?.string ?? "", end))
    }
    let attempt = Attempt(
      step: step, commands: records, total: records.count, limit: "", engine: nil, on: worker.type, path: nil, Secrets.none)
    self.init(
      step: step, worker: worker.cName.string, worker.type, attempts: [], last: attempt, started: json["started"]?.number ?? 0,
      duration: json["duration"]?.number ?? 0)
  }
}
