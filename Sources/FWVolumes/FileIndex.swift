package import FWModel

/// Which volumes have the latest version of which files: what a run knows, as flowServ's volume manager has it.
///
/// A folder stands for all that is in it, except for what is listed by itself. A folder has one entry, whether it was named
/// with a `/` at its end or without.
package struct FileIndex {
  private struct Entry {
    /// Whether it is known to be a folder.
    var isFolder: Bool
    /// The first is where it is copied from.
    var locations: [Location]
  }

  /// In the order in which they came; without a `/` at the end, as the keys of `entries`.
  private var order: [VolumeKey] = []
  private var entries: [VolumeKey: Entry] = [:]
  /// How many entries there are beneath a folder.
  private var beneath: [VolumeKey: Int] = [:]

  package init() {}

  /// What is to be had for an input.
  package struct Match {
    let key: VolumeKey
    /// The first is where it is copied from.
    package let locations: [Location]
  }

  /// A volume has the latest version as well.
  package mutating func add(_ key: VolumeKey, in location: Location) {
    let path = key.path
    guard var entry = entries[path] else {
      return insert(path, Entry(isFolder: key.namesFolder, locations: [location]))
    }
    if key.namesFolder { entry.isFolder = true }
    if !entry.locations.contains(location) { entry.locations.append(location) }
    entries[path] = entry
  }

  /// As `add`, for a key that is known as a part of a folder only.
  mutating func add(_ match: Match, in location: Location) {
    let path = match.key.path
    if entries[path] == nil { insert(path, Entry(isFolder: match.key.namesFolder, locations: match.locations)) }
    add(match.key, in: location)
  }

  private mutating func insert(_ path: VolumeKey, _ entry: Entry) {
    order.append(path)
    entries[path] = entry
    count(path, 1)
  }

  private mutating func count(_ path: VolumeKey, _ change: Int) {
    var folder = path.parent?.path
    while let above = folder {
      let number = (beneath[above] ?? 0) + change
      beneath[above] = number > 0 ? number : nil
      folder = above.parent?.path
    }
  }

  /// Only these volumes have the latest version from now on.
  package mutating func record(_ key: VolumeKey, in latest: [Location]) {
    let path = key.path
    // What was in a folder is no more, also where a file has taken its place.
    if beneath[path] != nil {
      for inner in order where inner.isInside(key.folder) {
        entries[inner] = nil
        count(inner, -1)
      }
      order.removeAll { entries[$0] == nil }
    }
    let entry = Entry(isFolder: key.namesFolder, locations: latest)
    if entries[path] == nil { insert(path, entry) } else { entries[path] = entry }
  }

  /// What has to be there for an input: a folder is what holds it or is it, and then what is listed in it.
  package func matches(_ input: VolumeKey) -> [Match] {
    let path = input.path
    let folder = input.folder
    let isFolder = input.namesFolder || entries[path]?.isFolder == true || beneath[path] != nil
    let key = isFolder ? folder : input
    var found: [Match] = []
    if let holder = entry(for: input), let entry = entries[holder] {
      found.append(Match(key: key, locations: entry.locations))
    }
    guard beneath[path] != nil else { return found }
    for key in order where key.isInside(folder) {
      if let entry = entries[key] {
        found.append(Match(key: entry.isFolder ? key.folder : key, locations: entry.locations))
      }
    }
    return found
  }

  /// What is listed for a file: itself, or the innermost folder that holds it; without a `/` at its end.
  func entry(for key: VolumeKey) -> VolumeKey? {
    var next: VolumeKey? = key.path
    while let path = next {
      if entries[path] != nil { return path }
      next = path.parent?.path
    }
    return nil
  }

  /// Whether a key is listed, or something in it is.
  func lists(_ key: VolumeKey) -> Bool {
    let path = key.path
    return entries[path] != nil || beneath[path] != nil
  }

  /// The entries, for the state of a run.
  package var all: [(key: VolumeKey, locations: [Location])] {
    order.compactMap { path in entries[path].map { ($0.isFolder ? path.folder : path, $0.locations) } }
  }
}
