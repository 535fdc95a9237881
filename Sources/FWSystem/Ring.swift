internal import CSystem
package import FWBase

/// Watches the descriptors of many things at once, and tells which of them are ready.
package final class Ring {
  private let epoll: Descriptor
  private static let atOnce: Int32 = 64

  package init() throws(StepFailure) { epoll = try Descriptor.epoll() }

  /// Becomes readable when one of the watched descriptors does.
  package var fd: Int32 { epoll.number }

  /// Whether the host has left the descriptor to this object.
  package var works: Bool { epoll.number >= 0 }

  /// Watches a descriptor. Gives false if it cannot be watched.
  package func add(_ fd: Int32, as token: Int) -> Bool {
    let epoll = epoll.number
    return epoll >= 0 && fd >= 0 && fws_epoll_add_as(epoll, fd, UInt64(truncatingIfNeeded: token))
  }

  /// Stops watching a descriptor. This has to be called before the descriptor is closed.
  package func remove(_ fd: Int32) {
    let epoll = epoll.number
    if epoll >= 0, fd >= 0 { fws_epoll_remove(epoll, fd) }
  }

  // MARK: The host

  /// Is readable at any time, and counts while the host has something to take. It is watched from the beginning,
  /// because the system may have no memory to watch it when it has to count.
  private var flag: Descriptor?
  private var isRaised = false
  private static let flagToken = Int.min

  /// Makes `fd` a descriptor that the host can wait with: see `raise`. Gives false if the system has none left. A host
  /// may watch it in an epoll of its own, and the kernel allows few epolls in each other, so this is no further one.
  package func openFlag() -> Bool {
    if flag != nil { return true }
    let fd = fws_readable()
    guard fd >= 0 else { return false }
    let made = Descriptor(fd)
    guard add(fd, as: Ring.flagToken), count(made, false) else { return false }
    flag = made
    return true
  }

  private func count(_ flag: Descriptor, _ counts: Bool) -> Bool {
    let epoll = epoll.number
    return epoll >= 0 && fws_epoll_count(epoll, flag.number, UInt64(truncatingIfNeeded: Ring.flagToken), counts)
  }

  /// Makes `fd` readable whatever is watched, or ends that.
  package func raise(_ wanted: Bool) {
    guard let flag, wanted != isRaised else { return }
    if count(flag, wanted) { isRaised = wanted }
  }

  /// The tokens of some descriptors that are ready now.
  package func take() -> [Int] {
    let epoll = epoll.number
    guard epoll >= 0 else { return [] }
    return [Int](unsafeUninitializedCapacity: Int(Ring.atOnce)) { tokens, count in
      tokens.withMemoryRebound(to: UInt64.self) { raw in
        guard let start = raw.baseAddress else { return }
        count = Int(max(0, fws_epoll_take(epoll, start, Ring.atOnce)))
      }
    }
  }
}
