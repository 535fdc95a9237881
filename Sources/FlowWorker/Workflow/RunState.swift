internal import CFlowShims
internal import CJansson
internal import Glibc

/// What a run leaves in its state directory, one file for each step that has ended well, so that another host can go on
/// where this one has died: the step as it was run, its files as they were, its result, and the value that its function gave.
///
/// A file has its name when it is complete, and not before. One that cannot be read, or says something else than what is
/// there now, counts as none, and so do all behind it.
final class RunState {
  /// The part of the directory where copies of remote files go.
  let copies: String
  private let directory: FileVolume
  /// Locked as long as the run lasts, by the kernel.
  private let lock: Descriptor

  init(_ path: String) throws(FlowError) {
    do throws(SpawnFailure) {
      directory = try FileVolume("state", at: path, isMade: true)
    } catch { throw FlowError(.invalid, "the state directory cannot be used: \(error.reason)") }
    copies = path + "/copies"
    let fd = fws_open_beneath(directory.directory.number, "lock", O_RDWR | O_CREAT, 0o600)
    guard fd >= 0 else {
      throw FlowError(.invalid, "the state directory \(Wording.path(path)) cannot be used: \(errorText(errno))")
    }
    lock = Descriptor(fd)
    guard flock(fd, LOCK_EX | LOCK_NB) == 0 else {
      throw FlowError(.invalid, "the state directory \(Wording.path(path)) is in use by another run")
    }
  }

  private static func name(_ index: Int) -> String { "step-\(index + 1).json" }

  // MARK: Writing

  /// Remembers a step. A directory that cannot be written to does not fail the run: it only starts earlier another time.
  func record(_ index: Int, _ step: Signature, _ result: StepResult, _ value: JSONValue?, _ files: FileIndex) {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("version", 1)
      writer.member("signature") { $0.json(step.text) }
      writer.member("value") { writer in
        guard let value else { return writer.null() }
        value.read { writer.value($0) }
      }
      writer.member("files") { writer in
        writer.array(files.entries.map { ($0.key, $0.volumes.filter { !$0.hasSuffix("\0copy") }) }.filter { !$0.1.isEmpty }) {
          writer, entry in
          writer.object { writer in
            writer.member("key", entry.0)
            writer.member("volumes") { writer in writer.array(entry.1) { $0.string($1) } }
          }
        }
      }
      writer.member("result") { result.write(to: &$0) }
    }
    let text = writer.buffer()
    // A host that has closed it has let go of the lock: the directory may be another run's by now.
    guard lock.isOurs else { return }
    guard !text.isExhausted, let part = try? PartFile(RunState.name(index), in: directory) else { return }
    var done = 0
    while done < text.count {
      let rest = UnsafeRawBufferPointer(rebasing: text.bytes[done...])
      guard let start = rest.baseAddress else { return }
      let count = fws_write_file(part.fd, start, rest.count)
      if count < 0, errno == EINTR { continue }
      if count <= 0 { return }
      done += count
    }
    try? part.publish(size: Int64(text.count), mode: 0o600)
  }

  /// Forgets a step and those behind it.
  func forget(from index: Int) {
    var at = index
    while fws_remove_file(directory.directory.number, RunState.name(at)) == 0 { at += 1 }
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

  func read(_ index: Int) -> Record? {
    guard let text = content(RunState.name(index)), let json = try? JSONText.parse(text.bytes) else { return nil }
    return json.read { json in
      guard json["version"]?.integer == 1, let signature = json["signature"].flatMap({ JSONValue(keeping: $0) }),
        let result = json["result"].flatMap({ JSONValue(keeping: $0) })
      else { return nil }
      var files = FileIndex()
      json["files"]?.forEachElement { _, entry in
        guard let key = entry["key"]?.string else { return }
        entry["volumes"]?.forEachElement { _, volume in
          if let name = volume.string { files.add(key, in: name) }
        }
      }
      let value = json["value"].flatMap { JSONValue(keeping: $0) }
      return Record(signature: signature, value: value, files: files, result: result)
    }
  }

  private func content(_ name: String) -> ByteBuffer? {
    guard let (file, facts) = try? directory.read(name), let size = Int(exactly: facts.size) else { return nil }
    var text = ByteBuffer()
    while text.count < size {
      guard let room = text.room(for: size - text.count) else { return nil }
      let count = Glibc.read(file.number, room, size - text.count)
      if count < 0, errno == EINTR { continue }
      if count <= 0 { return nil }
      text.commit(count)
    }
    return text
  }
}

