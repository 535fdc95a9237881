package import CSystem
package import FWBase
internal import Glibc

/// A descriptor that is closed when its owner is freed, unless the host has closed it and its number now belongs to
/// another file.
package final class Descriptor: Sendable {
  private let fd: fws_fd
  /// Stands for the descriptor in the list of those that a child of the host closes; `nil` if it is not there.
  private nonisolated(unsafe) let ownership: OpaquePointer?

  /// - Parameters:
  ///   - isKept: whether code of the host runs before the descriptor is closed. The host might close the descriptor
  ///     itself, so its identity is recorded.
  ///   - isClosedInForks: whether a process that the host forks closes its copy. Somebody waits for the last copy to be
  ///     closed.
  package init(_ number: Int32, isKept: Bool = true, isClosedInForks: Bool = false) {
    fd = isKept ? fws_fd_of(number) : fws_fd(number: number, mark: fws_fd.unknown, device: 0, inode: 0)
    ownership = isClosedInForks ? withUnsafePointer(to: fd) { fws_parents_own_add($0) } : nil
  }

  package static func epoll() throws(StepFailure) -> Descriptor {
    let fd = fws_epoll()
    guard fd >= 0 else {
      throw StepFailure("a descriptor to wait with could not be created", 0 - fd, call: "epoll_create1")
    }
    return Descriptor(fd)
  }

  deinit {
    if fd.mark == fws_fd.unknown { close(fd.number) } else { fd.close() }
    // A child that is forked before this closes nothing, because it does not find the descriptor under its number.
    fws_parents_own_remove(ownership)
  }

  /// The number of the descriptor; `fws_fd.lost` if the number no longer refers to the same file. No system call can be
  /// made with that value.
  package var number: Int32 { fd.mark == fws_fd.unknown ? fd.number : fd.current }

  /// Whether the number still refers to the same file.
  package var isOurs: Bool { fd.isOurs }
}

extension fws_fd {
  /// The number of a descriptor that the host has closed. Waiting for it ends at once.
  package static let lost: Int32 = -2

  /// The mark of a descriptor whose identity is not checked.
  static let unknown: Int32 = -1

  package static let none = fws_fd(number: -1, mark: 0, device: 0, inode: 0)

  package var isOurs: Bool { withUnsafePointer(to: self) { fws_fd_is_ours($0) } }

  package var current: Int32 { number < 0 || isOurs ? number : fws_fd.lost }

  package func close() { withUnsafePointer(to: self) { fws_fd_close($0) } }
}
