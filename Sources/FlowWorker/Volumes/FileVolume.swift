internal import CFlowShims
internal import Glibc

/// A file of a volume.
struct VolumeFile {
  let key: String
  let size: Int64
  /// The permission bits.
  let mode: UInt32
}

/// A directory of this machine.
final class FileVolume {
  let name: String
  /// As the document has it: bytes of a path.
  let path: String
  let directory: Descriptor

  /// How many folders may be inside each other. A link that leads back to where it is makes more.
  private static let deepest = 100

  /// - Parameter isMade: whether the directory is to be made if it does not exist, as in flowServ.
  init(_ name: String, at path: String, isMade: Bool) throws(SpawnFailure) {
    self.name = name
    self.path = path
    var fd = fws_open_directory(path)
    if fd == -ENOENT, isMade {
      let error = fws_make_path(path)
      fd = error == 0 ? fws_open_directory(path) : -error
    }
    guard fd >= 0 else {
      throw SpawnFailure(volume: "the directory \(Wording.path(path)) of the volume \(Wording.quoted(name)) cannot be used", -fd)
    }
    directory = Descriptor(fd)
  }

  /// Why something with a key went wrong.
  func failure(_ what: String, _ key: String, _ error: Int32) -> SpawnFailure {
    if error == EXDEV || error == ELOOP {
      return SpawnFailure(
        volume: "\(what) \(Wording.quoted(key)) leads out of the volume \(Wording.quoted(name)) by a symbolic link")
    }
    return SpawnFailure(volume: "\(what) \(Wording.quoted(key)) of the volume \(Wording.quoted(name))", error)
  }

  private func open(_ key: String, _ flags: Int32) -> Descriptor? {
    let fd = fws_open_beneath(directory.number, VolumeKey.path(key), flags, 0)
    return fd < 0 ? nil : Descriptor(fd)
  }

  /// Whether there is such a file, or such a folder if the key is one.
  func has(_ key: String) throws(SpawnFailure) -> Bool {
    guard let file = open(key, Int32(FWS_LOOK)) else {
      if errno == ENOENT || errno == ENOTDIR { return false }
      throw failure("the key", key, errno)
    }
    var facts = fws_file()
    return fws_file_facts(file.number, &facts) == 0 && (!VolumeKey.isFolder(key) || facts.is_directory)
  }

  func makeFolder(_ key: String) throws(SpawnFailure) {
    let error = fws_make_directories(directory.number, VolumeKey.path(key))
    if error != 0 { throw failure("no folder can be made for the key", key, error) }
  }

  /// A file to be read.
  func read(_ key: String) throws(SpawnFailure) -> (file: Descriptor, facts: fws_file) {
    guard let file = open(key, O_RDONLY | O_NONBLOCK) else { throw failure("the key", key, errno) }
    var facts = fws_file()
    let error = fws_file_facts(file.number, &facts)
    if error != 0 { throw failure("the key", key, error) }
    guard facts.is_file else {
      throw SpawnFailure(volume: "the key \(Wording.quoted(key)) of the volume \(Wording.quoted(name)) is no file")
    }
    return (file, facts)
  }

  /// All files that a key stands for: one file, or what is in a folder. Empty: there is nothing of that name.
  func files(_ key: String) throws(SpawnFailure) -> [VolumeFile] {
    guard let top = open(key, Int32(FWS_LOOK)) else {
      if errno == ENOENT || errno == ENOTDIR { return [] }
      throw failure("the key", key, errno)
    }
    var facts = fws_file()
    let error = fws_file_facts(top.number, &facts)
    if error != 0 { throw failure("the key", key, error) }
    if !facts.is_directory {
      return VolumeKey.isFolder(key) ? [] : [VolumeFile(key: key, size: facts.size, mode: facts.mode)]
    }
    var found: [VolumeFile] = []
    var folders = [VolumeKey.path(key)]
    while let folder = folders.popLast() {
      if folder.utf8.reduce(0, { $0 + ($1 == UInt8(ascii: "/") ? 1 : 0) }) > FileVolume.deepest {
        throw SpawnFailure(
          volume: "the folder \(Wording.quoted(folder)) of the volume \(Wording.quoted(name)) is more than "
            + "\(FileVolume.deepest) folders deep: does a symbolic link lead back to where it is?")
      }
      for name in try names(in: folder) {
        let inner = folder + "/" + name
        guard let file = open(inner, Int32(FWS_LOOK)) else { throw failure("the key", inner, errno) }
        let error = fws_file_facts(file.number, &facts)
        if error != 0 { throw failure("the key", inner, error) }
        if facts.is_directory {
          folders.append(inner)
        } else {
          found.append(VolumeFile(key: inner, size: facts.size, mode: facts.mode))
        }
      }
    }
    return found
  }

