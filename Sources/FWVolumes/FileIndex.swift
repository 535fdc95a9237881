package import FWModel

/// The volumes that have the latest version of each file, as far as a run knows them. flowServ's volume manager keeps
/// the same record.
///
/// The entry of a folder covers everything in it, except files that have entries of their own. A folder has one entry,
/// whether it was named with a `/` at its end or without.
package struct FileIndex {
  private struct Entry {
    /// Whether the entry is known to be a folder.
    var isFolder: Bool
    /// The locations of the file. Copies are made from the first one.
    var locations: [Location]
  }

  /// The keys of `entries` in the order in which they were added. They have no `/` at the end.
  private var order: [VolumeKey] = []
  private var entries: [VolumeKey: Entry] = [:]
  /// The number of entries beneath each folder.
  private var beneath: [VolumeKey: Int] = [:]

  package init() {}

  /// A key that an input needs, and the volumes that have it.
  package struct Match {
    package let key: VolumeKey
    /// The locations of the file. Copies are made from the first one.
    package let locations: [Location]
  }

  /// Notes that a volume has the latest version as well.
  package mutating func add(_ key: VolumeKey, in location: Location) {
    let path = key.path
    guard var entry = entries[path] else {
      return insert(path, Entry(isFolder: key.namesFolder, locations: [location]))
    }
    if key.namesFolder { entry.isFolder = true }
    if !entry.locations.contains(location) { entry.locations.append(location) }
    entries[path] = entry
  }

  /// Notes that a key which has an entry is that of a folder.
  mutating func confirm(_ key: VolumeKey) { if key.namesFolder { entries[key.path]?.isFolder = true } }

  /// Gives a key that so far is only covered by the entry of a folder an entry of its own.
  mutating func separate(_ match: Match) {
    let path = match.key.path
    if entries[path] == nil { return insert(path, Entry(isFolder: match.key.namesFolder, locations: match.locations)) }
    if match.key.namesFolder { entries[path]?.isFolder = true }
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

  /// Notes that only these volumes have the latest version from now on.
  package mutating func record(_ key: VolumeKey, in latest: [Location]) {
    let path = key.path
    // The previous content of a folder is gone, even if a file has replaced the folder.
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

  /// The keys that have to be available for an input. For a folder, these are the entry that covers it, and then all
  /// entries in it.
  package func matches(_ input: VolumeKey) -> [Match] {
    let path = input.path
    let folder = input.folder
    let isFolder = input.namesFolder || entries[path]?.isFolder == true || beneath[path] != nil
    let key = isFolder ? folder : input
    var matches: [Match] = []
    if let holder = entry(for: input), let entry = entries[holder] {
      matches.append(Match(key: key, locations: entry.locations))
    }
    guard beneath[path] != nil else { return matches }
    for key in order where key.isInside(folder) {
      if let entry = entries[key] {
        matches.append(Match(key: entry.isFolder ? key.folder : key, locations: entry.locations))
      }
    }
    return matches
  }

  /// The entry that covers a key: the key's own, or that of the innermost folder that contains it. It has no `/` at its
  /// end.
  func entry(for key: VolumeKey) -> VolumeKey? {
    var next: VolumeKey? = key.path
    while let path = next {
      if entries[path] != nil { return path }
      next = path.parent?.path
    }
    return nil
  }

  /// The entries, for the state of a run.
  package var all: [(key: VolumeKey, locations: [Location])] {
    order.compactMap { path in entries[path].map { ($0.isFolder ? path.folder : path, $0.locations) } }
  }
}

/// The one record of files that a run and all its transfers share.
package final class KnownFiles {
  package var files = FileIndex()

  package init() {}
}
