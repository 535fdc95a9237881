internal import CFlowShims
internal import Glibc

/// A descriptor that is closed with its owner, unless the host has closed it and put something else in its place.
final class Descriptor: Sendable {
  private let fd: fws_fd

  /// - Parameter isKept: the host gets to run before it is closed, and might close it itself.
  init(_ number: Int32, isKept: Bool = true) {
    fd = isKept ? fws_fd_of(number) : fws_fd(number: number, mark: fws_fd.unknown, device: 0, inode: 0)
  }

  static func epoll() throws(StepFailure) -> Descriptor {
    let fd = fws_epoll()
    guard fd >= 0 else { throw StepFailure("no descriptor to wait with could be had", 0 - fd, call: "epoll_create1") }
    return Descriptor(fd)
  }

  deinit { if fd.mark == fws_fd.unknown { close(fd.number) } else { fd.close() } }

  /// `fws_fd.lost` where it is no longer ours: nothing can be done with that.
  var number: Int32 { fd.mark == fws_fd.unknown ? fd.number : fd.current }

  /// Whether the number still stands for what it did.
  var isOurs: Bool { fd.isOurs }
}

extension fws_fd {
  /// Stands where a descriptor stood that is not ours any more: whoever waits for it is told at once.
  static let lost: Int32 = -2

  /// The mark of one that is not looked at.
  static let unknown: Int32 = -1

  static let none = fws_fd(number: -1, mark: 0, device: 0, inode: 0)

  var isOurs: Bool { withUnsafePointer(to: self) { fws_fd_is_ours($0) } }

  var current: Int32 { number < 0 || isOurs ? number : fws_fd.lost }

  func close() { withUnsafePointer(to: self) { fws_fd_close($0) } }
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
/// -1 stands for none, `fws_fd.lost` for one that is not ours any more.
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

  /// Seconds. What is waited for may be closed meanwhile, and nothing tells of that.
  private static let longest = 10.0

  /// Waits until one can be read, or the seconds have passed, but no longer than a moment after which it has to be
  /// asked again what is waited for; a negative number is for ever.
  func poll(_ seconds: Double) -> Ready {
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
struct ReadinessFD: ~Copyable {
  private var descriptor = fws_fd.none
  /// What makes it readable while nothing else does: the channel, which can be written at any time; without
  /// a command, a descriptor for the purpose. (One that all execs share would do, but for the kernel's limit of 500
  /// ways from one descriptor through two epolls.)
  private var channel: Int32 = -1
  private var flag = fws_fd.none
  private var isOnChannel = false
  /// The system does not watch all.
  private var isBlind = false

  deinit {
    flag.close()
    descriptor.close()
  }

  /// -1: there is none, or it is not ours any more.
  var epoll: Int32 { descriptor.isOurs ? descriptor.number : -1 }

  /// Makes the descriptor; false if the system has none.
  mutating func open() -> Bool {
    if epoll < 0 { descriptor = fws_fd_of(fws_epoll()) }
    return epoll >= 0
  }

  mutating func watch(_ all: Waiting) {
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
  mutating func forget(_ fd: Int32) {
    if fd == channel || fd == fws_fd.lost {
      channel = -1
      isOnChannel = false
    }
    let epoll = epoll
    if epoll >= 0, fd >= 0 { fws_epoll_remove(epoll, fd) }
  }

  /// Whether it is readable when it has to be.
  var works: Bool { epoll >= 0 && (!isBlind || isOnChannel || flag.number >= 0) }

  /// Makes the descriptor readable, or not, whatever else it watches.
  mutating func raise(_ wanted: Bool) {
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
