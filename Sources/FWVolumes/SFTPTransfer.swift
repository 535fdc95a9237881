internal import CSystem
internal import FWBase
internal import FWModel
internal import FWSystem
internal import Glibc

/// Copies a file from the server.
final class SFTPFetch: SFTPOperation<Result<VolumeFile, StepFailure>> {
  private let file: VolumeFile
  private let local: fws_fd
  /// The offset in the local file at which the content begins, and that of its next byte.
  private let origin: Int64
  private var position: Int64
  private var handle: [UInt8] = []
  private var requested: Int64 = 0
  private var received: Int64 = 0
  /// What the server tells of the file after the last request.
  private var facts: SFTPAttributes?

  init(
    _ session: SFTPSession, _ place: SFTPPlace, _ file: VolumeFile, into fd: Int32,
    _ end: @escaping (Result<VolumeFile, StepFailure>) -> Void
  ) {
    self.file = file
    local = fws_fd_of(fd)
    origin = max(0, Int64(lseek(fd, 0, SEEK_CUR)))
    position = origin
    super.init(session, place, end)
  }

  override func start() {
    session.request(
      .open, [.string(place.path(file.key)), .number(SFTPWire.Access.read.rawValue), .noAttributes]
    ) { [self] answer in
      guard case .handle(let handle) = answer else { return fail(what, answer) }
      self.handle = handle
      if isOver { return close() }
      session.add(self)
    }
  }

  private var what: String { "send the key \(file.key.shown)" }

  override func move() -> Bool {
    guard requested < file.size else {
      // The answer comes behind the content, so it tells whether the file has another size by then.
      session.remove(self)
      session.request(.fstat, [.string(handle)]) { [self] answer in
        guard case .attributes(let facts) = answer else { return fail(what, answer) }
        self.facts = facts
        check()
      }
      return true
    }
    let count = Int(min(Int64(session.readSize), file.size - requested))
    read(at: requested, count)
    requested += Int64(count)
    return true
  }

  private func read(at offset: Int64, _ count: Int) {
    session.read(handle, at: offset, count) { [self] answer in
      if isOver { return }
      switch answer {
      case .data(let data) where (1...count).contains(data.count):
        let error = write(data, at: offset)
        if error != 0 {
          return fail(
            StepFailure(volume: "data from the volume \(MessageFormat.quoted(place.name)) cannot be written", error))
        }
        received += Int64(data.count)
        // A server may send less than was requested.
        if data.count < count { return read(at: offset + Int64(data.count), count - data.count) }
        check()
      case .status(let status) where status.code == SFTPStatus.endOfFile: fail(changed(received))
      default: fail(what, answer)
      }
    }
  }

  private func write(_ data: UnsafeRawBufferPointer, at offset: Int64) -> Int32 {
    guard local.isOurs, var from = data.baseAddress else { return EBADF }
    if position != origin + offset, lseek(local.number, off_t(origin + offset), SEEK_SET) < 0 { return errno }
    position = origin + offset
    var left = data.count
    while left > 0 {
      let count = fws_write_file(local.number, from, left)
      if count <= 0 { return count < 0 ? errno : EIO }
      from += count
      left -= count
      position += Int64(count)
    }
    return 0
  }

  private func check() {
    guard !isOver, let facts, received == file.size else { return }
    if let size = facts.size, size != file.size { return fail(changed(size)) }
    finish(.success(file))
  }

  private func changed(_ size: Int64) -> StepFailure {
    StepFailure(
      volume: "the key \(file.key.shown) of the volume \(MessageFormat.quoted(place.name)) changed while it was "
        + "copied: it has \(size) bytes instead of \(file.size)")
  }

  private func fail(_ what: String, _ answer: SFTPAnswer?) { fail(failure(what, answer)) }

  private func fail(_ failure: StepFailure) { finish(.failure(failure)) }

  override func cleanUp() { close() }

  private func close() {
    guard !handle.isEmpty else { return }
    session.request(.close, [.string(handle)]) { _ in }
    handle = []
  }
}

/// Copies a file to the server. It is written under a hidden name, and gets its own name when it is complete.
final class SFTPStore: SFTPOperation<StepFailure?> {
  private let file: VolumeFile
  private let local: fws_fd
  private let part: VolumeKey
  private var handle: [UInt8] = []
  private var isPartMade = false
  private var sent: Int64 = 0
  /// The number of requests of the content that are not answered.
  private var unanswered = 0
  /// Whether everything was sent that comes before the end of the file.
  private var isComplete = false
  /// Whether the file has its permissions, which a mask on the server may have reduced.
  private var hasMode = false
  private var isFailing = false

  init(
    _ session: SFTPSession, _ place: SFTPPlace, _ file: VolumeFile, from fd: Int32,
    _ end: @escaping (StepFailure?) -> Void
  ) {
    self.file = file
    local = fws_fd_of(fd)
    let hidden = Array(".flowworker-\(uniqueIdentifier()).part".utf8)
    part = file.key.parent.map { $0.appending(hidden) } ?? VolumeKey(inBase: hidden)
    super.init(session, place, end)
  }

  private var what: String { "accept the key \(file.key.shown)" }

