internal import CFlowShims
internal import Glibc

/// A descriptor that is closed with its owner.
final class Descriptor: Sendable {
  let number: Int32

  init(_ number: Int32) { self.number = number }

  deinit { close(number) }
}

/// The system's text for an errno.
func errorText(_ error: Int32) -> String {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
    guard let start = buffer.baseAddress else { return "error \(error)" }
    fws_error_text(error, start, buffer.count)
    return String(cString: start)
  }
}

/// What a step in flight waits for: descriptors that can be read when there is something to do.
/// -1 stands for none.
struct Waiting {
  var channel: Int32 = -1
  var stdout: Int32 = -1
  var stderr: Int32 = -1
  /// Whether the channel is one to a monitor.
  var hasMonitor = false

  /// Which of them can be read.
  struct Ready {
    var channel = false
    var stdout = false
    var stderr = false

    /// They may be: the system does not tell.
    var isGuessed = false

    var isAny: Bool { channel || stdout || stderr }
  }

  /// Waits until one can be read, or the seconds have passed; a negative number is for ever.
  func poll(_ seconds: Double) -> Ready {
    var items = (
      pollfd(fd: channel, events: Int16(POLLIN), revents: 0), pollfd(fd: stdout, events: Int16(POLLIN), revents: 0),
      pollfd(fd: stderr, events: Int16(POLLIN), revents: 0)
    )
    return withUnsafeMutableBytes(of: &items) { bytes in
      guard let list = bytes.baseAddress?.assumingMemoryBound(to: pollfd.self) else { return Ready() }
      let kind = fws_poll(list, 3, seconds)
      return Ready(
        channel: list[0].revents != 0, stdout: list[1].revents != 0, stderr: list[2].revents != 0,
        isGuessed: Int(kind) == FWS_GUESSED)
    }
  }
}

/// The one descriptor that a host can wait for a step with. It exists from the moment that the host
/// asks for it. Changes come from whoever holds the lock of the exec.
struct Signpost: ~Copyable {
  private(set) var epoll: Int32 = -1
  /// What makes it readable while nothing else does: the channel, which can be written at any time; without
  /// a command, a descriptor for the purpose. (One that all execs share would do, but for the kernel's limit of 500
  /// ways from one descriptor through two epolls.)
  private var channel: Int32 = -1
  private var flag: Int32 = -1
  private var isOnChannel = false

  deinit {
    if flag >= 0 { close(flag) }
    if epoll >= 0 { close(epoll) }
  }

  /// Makes the descriptor; false if the system has none.
  mutating func open() -> Bool {
    if epoll < 0 { epoll = fws_epoll() }
    return epoll >= 0
  }

  mutating func watch(_ all: Waiting) {
    guard epoll >= 0 else { return }
    for fd in [all.channel, all.stdout, all.stderr] where fd >= 0 { fws_epoll_add(epoll, fd) }
    if all.hasMonitor { channel = all.channel }
  }

  /// Before a descriptor is closed: a process that was forked from the host may hold a copy, and then
  /// closing alone would leave it watched.
  mutating func forget(_ fd: Int32) {
    guard epoll >= 0, fd >= 0 else { return }
    fws_epoll_remove(epoll, fd)
    if fd == channel {
      channel = -1
      isOnChannel = false
    }
  }

  /// Makes the descriptor readable, or not, whatever else it watches.
  mutating func raise(_ wanted: Bool) {
    guard epoll >= 0, wanted != (isOnChannel || flag >= 0) else { return }
    if !wanted {
      if isOnChannel { fws_epoll_write(epoll, channel, false) }
      isOnChannel = false
      if flag >= 0 {
        fws_epoll_remove(epoll, flag)
        close(flag)
        flag = -1
      }
    } else if channel >= 0 {
      fws_epoll_write(epoll, channel, true)
      isOnChannel = true
    } else {
      flag = fws_readable()
      if flag >= 0 { fws_epoll_add(epoll, flag) }
    }
  }
}
