internal import FWBase
internal import FWSystem
internal import Glibc

/// The path of a directory from the root, which a shell names as its working directory.
struct WorkingDirectory {
  let path: String
  private let identity: Identity

  /// Gives `nil` if the directory has no path, or if the system does not tell it.
  init?(_ directory: Descriptor) {
    var status = stat()
    guard fstat(directory.number, &status) == 0 else { return nil }
    identity = Identity(status)
    let link = "/proc/self/fd/\(directory.number)"
    let path = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { room -> String? in
      guard let start = room.baseAddress else { return nil }
      let count = readlink(link, start, room.count)
      // A path that is not UTF-8 would become another path as a string.
      return count > 0 ? String(validating: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self) : nil
    }
    guard let path, Identity(path) == identity else { return nil }
    self.path = path
  }

  /// Whether the path still leads to the directory, which a command may have moved.
  var isThere: Bool { Identity(path) == identity }

  /// The PWD of a command in the directory: the inherited value if it leads there too, for example through a symbolic
  /// link, and otherwise the path. Gives `nil` if the inherited value is not UTF-8.
  func shown(as inherited: UnsafeRawBufferPointer?) -> String? {
    guard let inherited, inherited.first == UInt8(ascii: "/") else { return path }
    guard let text = String(validating: inherited, as: UTF8.self) else { return nil }
    if text.isSame(as: path) { return path }
    return Identity(text) == identity ? text : path
  }

  private struct Identity: Equatable {
    let device: UInt64
    let number: UInt64

    init(_ status: stat) {
      device = UInt64(status.st_dev)
      number = UInt64(status.st_ino)
    }

    init?(_ path: String) {
      var status = stat()
      guard stat(path, &status) == 0 else { return nil }
      self.init(status)
    }
  }
}
