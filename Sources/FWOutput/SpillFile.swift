internal import CSystem
internal import FWBase
internal import FWSystem
internal import Glibc

/// The file that takes a stream which is longer than what is kept of it. It is made when that shows,
/// in a directory of the host's, and belongs to the host.
final class SpillFile {
  private let directory: String
  private let suffix: StaticString
  private var file = fws_fd.none
  private(set) var path: String?
  /// Why the file is missing, or not complete.
  private(set) var error: String?

  init(in directory: String, for suffix: StaticString) {
    self.directory = directory
    self.suffix = suffix
  }

  deinit { close() }

  var isOpen: Bool { file.number >= 0 }

  /// Makes the file with what the stream has had so far.
  func open(_ head: UnsafeRawBufferPointer, _ tail: UnsafeRawBufferPointer) {
    if error != nil || path != nil { return }
    var failure = EEXIST
    for _ in 0..<10 {
      let name = "\(directory)/flowworker-\(uniqueIdentifier()).\(suffix)"
      let fd = fws_create_file(name)
      if fd >= 0 {
        file = fws_fd_of(fd)
        path = name
        write(head)
        write(tail)
        return
      }
      failure = 0 - fd
      if failure != EEXIST { break }
    }
    error = "no file for the output could be made in \(MessageFormat.path(directory)): \(errorText(failure))"
  }

  func write(_ bytes: UnsafeRawBufferPointer) {
    var left = bytes
    while isOpen, let start = left.baseAddress, !left.isEmpty {
      guard file.isOurs else {
        file = fws_fd.none
        return fail("this process has closed its descriptor")
      }
      let count = fws_write_file(file.number, start, left.count)
      let failure = errno
      if count < 0 && failure == EINTR { continue }
      if count <= 0 {
        fail(errorText(failure))
        return close()
      }
      left = UnsafeRawBufferPointer(rebasing: left.dropFirst(count))
    }
  }

  /// The first reason stays.
  private func fail(_ why: String) {
    if error == nil { error = "the file \(MessageFormat.path(path ?? "")) is not complete: \(why)" }
  }

  /// A file system may tell only now that there was no room: one of the network does.
  func close() {
    guard isOpen else { return }
    let fd = file
    file = fws_fd.none
    guard fd.isOurs else { return fail("this process has closed its descriptor") }
    if Glibc.close(fd.number) < 0, errno != EINTR { fail(errorText(errno)) }
  }
}
