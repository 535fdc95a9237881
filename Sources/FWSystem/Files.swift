internal import CSystem
package import FWBase
internal import Glibc

/// Reads small files and directories as a whole.
package enum Files {
  /// The largest file that is read, in bytes. No configuration file is larger.
  private static let largest = 16 << 20

  /// The content of a file; `nil` if the file cannot be read. The reason is then in errno.
  package static func read(_ path: String) -> ByteBuffer? {
    let fd = fws_above_standard(fws_open(path, O_RDONLY))
    guard fd >= 0 else { return nil }
    defer { close(fd) }
    var bytes = ByteBuffer()
    while bytes.count < largest, let room = bytes.room(for: 4096) {
      let count = Glibc.read(fd, room, 4096)
      if count < 0 && errno == EINTR { continue }
      if count < 0 { return nil }
      if count == 0 { return bytes }
      bytes.commit(count)
    }
    return nil
  }

  /// The sorted names of a directory's entries; `nil` if the directory cannot be read. The reason is then in errno.
  package static func list(_ path: String) -> [String]? {
    guard let directory = opendir(path) else { return nil }
    defer { closedir(directory) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(directory) else { break }
      let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
        tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return errno == 0 ? names.sorted() : nil
  }

  /// Removes a directory that this process has made, with what is in it, `depth` levels deep. What stays is told in the
  /// log. In a process that was forked from the host, the directory belongs to the host and stays.
  package static func removeOwn(_ directory: String, depth: Int32) {
    if fws_is_forked() { return }
    let error = fws_remove_tree(AT_FDCWD, directory, depth)
    if error == 0 { return }
    Log.write(
      .warning,
      "the directory \(MessageFormat.path(directory)), which is no longer needed, could not be removed: "
        + errorText(error))
  }

  package static func isSocket(_ path: String) -> Bool {
    var information = stat()
    return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFSOCK
  }

  /// Whether a path names a directory itself, and not a symbolic link to a directory.
  package static func isDirectory(_ path: String) -> Bool {
    var information = stat()
    return lstat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
  }
}

/// The run directory of a step.
package enum RunDirectory {
  /// - Parameter isKept: whether code of the host runs before the descriptor is closed.
  package static func open(_ path: CText, isKept: Bool = false) throws(StepFailure) -> Descriptor {
    let fd = fws_open_directory(path.start)
    if fd >= 0 { return Descriptor(fd, isKept: isKept) }
    let shown = MessageFormat.path(path.string)
    switch -fd {
    case ENOENT: throw StepFailure(missing(path.string))
    case ENOTDIR: throw StepFailure("the run directory \(shown) is not a directory")
    default: throw StepFailure("the run directory \(shown) cannot be opened", 0 - fd)
    }
  }

  private static func missing(_ path: String) -> String {
    if path.isEmpty { return "the run directory \"\" is an empty path" }
    let shown = MessageFormat.path(path)
    if path.begins(with: "~") {
      return "the run directory \(shown) does not exist: only a shell replaces \"~\" by a home directory"
    }
    if path.begins(with: "/") { return "the run directory \(shown) does not exist: create it before the step runs" }
    return "the run directory \(shown) does not exist in the working directory: create it, or pass an absolute path"
  }

  /// Opens the root directory, in which the library's helper programs run.
  package static func root() throws(StepFailure) -> Descriptor {
    let fd = fws_open_directory("/")
    guard fd >= 0 else { throw StepFailure("the root directory cannot be opened", -fd) }
    return Descriptor(fd, isKept: false)
  }
}

/// The environment of the host.
package enum Environment {
  /// The value of a variable of the host's environment; `nil` if the variable is not set, or empty.
  package static func value(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }
}
