internal import CFlowShims
internal import Glibc

/// The file that takes a stream which is longer than what is kept of it. It is made when that shows,
/// in a directory of the host's, and belongs to the host.
final class SpillFile {
  private let directory: String
  private let suffix: StaticString
  private var fd: Int32 = -1
  private(set) var path: String?
  /// Why the file is missing, or not complete.
  private(set) var error: String?

  init(in directory: String, for suffix: StaticString) {
    self.directory = directory
    self.suffix = suffix
  }

  deinit { close() }

  var isOpen: Bool { fd >= 0 }

  /// Makes the file with what the stream has had so far.
  func open(_ head: UnsafeRawBufferPointer, _ tail: UnsafeRawBufferPointer) {
    if error != nil || path != nil { return }
    for _ in 0..<10 {
      let name = "\(directory)/flowworker-\(SpecBuilder.uniqueIdentifier()).\(suffix)"
      fd = fws_create_file(name)
      if fd >= 0 {
        path = name
        write(head)
        write(tail)
        return
      }
      if errno != EEXIST { break }
    }
    error = "no file for the output could be made in \(Wording.path(directory)): \(errorText(errno))"
  }

  func write(_ bytes: UnsafeRawBufferPointer) {
    var left = bytes
    while fd >= 0, !left.isEmpty {
      let count = left.baseAddress.map { fws_write_file(fd, $0, left.count) } ?? 0
      if count < 0 && errno == EINTR { continue }
      if count <= 0 {
        error = "the file \(Wording.path(path ?? "")) is not complete: \(errorText(errno))"
        return close()
      }
      left = UnsafeRawBufferPointer(rebasing: left.dropFirst(count))
    }
  }

  func close() {
    // Some file systems tell only now that they could not write.
    if fd >= 0, Glibc.close(fd) < 0, errno != EINTR, error == nil {
      error = "the file \(Wording.path(path ?? "")) is not complete: \(errorText(errno))"
    }
    fd = -1
  }
}