  private func names(in folder: String) throws(SpawnFailure) -> [String] {
    let fd = fws_open_beneath(directory.number, folder, O_RDONLY | O_DIRECTORY, 0)
    if fd < 0 { throw failure("the folder", folder, errno) }
    var names: [String] = []
    let error = withUnsafeMutablePointer(to: &names) { names in
      fws_list(
        fd,
        { context, name, _ in
          // A file that is being written aside is none yet.
          let text = String(cString: name)
          if text.hasPrefix(".flowworker-"), text.hasSuffix(".part") { return }
          context?.assumingMemoryBound(to: [String].self).pointee.append(text)
        }, names)
    }
    if error != 0 { throw failure("the folder", folder, error) }
    return names
  }
}

/// A file that is being written beside its place: it gets its name when it is complete, and is gone otherwise.
final class PartFile {
  private let volume: FileVolume
  private let key: String
  private let directory: Descriptor
  private var part = fws_part()

  init(_ key: String, in volume: FileVolume) throws(SpawnFailure) {
    self.volume = volume
    self.key = key
    if let folder = VolumeKey.parent(of: key) {
      try volume.makeFolder(folder)
      let fd = fws_open_beneath(volume.directory.number, VolumeKey.path(folder), Int32(FWS_LOOK) | O_DIRECTORY, 0)
      if fd < 0 { throw volume.failure("the folder", folder, errno) }
      directory = Descriptor(fd)
    } else {
      let fd = fws_open_beneath(volume.directory.number, ".", Int32(FWS_LOOK) | O_DIRECTORY, 0)
      if fd < 0 { throw volume.failure("the key", key, errno) }
      directory = Descriptor(fd)
    }
    let error = fws_part_open(directory.number, &part)
    if error != 0 { throw volume.failure("no file can be made for the key", key, error) }
  }

  deinit {
    // In a process that was forked from the host its name is the host's.
    if fws_is_forked() { part.kept.close() } else { fws_part_close(directory.number, &part) }
  }

  var fd: Int32 { part.kept.current }

  /// Whether it is the place of a file that is open.
  func isPlace(of facts: fws_file) -> Bool {
    let fd = fws_open_beneath(directory.number, name, Int32(FWS_LOOK), 0)
    guard fd >= 0 else { return false }
    defer { close(fd) }
    var here = fws_file()
    return fws_file_facts(fd, &here) == 0 && here.device == facts.device && here.inode == facts.inode
  }

  private var name: String { key.split(separator: "/").last.map(String.init) ?? key }

  /// Gives the file its name, if all of it is there.
  func publish(size: Int64, mode: UInt32) throws(SpawnFailure) {
    var facts = fws_file()
    var error = fws_file_facts(fd, &facts)
    if error != 0 { throw volume.failure("the copy of the key", key, error) }
    guard facts.size == size else {
      throw SpawnFailure(
        volume: "the copy of the key \(Wording.quoted(key)) in the volume \(Wording.quoted(volume.name)) has \(facts.size) "
          + "bytes, and the original \(size)")
    }
    error = fws_part_publish(directory.number, &part, name, mode & 0o777)
    if error != 0 { throw volume.failure("the key", key, error) }
  }
}
