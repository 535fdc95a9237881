internal import FWSystem
internal import Glibc

/// How a directory is called from the root: what a shell says that it works in.
struct WorkingDirectory {
  let path: String
  private let place: Place

  /// `nil` if it has no such name, or the system does not tell it.
  init?(_ directory: Descriptor) {
    var status = stat()
    guard fstat(directory.number, &status) == 0 else { return nil }
    place = Place(status)
    let link = "/proc/self/fd/\(directory.number)"
    let path = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { room -> String? in
      guard let start = room.baseAddress else { return nil }
      let count = readlink(link, start, room.count)
      // A name that is no text would be another one as a string.
      return count > 0 ? String(validating: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self) : nil
    }
    guard let path, Place(path) == place else { return nil }
    self.path = path
  }

  /// Whether it is still there: a command may have moved it.
  var isThere: Bool { Place(path) == place }

  /// What PWD is in it: what it was, if that is a name of it, as one with a symbolic link is. `nil` if that is no text.
  func shown(as given: UnsafeRawBufferPointer?) -> String? {
    guard let given, given.first == UInt8(ascii: "/") else { return path }
    guard let text = String(validating: given, as: UTF8.self) else { return nil }
    return Place(text) == place ? text : path
  }

  private struct Place: Equatable {
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
