package import CSystem
package import FWBase
package import FWModel
package import FWSystem
internal import Glibc

/// A volume that is a directory of this machine.
///
/// A symbolic link in the directory is followed if its target is in the directory too, even if its text is an absolute
/// path. The kernel follows relative links (openat2). Absolute links are followed here, link by link.
package final class FileVolume {
  package let location: Location
  /// The path in the form of the document. Its bytes are the path.
  package let path: String
  package let directory: Descriptor
  /// The directory's path without symbolic links.
  private lazy var realPath: [UInt8] = {
    guard let resolved = realpath(path, nil) else { return Array(path.utf8) }
    defer { free(resolved) }
    return Array(UnsafeRawBufferPointer(start: resolved, count: strlen(resolved)))
  }()

  /// The most levels of folders.
  static let maxDepth = 100
  /// The most links to folders that a copy follows. Folders that link to folders with further links soon have an
  /// unlimited number of paths.
  private static let maxLinkedFolders = 1000
  /// The longest chain of links, as in the kernel.
  private static let maxLinks = 40

  /// - Parameter isMade: whether the directory is created if it does not exist, as in flowServ.
  package init(_ location: Location, at path: String, isMade: Bool) throws(StepFailure) {
    self.location = location
    self.path = path
    var fd = fws_open_directory(path)
    if fd == -ENOENT, isMade {
      let error = fws_make_path(path)
      fd = error == 0 ? fws_open_directory(path) : -error
    }
    guard fd >= 0 else {
      throw StepFailure(volume: "\(location.shown(at: path)) cannot be used", -fd)
    }
    directory = Descriptor(fd)
  }

  // MARK: Names

  /// The result of following the links on the path of a key.
  private enum Resolution {
    case resolved(VolumeKey?)
    /// A link leads out of the volume.
    case outside(link: VolumeKey, text: [UInt8])
    case failed(Int32)
  }

  /// Opens a path without links that the kernel refuses to follow. A key of `nil` stands for the directory of the
  /// volume.
  private func openDirectly(_ key: VolumeKey?, _ flags: Int32) -> Int32 {
    guard let key else { return fws_open_beneath(directory.number, ".", flags, 0) }
    return key.path.withCString { fws_open_beneath(directory.number, $0, flags, 0) }
  }

  /// Opens the file that a key names. The result is `nil`, with the reason in errno, if the file does not exist or
  /// cannot be reached within the volume.
  func open(_ key: VolumeKey?, _ flags: Int32) -> Descriptor? {
    let fd = openNumber(key, flags)
    return fd < 0 ? nil : Descriptor(fd)
  }

  private func openNumber(_ key: VolumeKey?, _ flags: Int32) -> Int32 {
    var fd = openDirectly(key, flags)
    if fd < 0, errno == EXDEV || errno == ELOOP, let key {
      switch resolve(key) {
      case .resolved(let target): fd = openDirectly(target, flags)
      case .outside: errno = EXDEV
      case .failed(let error): errno = error
      }
    }
    return fd
  }

  /// Follows all links on the path of a key.
  private func resolve(_ key: VolumeKey) -> Resolution {
    var current: VolumeKey?
    var rest = Array(key.components.reversed()).map { Array($0) }
    var links = 0
    while let part = rest.popLast() {
      if part.elementsEqual(".".utf8) { continue }
      if part.elementsEqual("..".utf8) {
        guard let folder = current else { return .failed(EXDEV) }
        current = folder.parent?.path
        continue
      }
      let next = current?.appending(part) ?? VolumeKey(inBase: part)
      guard next.bytes.count <= Int(PATH_MAX) else { return .failed(ENAMETOOLONG) }
      let fd = openDirectly(next, Int32(FWS_LOOK) | O_NOFOLLOW)
      if fd < 0 { return .failed(errno) }
      guard let text = linkText(Descriptor(fd)) else {
        current = next
        continue
      }
      links += 1
      if links > FileVolume.maxLinks { return .failed(ELOOP) }
      guard let parts = components(of: text, from: current) else { return .outside(link: next, text: text) }
      if text.first == UInt8(ascii: "/") { current = nil }
      rest += parts.reversed().map { Array($0) }
    }
    return .resolved(current)
  }

  /// The components of a link's text, relative to the link's folder or to the directory of the volume; `nil` if the
  /// link leads out of the volume.
  private func components(of text: [UInt8], from folder: VolumeKey?) -> [ArraySlice<UInt8>]? {
    var parts = text.split(separator: UInt8(ascii: "/"))
    var depth = folder.map { $0.components.count } ?? 0
    if text.first == UInt8(ascii: "/") {
      let bases = [Array(path.utf8), realPath].map { $0.split(separator: UInt8(ascii: "/")) }
      guard let base = bases.first(where: { parts.starts(with: $0) }) else { return nil }
      parts = Array(parts.dropFirst(base.count))
      depth = 0
    }
    for part in parts {
      if part.elementsEqual("..".utf8) { depth -= 1 } else if !part.elementsEqual(".".utf8) { depth += 1 }
      if depth < 0 { return nil }
    }
    return parts
  }

  /// The text of a symbolic link; `nil` if the file is not a link.
  private func linkText(_ file: Descriptor) -> [UInt8]? {
    var text = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = text.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.map { fws_read_link(file.number, $0, buffer.count) } ?? -1
    }
    return count < 0 ? nil : text.prefix(count).map { UInt8(bitPattern: $0) }
  }

  /// The failure for a key and an errno. It names the link that leads out of the volume.
  package func failure(_ message: String, _ key: VolumeKey, _ error: Int32) -> StepFailure {
    if error == EXDEV || error == ELOOP {
      switch resolve(key) {
      case .outside(let link, let text):
        return StepFailure(
          volume: "the key \(key.shown) leads out of \(location.shown) by a symbolic link: \(link.shown) is one to "
            + MessageFormat.quoted(bytes: text))
      case .failed(ELOOP):
        return StepFailure(
          volume: "the key \(key.shown) of \(location.shown) is behind a symbolic link that leads back to itself")
      case .failed(EXDEV):
        return StepFailure(volume: "the key \(key.shown) leads out of \(location.shown) by a symbolic link")
      case .resolved, .failed: break
      }
    }
    return StepFailure(volume: "\(message) \(key.shown) of \(location.shown)", error)
  }

  // MARK: Files and folders

  /// The kind of file that a key names.
  package enum FileKind {
    case nothing
    case file(fws_file)
    case folder(fws_file)
    /// The key names neither a file nor a folder.
    case other(fws_file)
    /// The key names a symbolic link whose target does not exist.
    case dangling(text: [UInt8])
  }

  package func lookUp(_ key: VolumeKey) throws(StepFailure) -> FileKind {
    guard let file = open(key, Int32(FWS_LOOK)) else {
      let error = errno
      guard error == ENOENT || error == ENOTDIR || error == ELOOP else { throw failure("the key", key, error) }
      if let text = open(key, Int32(FWS_LOOK) | O_NOFOLLOW).flatMap({ linkText($0) }) { return .dangling(text: text) }
      if error == ELOOP { throw failure("the key", key, error) }
      return .nothing
    }
    let facts = try facts(of: file, key)
    switch facts.kind {
    case FileVolume.directoryKind: return .folder(facts)
    case FileVolume.fileKind: return key.namesFolder ? .nothing : .file(facts)
    default: return key.namesFolder ? .nothing : .other(facts)
    }
  }

  static let fileKind = CChar(bitPattern: UInt8(ascii: "f"))
  static let directoryKind = CChar(bitPattern: UInt8(ascii: "d"))
  static let linkKind = CChar(bitPattern: UInt8(ascii: "l"))

  func facts(of file: Descriptor, _ key: VolumeKey) throws(StepFailure) -> fws_file {
    var facts = fws_file()
    let error = fws_file_facts(file.number, &facts)
    if error != 0 { throw failure("the key", key, error) }
    return facts
  }

  func makeFolder(_ key: VolumeKey) throws(StepFailure) {
    if open(key, Int32(FWS_LOOK) | O_DIRECTORY) != nil { return }
    let error = key.path.withCString { fws_make_directories(directory.number, $0) }
    if error != 0 { throw failure("a folder cannot be created for the key", key, error) }
  }

  /// Creates a symbolic link. It may lead to nothing, or back to itself.
  func makeLink(_ key: VolumeKey, _ text: [UInt8]) throws(StepFailure) {
    let folder = try folder(of: key)
    let error = key.name.withCString { name in text.withCString { fws_make_link(folder.number, name, $0) } }
    if error != 0 { throw failure("a symbolic link cannot be created for the key", key, error) }
  }

  /// Opens the folder of a key. The folder is created if it does not exist.
  func folder(of key: VolumeKey) throws(StepFailure) -> Descriptor {
    if let parent = key.parent { try makeFolder(parent) }
    guard let folder = open(key.parent, Int32(FWS_LOOK) | O_DIRECTORY) else {
      throw failure("the folder of the key", key, errno)
    }
    return folder
  }

  /// Opens a file for reading.
  package func read(_ key: VolumeKey) throws(StepFailure) -> (file: Descriptor, facts: fws_file) {
    guard let file = open(key, O_RDONLY | O_NONBLOCK) else {
      // A socket cannot be opened, but the system's message for that (ENXIO) does not name the cause.
      let error = errno
      if error == ENXIO, case .other(let facts) = try lookUp(key) { throw notAFile(key, facts) }
      throw failure("the key", key, error)
    }
    let facts = try facts(of: file, key)
    guard facts.kind == FileVolume.fileKind else { throw notAFile(key, facts) }
    return (file, facts)
  }

  private func notAFile(_ key: VolumeKey, _ facts: fws_file) -> StepFailure {
    let kind: String
    switch UInt8(bitPattern: facts.kind) {
    case UInt8(ascii: "p"): kind = "a pipe (FIFO)"
    case UInt8(ascii: "s"): kind = "a socket"
    case UInt8(ascii: "d"): kind = "a folder"
    default: kind = "a device"
    }
    return StepFailure(
      volume: "the key \(key.shown) of \(location.shown) is \(kind), not a file, and cannot be copied")
  }

  /// The files that a key covers: one file, or a folder with its content. The result is empty if the key names nothing.
  package func files(_ key: VolumeKey) throws(StepFailure) -> [VolumeFile] {
    switch try lookUp(key) {
    case .nothing: return []
    case .file(let facts): return [VolumeFile(key: key, size: facts.size, mode: facts.mode)]
    case .other(let facts): throw notAFile(key, facts)
    case .dangling(let text): throw dangling(key, text)
    case .folder(let facts): return [.folder(key)] + (try contents(key.folder, facts))
    }
  }

  func dangling(_ key: VolumeKey, _ text: [UInt8]) -> StepFailure {
    StepFailure(
      volume:
        "the key \(key.shown) of \(location.shown) is a symbolic link to \(MessageFormat.quoted(bytes: text)), which "
        + "does not exist"
    )
  }

  private func contents(_ top: VolumeKey, _ facts: fws_file) throws(StepFailure) -> [VolumeFile] {
    var files: [VolumeFile] = []
    var linkedFolders = 0
    // The folders that still have to be read. Each has the chain of folders that it is in, and whether a link led to
    // one of them.
    var folders = [(key: top, chain: [facts], isLinked: false)]
    while let (folder, chain, isLinked) = folders.popLast() {
      if chain.count > FileVolume.maxDepth {
        throw StepFailure(
          volume: "the folder \(folder.shown) of \(location.shown) is more than \(FileVolume.maxDepth) folders deep")
      }
      let names = try names(in: folder)
      if names.isEmpty, chain.count > 1 { files.append(.folder(folder)) }
      for name in names {
        let key = folder.appending(name)
        guard let file = open(key, Int32(FWS_LOOK) | O_NOFOLLOW) else {
          if errno == ENOENT { continue }  // Removed just now.
          throw failure("the key", key, errno)
        }
        var facts = try self.facts(of: file, key)
        let text = facts.kind == FileVolume.linkKind ? linkText(file) ?? [] : nil
        if let text {
          if let target = open(key, Int32(FWS_LOOK)) {
            facts = try self.facts(of: target, key)
          } else if errno == ENOENT || errno == ENOTDIR || errno == ELOOP {
            guard let link = link(key, text, isLinked) else { throw dangling(key, text) }
            files.append(link)
            continue
          } else {
            throw failure("the key", key, errno)
          }
        }
        switch facts.kind {
        case FileVolume.directoryKind:
          if let text, chain.contains(where: { $0.inode == facts.inode && $0.device == facts.device }) {
            guard let link = link(key, text, isLinked) else {
              throw StepFailure(
                volume:
                  "the key \(key.shown) of \(location.shown) is a symbolic link to "
                  + "\(MessageFormat.quoted(bytes: text)), which leads back to a folder that it is in")
            }
            files.append(link)
          } else {
            if text != nil { linkedFolders += 1 }
            if linkedFolders > FileVolume.maxLinkedFolders {
              throw StepFailure(
                volume:
                  "the folder \(top.shown) of \(location.shown) has more than \(FileVolume.maxLinkedFolders) "
                  + "symbolic links to folders, counted each time that a link leads to them")
            }
            folders.append((key.folder, chain + [facts], isLinked || text != nil))
          }
        case FileVolume.fileKind: files.append(VolumeFile(key: key, size: facts.size, mode: facts.mode))
        default: throw notAFile(key, facts)
        }
      }
    }
    return files
  }

  /// Describes a broken link as a link, so that it can be copied as it is. The result is `nil` if its text is absolute
  /// or leads out of the volume, or if it was reached through another link.
  private func link(_ key: VolumeKey, _ text: [UInt8], _ isLinked: Bool) -> VolumeFile? {
    guard !isLinked, text.first != UInt8(ascii: "/"), components(of: text, from: key.parent?.path) != nil
    else { return nil }
    return VolumeFile(key: key, kind: .link(text))
  }

  /// The names of a folder's entries, as the file system has them.
  func names(in folder: VolumeKey) throws(StepFailure) -> [[UInt8]] {
    let fd = openNumber(folder, O_RDONLY | O_DIRECTORY)
    if fd < 0 { throw failure("the folder", folder, errno) }
    return try names(of: fd) { self.failure("the folder", folder, $0) }
  }

  /// The names of the entries of the volume's directory.
  package func names() throws(StepFailure) -> [[UInt8]] {
    let fd = openNumber(nil, O_RDONLY | O_DIRECTORY)
    if fd < 0 { throw StepFailure(volume: location.shown, errno) }
    return try names(of: fd) { StepFailure(volume: self.location.shown, $0) }
  }

  /// Waits until the names of the volume's directory are on the disk.
  package func synchronize() throws(StepFailure) {
    guard let directory = open(nil, O_RDONLY | O_DIRECTORY) else { throw StepFailure(volume: location.shown, errno) }
    let error = fws_synchronize(directory.number)
    if error != 0 { throw StepFailure(volume: location.shown, error) }
  }

  /// - Parameter fd: a descriptor of the folder, which is closed.
  private func names(of fd: Int32, _ failure: (Int32) -> StepFailure) throws(StepFailure) -> [[UInt8]] {
    var names: [[UInt8]] = []
    let error = withUnsafeMutablePointer(to: &names) { names in
      fws_list(
        fd,
        { context, name, _ in
          let bytes = Array(UnsafeRawBufferPointer(start: name, count: strlen(name)))
          if !PartFile.isHidden(bytes) { context?.assumingMemoryBound(to: [[UInt8]].self).pointee.append(bytes) }
        }, names)
    }
    if error != 0 { throw failure(error) }
    return names
  }
}

