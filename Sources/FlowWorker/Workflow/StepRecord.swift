internal import CJansson
internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWVolumes

/// What the state directory has of a step, or of an instance of one, that has succeeded: what it was, what it saw, and
/// what it made. It has nothing of other steps.
struct StepRecord {
  /// The number changes with any change of the files of a state directory. Of another version nothing is kept.
  static let version = 2

  let identity: StepIdentity
  let step: String
  /// The values of the instance; `nil` if the step has no instances.
  let values: JSONValue?
  let signature: JSONValue
  let seen: SeenFiles
  /// The value that the step's function gave.
  let value: JSONValue?
  let files: [KnownPlaces]
  let result: JSONValue

  /// Where a key is that the step has read or made.
  struct KnownPlaces {
    let key: VolumeKey
    let locations: [Location]
    /// Whether the step has made it, so that nothing else has the latest version.
    let isMade: Bool
  }

  /// What a run knows of the files of a step that has ended.
  static func places(of step: Step, in location: Location, _ files: FileIndex) -> [KnownPlaces] {
    var places: [KnownPlaces] = []
    for output in step.files.outputs {
      for match in files.matches(output) where match.key.path == output.path {
        places.append(KnownPlaces(key: match.key, locations: match.locations, isMade: true))
      }
    }
    for input in step.files.inputs {
      // Copies for other steps are those steps' affair, and need not be complete.
      for match in files.matches(input) where match.locations.contains(location) {
        let locations = match.locations.first == location ? [location] : match.locations.prefix(1) + [location]
        places.append(KnownPlaces(key: match.key, locations: Array(locations), isMade: false))
      }
    }
    return places
  }

  /// Whether the record is that of a step, or of an instance with the values of this one.
  func isOf(_ step: Step) -> Bool {
    guard self.step.isSame(as: step.cName.string) else { return false }
    guard let values, let own = step.values else { return values == nil && step.values == nil }
    return values.read { values in own.read { json_equal(values.raw, $0.raw) == 1 } }
  }

  // MARK: JSON

  static func write(
    _ identity: StepIdentity, _ step: Step, _ signature: Signature, _ seen: SeenFiles, _ value: JSONValue?,
    _ files: [KnownPlaces], _ result: StepResult
  ) -> ByteBuffer {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("version", version)
      writer.member("step", step.cName.string)
      writer.member("values") { writer in
        guard let values = step.values else { return writer.null() }
        values.read { writer.value($0) }
      }
      writer.member("ordinal", identity.ordinal)
      writer.member("signature") { $0.json(signature.text) }
      writer.member("seen") { seen.write(to: &$0) }
      writer.member("value") { writer in
        guard let value else { return writer.null() }
        value.read { writer.value($0) }
      }
      writer.member("files") { KnownPlaces.write(files, to: &$0) }
      writer.member("result") { result.write(to: &$0) }
    }
    return writer.buffer()
  }

  /// Reads the identity of a record; `nil` if it is none of this version.
  static func identity(_ json: JSONRef) -> StepIdentity? {
    guard json["version"]?.integer == Int64(version), let step = json["step"]?.string,
      let ordinal = json["ordinal"]?.integer.flatMap({ Int(exactly: $0) })
    else { return nil }
    let values = json["values"].flatMap { $0.kind == .object ? $0 : nil }
    return StepIdentity(hash: StepIdentity.hash(step, values), ordinal: ordinal)
  }

  /// Reads a record; `nil` if it is none.
  init?(_ json: JSONRef) {
    guard let identity = StepRecord.identity(json), let step = json["step"]?.string,
      let signature = json["signature"].flatMap({ JSONValue(keeping: $0) }),
      let seen = json["seen"].flatMap({ SeenFiles($0) }),
      let result = json["result"].flatMap({ JSONValue(keeping: $0) })
    else { return nil }
    (self.identity, self.step, self.signature, self.seen, self.result) = (identity, step, signature, seen, result)
    values = json["values"].flatMap { $0.kind == .object ? JSONValue(keeping: $0) : nil }
    value = json["value"].flatMap { JSONValue(keeping: $0) }
    guard let files = KnownPlaces.list(json["files"]) else { return nil }
    self.files = files
  }
}

extension StepRecord.KnownPlaces {
  /// Tells a run where the file is.
  func restore(_ files: inout FileIndex, _ volumes: Volumes) {
    let known = locations.filter { volumes.spec(Location($0.volume)) != nil }
    if isMade { files.record(key, in: known) } else { for location in known { files.add(key, in: location) } }
  }

  static func write(_ files: [StepRecord.KnownPlaces], to writer: inout JSONWriter) {
    writer.array(files) { writer, place in
      writer.object { writer in
        place.key.write(to: &writer)
        writer.member("volumes") { writer in
          writer.array(place.locations) { writer, location in
            writer.object { writer in
              writer.member("volume", location.volume)
              writer.member("is_copy", location.isLocalCopy)
            }
          }
        }
        writer.member("is_made", place.isMade)
      }
    }
  }

  static func list(_ json: JSONRef?) -> [StepRecord.KnownPlaces]? {
    guard let json, json.kind == .array else { return nil }
    var files: [StepRecord.KnownPlaces] = []
    var isComplete = true
    json.forEachElement { _, place in
      guard let key = VolumeKey(place), let isMade = place["is_made"]?.boolean else {
        isComplete = false
        return
      }
      var locations: [Location] = []
      place["volumes"]?.forEachElement { _, location in
        if let volume = location["volume"]?.string {
          locations.append(Location(volume, isLocalCopy: location["is_copy"]?.boolean == true))
        }
      }
      files.append(StepRecord.KnownPlaces(key: key, locations: locations, isMade: isMade))
    }
    return isComplete ? files : nil
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
