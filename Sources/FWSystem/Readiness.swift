internal import CSystem
internal import Glibc

/// What a step in flight waits for: descriptors that can be read when there is something to do.
/// -1 stands for none, `fws_fd.lost` for one that is not ours any more.
package struct Waiting {
  package var channel: Int32 = -1
  package var stdout: Int32 = -1
  package var stderr: Int32 = -1
  /// Whether the channel is one to a monitor.
  package var hasMonitor = false

  package init(channel: Int32 = -1, stdout: Int32 = -1, stderr: Int32 = -1, hasMonitor: Bool = false) {
    self.channel = channel
    self.stdout = stdout
    self.stderr = stderr
    self.hasMonitor = hasMonitor
  }

  /// Which of them can be read.
  package struct Ready {
    package var channel = false
    package var stdout = false
    package var stderr = false

    /// They may be: the system does not tell.
    package var isGuessed = false

    package var isAny: Bool { channel || stdout || stderr }
  }

  /// Seconds. What is waited for may be closed meanwhile, and nothing tells of that.
  private static let longest = 10.0

  /// Waits until one can be read, or the seconds have passed, but no longer than a moment after which it has to be
  /// asked again what is waited for; a negative number is for ever.
  package func poll(_ seconds: Double) -> Ready {
    if channel == fws_fd.lost || stdout == fws_fd.lost || stderr == fws_fd.lost {
      // Nothing tells when there is something to do: it is asked now and then.
      usleep(1000)
      return Ready(channel: channel == fws_fd.lost, stdout: stdout == fws_fd.lost, stderr: stderr == fws_fd.lost)
    }
    let seconds = seconds < 0 ? Waiting.longest : min(seconds, Waiting.longest)
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
package struct ReadinessFD: ~Copyable {
  private var descriptor = fws_fd.none
  /// What makes it readable while nothing else does: the channel, which can be written at any time; without
  /// a command, a descriptor for the purpose. (One that all execs share would do, but for the kernel's limit of 500
  /// ways from one descriptor through two epolls.)
  private var channel: Int32 = -1
  private var flag = fws_fd.none
  private var isOnChannel = false
  /// The system does not watch all.
  private var isBlind = false

  package init() {}

  deinit {
    flag.close()
    descriptor.close()
  }

  /// -1: there is none, or it is not ours any more.
  package var epoll: Int32 { descriptor.isOurs ? descriptor.number : -1 }

  /// Makes the descriptor; false if the system has none.
  package mutating func open() -> Bool {
    if epoll < 0 { descriptor = fws_fd_of(fws_epoll()) }
    return epoll >= 0
  }

  package mutating func watch(_ all: Waiting) {
    let epoll = epoll
    guard epoll >= 0 else { return }
    for fd in [all.channel, all.stdout, all.stderr] where fd >= 0 {
      // Whoever waits with the descriptor would never be woken: it stays readable, and is asked again and again.
      if !fws_epoll_add(epoll, fd) { isBlind = true }
    }
    if all.hasMonitor { channel = all.channel }
  }

  /// Before a descriptor is closed: a process that was forked from the host may hold a copy, and then
  /// closing alone would leave it watched.
  package mutating func forget(_ fd: Int32) {
    if fd == channel || fd == fws_fd.lost {
      channel = -1
      isOnChannel = false
    }
    let epoll = epoll
    if epoll >= 0, fd >= 0 { fws_epoll_remove(epoll, fd) }
  }

  /// Whether it is readable when it has to be.
  package var works: Bool { epoll >= 0 && (!isBlind || isOnChannel || flag.number >= 0) }

  /// Makes the descriptor readable, or not, whatever else it watches.
  package mutating func raise(_ wanted: Bool) {
    let wanted = wanted || isBlind
    guard descriptor.number >= 0, wanted != (isOnChannel || flag.number >= 0) else { return }
    let epoll = epoll
    guard epoll >= 0 else { return }
    if !wanted {
      if isOnChannel { fws_epoll_write(epoll, channel, false) }
      isOnChannel = false
      if flag.isOurs { fws_epoll_remove(epoll, flag.number) }
      flag.close()
      flag = fws_fd.none
    } else if channel >= 0, fws_epoll_write(epoll, channel, true) {
      isOnChannel = true
    } else {
      flag = fws_fd_of(fws_readable())
      if flag.number >= 0, !fws_epoll_add(epoll, flag.number) {
        flag.close()
        flag = fws_fd.none
      }
    }
  }
}
