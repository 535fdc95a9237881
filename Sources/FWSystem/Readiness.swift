internal import CSystem
internal import Glibc

/// The descriptors that a running step waits for. Each becomes readable when there is something to do. The value -1
/// stands for no descriptor, and `fws_fd.lost` for a descriptor that the host has closed.
package struct Waiting {
  package var channel: Int32 = -1
  package var stdout: Int32 = -1
  var stderr: Int32 = -1
  /// A descriptor that is waited for until it can be written to.
  package var room: Int32 = -1

  package init(channel: Int32 = -1, stdout: Int32 = -1, stderr: Int32 = -1, room: Int32 = -1) {
    self.room = room
    self.channel = channel
    self.stdout = stdout
    self.stderr = stderr
  }

  /// Tells which of the descriptors can be read.
  package struct Ready {
    package var channel = false
    package var stdout = false
    package var stderr = false
    package var room = false

    /// Whether poll(2) failed, or a descriptor is lost, so that the descriptors are only assumed to be readable.
    package var isGuessed = false

    package init(
      channel: Bool = false, stdout: Bool = false, stderr: Bool = false, room: Bool = false, isGuessed: Bool = false
    ) {
      self.channel = channel
      self.stdout = stdout
      self.stderr = stderr
      self.room = room
      self.isGuessed = isGuessed
    }

    package var isAny: Bool { channel || stdout || stderr || room }
  }

  /// The longest time of one wait, in seconds. The host may close a descriptor during a wait, and the system does not
  /// report that.
  private static let longest = 10.0

  /// Waits until a descriptor is readable, or the time has passed. It may return earlier although no descriptor is
  /// readable; the caller then determines again what to wait for.
  ///
  /// - Parameter seconds: the time to wait; negative: without a limit.
  package func poll(_ seconds: Double) -> Ready {
    if channel == fws_fd.lost || stdout == fws_fd.lost || stderr == fws_fd.lost || room == fws_fd.lost {
      // A lost descriptor cannot wake anybody, so the step is advanced every millisecond.
      usleep(1000)
      return Ready(
        channel: channel == fws_fd.lost, stdout: stdout == fws_fd.lost, stderr: stderr == fws_fd.lost,
        room: room == fws_fd.lost, isGuessed: true)
    }
    let seconds = seconds < 0 ? Waiting.longest : min(seconds, Waiting.longest)
    var items = (
      pollfd(fd: channel, events: Int16(POLLIN), revents: 0), pollfd(fd: stdout, events: Int16(POLLIN), revents: 0),
      pollfd(fd: stderr, events: Int16(POLLIN), revents: 0), pollfd(fd: room, events: Int16(POLLOUT), revents: 0)
    )
    return withUnsafeMutableBytes(of: &items) { bytes in
      guard let list = bytes.baseAddress?.assumingMemoryBound(to: pollfd.self) else { return Ready() }
      let kind = fws_poll(list, room == -1 ? 3 : 4, seconds)
      return Ready(
        channel: list[0].revents != 0, stdout: list[1].revents != 0, stderr: list[2].revents != 0,
        room: list[3].revents != 0, isGuessed: Int(kind) == FWS_GUESSED)
    }
  }
}

/// The single descriptor by which a host can wait for a step. It exists as soon as the host asks for it, and is changed
/// only under the lock of the exec. A step of a workflow has none: it watches its descriptors in the ring of the run.
package struct ReadinessFD: ~Copyable {
  private var descriptor = fws_fd.none
  /// The ring that is used instead of a descriptor, and what it says of the step.
  private var ring: (ring: Ring, token: UInt64)?
  /// A descriptor that can always be read. Watching it makes the host's descriptor readable when nothing else does.
  /// (All execs could share one flag, if the kernel did not limit the number of paths from one descriptor through two
  /// epolls to 500.)
  private var flag = fws_fd.none
  /// Whether the flag counts.
  private var isRaised = false
  private var isToBeRaised = false
  /// The descriptor that is watched for room.
  private var room: Descriptor?
  /// Whether the system has refused to watch a descriptor.
  private var isBlind = false

  package init() {}

  deinit {
    flag.close()
    descriptor.close()
  }

  /// The descriptor; -1 if it does not exist, or the host has closed it.
  package var epoll: Int32 {
    if let ring { return ring.ring.fd }
    return descriptor.isOurs ? descriptor.number : -1
  }

  /// Creates the descriptor, with a flag, because the system may have no descriptors left when it has to be raised.
  /// Returns false if the system has no descriptors left.
  package mutating func open() -> Bool {
    if epoll >= 0 { return true }
    descriptor = fws_fd_of(fws_epoll())
    isRaised = false
    room = nil
    if descriptor.number >= 0, makeFlag() { return true }
    descriptor.close()
    descriptor = fws_fd.none
    return false
  }

  /// Uses a ring, which watches nothing of the step yet, instead of a descriptor.
  package mutating func join(_ ring: Ring, as token: Int) {
    self.ring = (ring, UInt64(truncatingIfNeeded: token))
    isBlind = false
  }

  /// Makes a flag that counts.
  private mutating func makeFlag() -> Bool {
    flag.close()
    flag = fws_fd_of(fws_readable())
    isRaised = flag.number >= 0 && fws_epoll_add(descriptor.number, flag.number)
    return isRaised
  }

  /// Lets the host's descriptor become readable when one of the step's descriptors is.
  package mutating func watch(_ all: Waiting) {
    let epoll = epoll
    guard epoll >= 0 else { return }
    for fd in [all.channel, all.stdout, all.stderr] where fd >= 0 {
      // A descriptor that is not watched wakes nobody. The host's descriptor therefore stays readable, and the step is
      // advanced again and again.
      if !fws_epoll_add_as(epoll, fd, ring?.token ?? 0) { isBlind = true }
    }
  }

  /// Lets the host's descriptor become readable when bytes can be written to a descriptor; `nil` ends that.
  package mutating func watch(room wanted: Descriptor?) {
    if wanted === room { return }
    let epoll = epoll
    if let room, epoll >= 0 { fws_epoll_remove(epoll, room.number) }
    room = nil
    guard epoll >= 0, let wanted else { return }
    room = wanted
    if !fws_epoll_add_room(epoll, wanted.number) { isBlind = true }
  }

  /// Stops watching a descriptor. This has to be called before the descriptor is closed: a process that was forked from
  /// the host may hold a copy of the descriptor, and closing alone would leave it watched.
  package func forget(_ fd: Int32) {
    if fd < 0 { return }
    let epoll = epoll
    if epoll >= 0 { fws_epoll_remove(epoll, fd) }
  }

  /// Whether the descriptor becomes readable whenever there is something to do.
  package var works: Bool { epoll >= 0 && !lacksFlag }

  /// Whether the descriptor has to be raised and cannot be, because the system had no descriptors left or it is a ring.
  package var lacksFlag: Bool { isToBeRaised && !isRaised }

  /// Makes the descriptor readable independently of the watched descriptors, or ends that.
  package mutating func raise(_ wanted: Bool) {
    isToBeRaised = wanted || isBlind
    // Nothing raises a ring for one step: whoever has it asks `lacksFlag`.
    guard descriptor.number >= 0, ring == nil, isToBeRaised != isRaised else { return }
    let epoll = epoll
    guard epoll >= 0 else { return }
    if flag.isOurs, fws_epoll_count(epoll, flag.number, 0, isToBeRaised) {
      isRaised = isToBeRaised
    } else if isToBeRaised {
      // There is none yet, or the host has closed it.
      _ = makeFlag()
    } else {
      isRaised = false
    }
  }
}
