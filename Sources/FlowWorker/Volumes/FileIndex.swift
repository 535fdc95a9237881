/// Which volumes have the latest version of which files: what a run knows, as flowServ's volume manager has it.
///
/// A folder stands for all that is in it, except for what is listed by itself.
struct FileIndex {
  /// In the order in which they came.
  private var order: [String] = []
  private var volumes: [String: [String]] = [:]

  /// What is to be had for an input.
  struct Match {
    let key: String
    /// The first is where it is copied from.
    let volumes: [String]
  }

  /// A volume has the latest version as well.
  mutating func add(_ key: String, in volume: String) {
    if let known = volumes[key] {
      if !known.contains(volume) { volumes[key] = known + [volume] }
    } else {
      order.append(key)
      volumes[key] = [volume]
    }
  }

  /// As `add`, for a key that is known as a part of a folder only.
  mutating func add(_ match: Match, in volume: String) {
    if volumes[match.key] == nil {
      order.append(match.key)
      volumes[match.key] = match.volumes
    }
    add(match.key, in: volume)
  }

  /// Only these volumes have the latest version from now on.
  mutating func record(_ key: String, in latest: [String]) {
    if VolumeKey.isFolder(key) {
      let stale = order.filter { $0 != key && $0.hasPrefix(key) }
      if !stale.isEmpty {
        for inner in stale { volumes[inner] = nil }
        order.removeAll { volumes[$0] == nil }
      }
    }
    if volumes.updateValue(latest, forKey: key) == nil { order.append(key) }
  }

  /// What has to be there for an input: a folder is what holds it or is it, and then what is listed in it.
  func matches(_ input: String) -> [Match] {
    if let exact = volumes[input], !VolumeKey.isFolder(input) { return [Match(key: input, volumes: exact)] }
    var found: [Match] = []
    if let holder = holder(of: input), let volumes = volumes[holder] {
      found.append(Match(key: input, volumes: volumes))
    }
    guard VolumeKey.isFolder(input) else { return found }
    for key in order where key != input && key.hasPrefix(input) {
      if let volumes = volumes[key] { found.append(Match(key: key, volumes: volumes)) }
    }
    return found
  }

  /// What is listed for a file: itself, or the innermost folder that holds it.
  func entry(for key: String) -> String? { volumes[key] != nil ? key : holder(of: key) }

  /// The innermost folder that is listed.
  private func holder(of input: String) -> String? {
    var key: String? = VolumeKey.isFolder(input) ? input : VolumeKey.parent(of: input)
    while let folder = key {
      if volumes[folder] != nil { return folder }
      key = VolumeKey.parent(of: folder)
    }
    return nil
  }

  /// The entries, for the state of a run.
  var entries: [(key: String, volumes: [String])] { order.compactMap { key in volumes[key].map { (key, $0) } } }
}
