internal import CSystem
internal import FWBase
internal import FWModel
internal import FWVolumes

/// The files that a step saw when it ended: its inputs and outputs, each in the volume of the worker and in the volume
/// from which it was copied. Files of remote volumes are not looked at, only their copies on this machine.
struct SeenFiles {
  /// What identifies a version of a file. Versions are equal or not; none is newer than another, because clocks go back
  /// and programs set times.
  struct Facts: Equatable {
    let isFile: Bool
    let size: Int64
    let changed: Int64
    /// The time that no program can set. A file that was replaced (`cp -p`, `tar`, `rsync -t`) may have the size and
    /// the other time of the one before.
    let touched: Int64
    let inode: UInt64
    let mode: UInt32
  }

  /// What one key covers in one volume.
  private struct Place {
    let location: Location
    let key: VolumeKey
    let files: [VolumeKey: Facts]
  }

  private var places: [Place] = []

  init() {}

  /// Looks at the files of a step that has ended; `nil` if the volume of the worker does not have them all, so that
  /// nobody could tell later whether they have changed.
  ///
  /// - Parameters:
  ///   - volume: the volume in which the worker has its files.
  ///   - files: what the run knows of the places of files.
  init?(of step: Step, in volume: FileVolume, _ volumes: Volumes, _ files: FileIndex) {
    var seen: Set<VolumeKey> = []
    for key in step.files.inputs + step.files.outputs where seen.insert(key).inserted {
      guard let own = SeenFiles.look(key, in: volume), !own.isEmpty else { return nil }
      places.append(Place(location: volume.location, key: key, files: own))
      // A copy may be older than its source.
      for match in files.matches(key) {
        guard let source = match.locations.first, !source.isLocalCopy, source != volume.location,
          case .files(let other)? = try? volumes.volume(source)
        else { continue }
        guard let found = SeenFiles.look(match.key, in: other) else { return nil }
        places.append(Place(location: source, key: match.key, files: found))
      }
    }
  }

  /// Looks at files that have no step.
  init?(_ keys: [VolumeKey], in volume: FileVolume) {
    for key in keys {
      guard let files = SeenFiles.look(key, in: volume) else { return nil }
      places.append(Place(location: volume.location, key: key, files: files))
    }
  }

  private static func look(_ key: VolumeKey, in volume: FileVolume) -> [VolumeKey: Facts]? {
    guard let inner = try? volume.files(key) else { return nil }
    var files: [VolumeKey: Facts] = [:]
    for file in inner {
      var facts = fws_file()
      var isFile = false
      if case .file = file.kind {
        // Network file systems ask their server for current facts when a file is opened.
        guard let (_, read) = try? volume.read(file.key) else { return nil }
        (facts, isFile) = (read, true)
      }
      files[file.key] = Facts(
        isFile: isFile, size: file.size, changed: facts.changed, touched: facts.touched, inode: facts.inode,
        mode: file.mode)
    }
    return files
  }

  // MARK: Comparison

  /// Whether these are the files of some keys, and none of them has changed.
  func isSame(as keys: [VolumeKey], _ volumes: Volumes) -> Bool {
    Set(places.map(\.key)) == Set(keys) && changes(volumes).isEmpty
  }

  /// The keys whose files are now others than those that the step saw, without a `/` at their ends.
  func changes(_ volumes: Volumes) -> [VolumeKey] {
    places.flatMap { place in
      guard case .files(let volume)? = try? volumes.volume(place.location),
        let now = SeenFiles.look(place.key, in: volume)
      else { return [place.key.path] }
      return SeenFiles.differences(place.files, now)
    }
  }

  private static func differences(_ before: [VolumeKey: Facts], _ now: [VolumeKey: Facts]) -> [VolumeKey] {
    var changed: [VolumeKey] = []
    for (key, facts) in before where now[key] != facts {
      // A folder is listed by itself only while it is empty, so one that got files is still there.
      if key.namesFolder, now.keys.contains(where: { $0.isInside(key) }) { continue }
      changed.append(key.path)
    }
    // The library makes the folder of an output before its step begins, so an empty folder says nothing.
    for key in now.keys where before[key] == nil && !key.namesFolder { changed.append(key.path) }
    return changed
  }

  // MARK: JSON

  func write(to writer: inout JSONWriter) {
    writer.array(places) { writer, place in
      writer.object { writer in
        writer.member("volume", place.location.volume)
        writer.member("is_copy", place.location.isLocalCopy)
        place.key.write(to: &writer)
        let files = place.files.sorted { VolumeKey.precedes($0.key, $1.key) }
        writer.member("files") { writer in
          writer.array(files) { writer, file in
            writer.object { writer in
              file.key.write(to: &writer)
              writer.member("is_file", file.value.isFile)
              writer.member("size", Int(file.value.size))
              writer.member("changed", Int(file.value.changed))
              writer.member("touched", Int(file.value.touched))
              writer.member("inode", Int(truncatingIfNeeded: file.value.inode))
              writer.member("mode", Int(file.value.mode))
            }
          }
        }
      }
    }
  }

  /// Reads what `write` has written; `nil` if it is something else.
  init?(_ json: JSONRef) {
    guard json.kind == .array else { return nil }
    var isComplete = true
    var places: [Place] = []
    json.forEachElement { _, place in
      guard let volume = place["volume"]?.string, let isCopy = place["is_copy"]?.boolean, let key = VolumeKey(place),
        let list = place["files"], list.kind == .array
      else {
        isComplete = false
        return
      }
      var files: [VolumeKey: Facts] = [:]
      list.forEachElement { _, file in
        guard let key = VolumeKey(file), let isFile = file["is_file"]?.boolean, let size = file["size"]?.integer,
          let changed = file["changed"]?.integer, let touched = file["touched"]?.integer,
          let inode = file["inode"]?.integer, let mode = file["mode"]?.integer.flatMap({ UInt32(exactly: $0) })
        else {
          isComplete = false
          return
        }
        files[key] = Facts(
          isFile: isFile, size: size, changed: changed, touched: touched, inode: UInt64(bitPattern: inode), mode: mode)
      }
      places.append(Place(location: Location(volume, isLocalCopy: isCopy), key: key, files: files))
    }
    guard isComplete else { return nil }
    self.places = places
  }

  /// The keys of all files, for the search for secrets.
  var keys: [VolumeKey] { places.flatMap { $0.files.keys } }
}

extension VolumeKey {
  /// Writes the member `key`. The bytes of a key that is not UTF-8 are written as numbers.
  func write(to writer: inout JSONWriter) {
    let text = text
    if text.utf8.elementsEqual(bytes) { return writer.member("key", text) }
    writer.member("key") { writer in writer.array(bytes) { $0.number(Int($1)) } }
  }

  init?(_ json: JSONRef) {
    guard let key = json["key"] else { return nil }
    if let text = key.string {
      self.init(listed: Array(text.utf8))
      return
    }
    var bytes: [UInt8] = []
    key.forEachElement { _, byte in
      if let byte = byte.integer.flatMap({ UInt8(exactly: $0) }) { bytes.append(byte) }
    }
    self.init(listed: bytes)
  }
}
