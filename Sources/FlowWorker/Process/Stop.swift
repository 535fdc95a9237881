internal import CFlowShims
internal import Glibc

/// A process that a command left running.
struct Survivor {
  enum Signal: String {
    case term = "TERM"
    case kill = "KILL"
  }

  let pid: Int32
  let name: String
  /// `nil`: it was left alone, or could not be ended.
  var endedBy: Signal?
}

/// The processes of a command. Each command is started as the leader of a session of its own.
struct Session {
  let id: Int32

  init(_ id: Int32) { self.id = id }

  struct Member {
    let pid: Int32
    let name: String
  }

  /// The living processes of the session, whose leader has been reaped.
  func members() -> [Member] {
    // A process has the leader's number again: the number was free, so nobody was left.
    if Session.stat(of: id) != nil { return [] }
    guard let list = opendir("/proc") else { return [] }
    defer { closedir(list) }
    var members: [Member] = []
    while let entry = readdir(list) {
      let pid = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { Int32(String(cString: $0)) }
      }
      guard let pid, let stat = Session.stat(of: pid), stat.session == id, stat.isAlive else { continue }
      members.append(Member(pid: pid, name: stat.name))
    }
    return members
  }

  func contains(_ pid: Int32) -> Bool { Session.stat(of: pid).map { $0.session == id && $0.isAlive } ?? false }

  /// From proc(5): `pid (name) state ppid pgrp session …`, where the name may have anything in it.
  private static func stat(of pid: Int32) -> (name: String, isAlive: Bool, session: Int32)? {
    let fd = open("/proc/\(pid)/stat", O_RDONLY | O_CLOEXEC)
    guard fd >= 0 else { return nil }
    defer { close(fd) }
    return withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 1) { buffer in
      let count = read(fd, buffer.baseAddress, buffer.count)
      guard count > 0 else { return nil }
      let bytes = buffer[..<count]
      guard let open = bytes.firstIndex(of: UInt8(ascii: "(")), let close = bytes.lastIndex(of: UInt8(ascii: ")")),
        open < close
      else { return nil }
      let fields = bytes[(close + 1)...].split(separator: UInt8(ascii: " "))
      guard fields.count > 3, let state = fields[0].first,
        let session = Int32(String(decoding: fields[3], as: UTF8.self))
      else { return nil }
      let isAlive = state != UInt8(ascii: "Z") && state != UInt8(ascii: "X")
      return (String(decoding: bytes[(open + 1)..<close], as: UTF8.self), isAlive, session)
    }
  }
}

extension RunningCommand {
  /// Ends what a command left running: TERM, the grace, KILL. The one place that stops processes.
  ///
  /// Each process is held by a pidfd before it is signalled, so that a number that is given out
  /// again cannot hit a stranger. The list is made again until it is empty: a process may have
  /// started another meanwhile.
  mutating func stopSession(grace: Double) -> [Survivor] {
    let session = Session(pid)
    let deadline = fws_monotonic() + grace
    var survivors: [Survivor] = []
    // A process in an uninterruptible wait does not go even when it is killed: these rounds are bounded.
    var killings = 0
    while killings < 100 {
      let held = hold(session)
      if held.isEmpty { break }
      let isLate = fws_monotonic() >= deadline
      if isLate { killings += 1 }
      for (member, fd) in held {
        let signal: Survivor.Signal = isLate ? .kill : .term
        let known = survivors.firstIndex { $0.pid == member.pid }
        if !isLate, known != nil { continue }
        let isSent = fws_pidfd_signal(fd, isLate ? SIGKILL : SIGTERM) == 0
        if let known {
          if isSent { survivors[known].endedBy = signal }
        } else {
          survivors.append(Survivor(pid: member.pid, name: member.name, endedBy: isSent ? signal : nil))
        }
      }
      waitForExit(of: held.map(\.fd), until: isLate ? fws_monotonic() + 1 : deadline)
      for (_, fd) in held { close(fd) }
    }
    drain()
    return survivors
  }

  private func hold(_ session: Session) -> [(member: Session.Member, fd: Int32)] {
    var held: [(member: Session.Member, fd: Int32)] = []
    for member in session.members() {
      let fd = fws_pidfd_open(member.pid)
      if fd < 0 { continue }
      if session.contains(member.pid) {
        held.append((member, fd))
      } else {
        close(fd)
      }
    }
    return held
  }

  /// Waits until all have ended, or the time has come. Reads the streams meanwhile: a process may
  /// want to write before it goes.
  private mutating func waitForExit(of fds: [Int32], until deadline: Double) {
    var waiting = fds
    while !waiting.isEmpty {
      let left = deadline - fws_monotonic()
      if left <= 0 { return }
      var items = waiting.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
      items.append(pollfd(fd: stdout.fd, events: Int16(POLLIN), revents: 0))
      items.append(pollfd(fd: stderr.fd, events: Int16(POLLIN), revents: 0))
      poll(&items, nfds_t(items.count), Int32(min(left * 1000 + 1, 60_000)))
      drain()
      waiting = zip(waiting, items).filter { $1.revents == 0 }.map { $0.0 }
    }
  }
}