/// A file that is being written under a temporary name. It gets its own name when it is complete, and is removed
/// otherwise.
package final class PartFile {
  private let volume: FileVolume
  private let key: VolumeKey
  private let directory: Descriptor
  private var part = fws_part()

  /// Whether a name is the temporary name of such a file, which does not count as a file yet.
  static func isHidden(_ name: [UInt8]) -> Bool {
    name.starts(with: ".flowworker-".utf8) && name.suffix(5).elementsEqual(".part".utf8)
  }

  package init(_ key: VolumeKey, in volume: FileVolume) throws(StepFailure) {
    self.volume = volume
    self.key = key
    directory = try volume.folder(of: key)
    let error = fws_part_open(directory.number, &part)
    if error != 0 { throw volume.failure("a file cannot be created for the key", key, error) }
  }

  deinit {
    // In a process that was forked from the host, the temporary name belongs to the host.
    if fws_is_forked() { part.kept.close() } else { fws_part_close(directory.number, &part) }
  }

  package var fd: Int32 { part.kept.current }

  /// Whether the name already belongs to the file with these facts.
  func isSameFile(as facts: fws_file) -> Bool {
    let fd = key.name.withCString { fws_open_beneath(directory.number, $0, Int32(FWS_LOOK), 0) }
    guard fd >= 0 else { return false }
    defer { close(fd) }
    var target = fws_file()
    return fws_file_facts(fd, &target) == 0 && target.device == facts.device && target.inode == facts.inode
  }

  /// Gives the file its own name, if it is complete.
  package func publish(size: Int64, mode: UInt32) throws(StepFailure) {
    var facts = fws_file()
    var error = fws_file_facts(fd, &facts)
    if error != 0 { throw volume.failure("the copy of the key", key, error) }
    guard facts.size == size else {
      throw StepFailure(
        volume:
          "the copy of the key \(key.shown) in \(volume.location.shown) has \(facts.size) bytes instead of \(size)"
      )
    }
    error = key.name.withCString { fws_part_publish(directory.number, &part, $0, mode & 0o777) }
    if error != 0 { throw volume.failure("the key", key, error) }
  }
}