  override func start() {
    lookUp(file.key) { [self] answer in
      switch answer {
      case .failure(let failure): fail(failure)
      case .success(.folder): fail(place.notAFile(file.key, .folder))
      case .success(.file): open()
      case .success(.nothing(let folders)):
        if let parent = file.key.parent { makeFolders(parent, there: folders) }
        open()
      }
    }
  }

  private func open() {
    isPartMade = true
    session.request(
      .open, [.string(place.path(part)), .number(SFTPWire.Access.create.rawValue), .mode(file.mode & 0o777)]
    ) { [self] answer in
      guard case .handle(let handle) = answer else { return fail(what, answer) }
      self.handle = handle
      if isOver { return close() }
      session.add(self)
    }
  }

  override func move() -> Bool {
    if sent == file.size {
      session.remove(self)
      complete()
      return true
    }
    let count = Int(min(Int64(session.writeSize), file.size - sent))
    unanswered += 1
    let error = session.write(handle, at: sent, count, { fill($0, count) }) { [self] answer in
      unanswered -= 1
      if case .status(let status) = answer, status.code == SFTPStatus.ok { return check() }
      fail(what, answer)
    }
    if error != 0 {
      unanswered -= 1
      let shown = "the key \(file.key.shown), which is being sent to the volume \(MessageFormat.quoted(place.name))"
      fail(
        error == SFTPStore.shorter
          ? StepFailure(volume: "\(shown), has become shorter: a process is still writing to it")
          : StepFailure(volume: "\(shown), cannot be read", error))
      return false
    }
    sent += Int64(count)
    return true
  }

  /// Takes the place of an errno where a local file has become shorter.
  private static let shorter: Int32 = -1

  /// Reads the next bytes of the local file. Returns 0 or an errno.
  private func fill(_ room: UnsafeMutablePointer<UInt8>, _ count: Int) -> Int32 {
    guard local.isOurs else { return EBADF }
    var done = 0
    while done < count {
      let got = pread(local.number, room + done, count - done, off_t(sent) + off_t(done))
      if got < 0, errno == EINTR { continue }
      if got < 0 { return errno }
      // The file has become shorter.
      if got == 0 { return SFTPStore.shorter }
      done += got
    }
    return 0
  }

  /// Sends what follows the content: what has become of the file, and its end.
  private func complete() {
    isComplete = true
    unanswered += 2
    session.request(.fstat, [.string(handle)]) { [self] answer in
      unanswered -= 1
      guard case .attributes(let facts) = answer else { return fail(what, answer) }
      if let size = facts.size, size != file.size {
        return fail(
          StepFailure(
            volume: "the key \(file.key.shown) has \(size) bytes in the volume \(MessageFormat.quoted(place.name)) "
              + "instead of \(file.size)"))
      }
      hasMode = facts.permissions.map { $0 & 0o777 == file.mode & 0o777 } ?? false
      check()
    }
    // A server may report only now that the file could not be written.
    session.request(.close, [.string(handle)]) { [self] answer in
      unanswered -= 1
      if case .status(let status) = answer, status.code == SFTPStatus.ok { return check() }
      fail(what, answer)
    }
    handle = []
  }

  /// Gives the file its name if all of it has arrived.
  private func check() {
    guard !isOver, !isFailing, isComplete, unanswered == 0 else { return }
    let names: [SFTPWire.Field] = [.string(place.path(part)), .string(place.path(file.key))]
    // Some servers allow no permissions; the content is what counts.
    if !hasMode {
      session.request(.setstat, [names[0], .mode(file.mode & 0o777)]) { [self] answer in
        guard case .status(let status) = answer, status.code != SFTPStatus.ok else { return }
        session.tellOfModes(
          "the key \(file.key.shown), and maybe others, have not got the permissions of the file: the server of the "
            + "volume \(MessageFormat.quoted(place.name)) refused them: \(status.shown)")
      }
    }
    if session.extensions.contains(.posixRename) {
      let name = Array(SFTPWire.Extension.posixRename.rawValue.utf8)
      return session.request(.extended, [.string(name)] + names) { [self] in renamed($0) }
    }
    // A server of version 3 does not rename over an existing file, which is therefore removed just before.
    session.request(.remove, [names[1]]) { _ in }
    session.request(.rename, names) { [self] in renamed($0) }
  }

  private func renamed(_ answer: SFTPAnswer?) {
    guard case .status(let status) = answer, status.code == SFTPStatus.ok else { return fail(what, answer) }
    isPartMade = false
    finish(nil)
  }

  private func fail(_ what: String, _ answer: SFTPAnswer?) { fail(failure(what, answer)) }

  private func fail(_ failure: StepFailure) {
    guard !isOver, !isFailing else { return }
    isFailing = true
    guard isPartMade else { return finish(failure) }
    // The incomplete file is removed before the failure is reported.
    session.remove(self)
    removePart { [self] in finish(failure) }
  }

  private func removePart(_ then: @escaping () -> Void) {
    guard isPartMade else { return }
    isPartMade = false
    close()
    session.remove(place.path(part), then)
  }

  override func cleanUp() { removePart {} }

  private func close() {
    guard !handle.isEmpty else { return }
    session.request(.close, [.string(handle)]) { _ in }
    handle = []
  }
}
