internal import CFlowShims
internal import Glibc

/// How a command ended, and what it left.
struct CommandEnd {
  var status: fws_status
  var survivors: [Survivor]
  var stdout: Output
  var stderr: Output
}

extension RunningCommand {
  /// Waits for the end of a command while both its streams are read: the one place that waits.
  ///
  /// The end of the main process ends the command, and not the end of its streams: a process that
  /// it left behind may hold them for ever. What was written before that end is in the pipes by then.
  consuming func wait(_ background: SubprocessOptions.Background, grace: Double) -> CommandEnd {
    while !waitForEvent(forever) { readStreams() }
    drain()
    if background == .wait {
      while stdout.fd >= 0 || stderr.fd >= 0 {
        _ = pollStreams(forever)
        readStreams()
      }
    }
    let status = fws_reap(pidfd.number)

    // The process is gone. Its number, which is its session's, is not given out again while the
    // session has a process.
    var survivors: [Survivor] = []
    if fws_number_in_use(pidfd.number, pid) {
      switch background {
      case .kill: survivors = stopSession(grace: grace)
      case .leave, .wait: survivors = Session(pid).members().map { Survivor(pid: $0.pid, name: $0.name, endedBy: nil) }
      }
    }
    return CommandEnd(status: status, survivors: survivors, stdout: stdout.finish(), stderr: stderr.finish())
  }

  private var forever: Int32 { -1 }

  /// Waits until a stream can be read (false) or the main process has ended (true).
  private func waitForEvent(_ timeout: Int32) -> Bool {
    var items = (
      pollfd(fd: pidfd.number, events: Int16(POLLIN), revents: 0),
      pollfd(fd: stdout.fd, events: Int16(POLLIN), revents: 0),
      pollfd(fd: stderr.fd, events: Int16(POLLIN), revents: 0)
    )
    // A descriptor of -1 is passed over.
    return withUnsafeMutableBytes(of: &items) { bytes in
      guard let list = bytes.baseAddress?.assumingMemoryBound(to: pollfd.self) else { return true }
      let count = poll(list, 3, timeout)
      return count > 0 && list.pointee.revents != 0
    }
  }

  /// Waits until a stream can be read, or the milliseconds have passed.
  func pollStreams(_ timeout: Int32) -> Bool {
    var items = (
      pollfd(fd: stdout.fd, events: Int16(POLLIN), revents: 0), pollfd(fd: stderr.fd, events: Int16(POLLIN), revents: 0)
    )
    return withUnsafeMutableBytes(of: &items) { bytes in
      guard let list = bytes.baseAddress?.assumingMemoryBound(to: pollfd.self) else { return false }
      return poll(list, 2, timeout) > 0
    }
  }

  /// One read of each: the command must not stand still on one stream while the other is read.
  mutating func readStreams() {
    stdout.read(atLeast: 1)
    stderr.read(atLeast: 1)
  }

  /// Reads what is in the pipes now. A process that goes on writing cannot keep us here.
  mutating func drain() {
    stdout.read(atLeast: max(stdout.waiting, 1))
    stderr.read(atLeast: max(stderr.waiting, 1))
  }
}
