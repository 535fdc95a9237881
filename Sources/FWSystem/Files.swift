internal import CSystem
package import FWBase
internal import Glibc

/// Small files and directories, read as a whole.
package enum Files {
  /// More than any configuration.
  private static let largest = 16 << 20

  /// `nil` if it cannot be read.
  package static func read(_ path: String) -> ByteBuffer? {
    let fd = fws_above_standard(open(path, O_RDONLY | O_CLOEXEC))
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

  /// The names in a directory, in order.
  package static func list(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
        tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  package static func isSocket(_ path: String) -> Bool {
    var information = stat()
    return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFSOCK
  }

  /// Not one that is reached over a symbolic link.
  package static func isDirectory(_ path: String) -> Bool {
    var information = stat()
    return lstat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
  }
}
