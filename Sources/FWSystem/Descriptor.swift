package import CSystem
package import FWBase
internal import Glibc

/// A descriptor that is closed with its owner, unless the host has closed it and put something else in its place.
package final class Descriptor: Sendable {
  private let fd: fws_fd

  /// - Parameter isKept: the host gets to run before it is closed, and might close it itself.
  package init(_ number: Int32, isKept: Bool = true) {
    fd = isKept ? fws_fd_of(number) : fws_fd(number: number, mark: fws_fd.unknown, device: 0, inode: 0)
  }

  package static func epoll() throws(StepFailure) -> Descriptor {
    let fd = fws_epoll()
    guard fd >= 0 else {
      throw StepFailure("a descriptor to wait with could not be created", 0 - fd, call: "epoll_create1")
    }
    return Descriptor(fd)
  }

  deinit { if fd.mark == fws_fd.unknown { close(fd.number) } else { fd.close() } }

  /// `fws_fd.lost` where it is no longer ours: nothing can be done with that.
  package var number: Int32 { fd.mark == fws_fd.unknown ? fd.number : fd.current }

  /// Whether the number still stands for what it did.
  package var isOurs: Bool { fd.isOurs }
}

extension fws_fd {
  /// Stands where a descriptor stood that is not ours any more: whoever waits for it is told at once.
  package static let lost: Int32 = -2

  /// The mark of one that is not looked at.
  static let unknown: Int32 = -1

  package static let none = fws_fd(number: -1, mark: 0, device: 0, inode: 0)

  package var isOurs: Bool { withUnsafePointer(to: self) { fws_fd_is_ours($0) } }

  package var current: Int32 { number < 0 || isOurs ? number : fws_fd.lost }

  package func close() { withUnsafePointer(to: self) { fws_fd_close($0) } }
}