/// What has to be the same for a step that is not to be run again: what it runs, by which worker, and its files.
struct Signature {
  let text: String

  /// - Parameter values: those that the step may see.
  init?(
    _ step: Step, _ worker: Worker, _ context: Context, rundir: String, _ volumes: Volumes, _ files: FileIndex,
    _ place: FileVolume
  ) {
    guard let path = try? CText(rundir), let plan = try? worker.plan(step, context, rundir: path.start),
      let parsed = try? JSONText.parse(plan.bytes)
    else { return nil }
    // Default workers have new names each time, and what an engine or a scheduler is asked has the host's own label in it.
    for key in ["worker", "containers", "submission", "problem", "host"] { _ = parsed.read { json_object_del($0.raw, key) } }
    let values = step.type == .code ? context.snapshot.without(Set(step.secrets + worker.secrets)) : nil
    var isComplete = true
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("plan") { writer in parsed.read { writer.value($0) } }
      writer.member("image", step.image)
      writer.member("values") { writer in
        guard let values else { return writer.null() }
        values.read { writer.value($0) }
      }
      for (name, keys) in [("inputs", step.inputs), ("outputs", step.outputs)] {
        writer.member(key: name) { writer in
          writer.object { writer in
            for key in keys {
              writer.member(key: key) { isComplete = Signature.write(key, volumes, files, place, to: &$0) && isComplete }
            }
          }
        }
      }
    }
    guard isComplete else { return nil }
    let buffer = writer.buffer()
    if buffer.isExhausted { return nil }
    text = String(decoding: buffer.bytes, as: UTF8.self)
  }

  /// Size and time of change of a file, or of all in a folder, where the worker has it and where it comes from.
  private static func write(
    _ key: String, _ volumes: Volumes, _ files: FileIndex, _ place: FileVolume, to writer: inout JSONWriter
  ) -> Bool {
    var found: [(volume: String, file: VolumeFile, changed: Int64)] = []
    var names = [place.name]
    for name in files.matches(key).flatMap(\.volumes) where !names.contains(name) { names.append(name) }
    var isThere = false
    for name in names {
      guard case .files(let volume)? = try? volumes.volume(name), let inner = try? volume.files(key) else { continue }
      if name == place.name { isThere = (try? volume.has(key)) == true }
      for file in inner {
        guard let (_, facts) = try? volume.read(file.key) else { return false }
        found.append((Volumes.plain(name), file, facts.changed))
      }
    }
    found.sort { ($0.volume, $0.file.key) < ($1.volume, $1.file.key) }
    writer.array(found) { writer, entry in
      writer.object { writer in
        writer.member("volume", entry.volume)
        writer.member("key", entry.file.key)
        writer.member("size", Int(entry.file.size))
        writer.member("changed", Int(entry.changed))
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
      json["step"]?.string == step.cName.string
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
      // Only commands that wrote have a piece.
      if command["stdout_bytes"]?.integer != 0, !pieces[0].isEmpty { end.stdout = Output(pieces[0].removeFirst()) }
      if command["stderr_bytes"]?.integer != 0, !pieces[1].isEmpty { end.stderr = Output(pieces[1].removeFirst()) }
      records.append(CommandRecord(index: index, command: command["command"]?.string ?? "", end))
    }
    if records.isEmpty {
      // A step that the host had run.
      var end = CommandEnd(outcome: .exited, started: json["started"]?.number ?? 0)
      end.exitCode = 0
      end.stdout = Output(pieces[0].joined())
      end.stderr = Output(pieces[1].joined())
      records.append(CommandRecord(index: nil, command: "", end))
    }
    let attempt = Attempt(
      step: step, commands: records, total: records.count, limit: "", engine: nil, on: worker.type, path: nil, Secrets.none)
    self.init(
      step: step, worker: worker, attempts: [], last: attempt, started: json["started"]?.number ?? 0,
      duration: json["duration"]?.number ?? 0)
  }
}
