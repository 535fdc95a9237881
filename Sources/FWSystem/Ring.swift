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
