internal import CSupervisorClient
internal import CSystem
internal import FWBase
internal import FWProcess
internal import FWSystem
internal import Glibc

/// A session with an SFTP server: the ssh program, and the requests that are on their way. It never blocks.
///
/// The program is a command of a monitor, so it ends with the host. A session that could not be begun, or has ended,
/// answers every request with nothing. The reason is then in `failure`.
final class SFTPSession {
  /// Takes the answer to a request; `nil` if the session has ended without one.
  typealias Handler = (SFTPAnswer?) -> Void

  private enum State {
    case connecting(until: Double)
    case ready
    /// The connection has ended, and the reason has not arrived yet.
    case ending(until: Double)
    case ended
  }

  private let server: SSHServer
  private var state: State
  private var program: LinkedProgram?
  private var askpass: SSHAskpass?
  private var timer: Timer?
  /// The time at which the timer fires.
  private var armed = Double.infinity
  /// A descriptor that is always readable. It takes the place of the program's when there is no program.
  private var readyFD: Descriptor?
  /// Why the session has ended.
  private(set) var failure = ""

  private var outgoing = SFTPQueue()
  private var waitsForRoom = false
  private var incoming = ByteBuffer()
  private var taken = 0
  private var messages = SSHMessages()
  private var heard = fws_monotonic()
  private var isAdvancing = false
  private var hasToldOfModes = false
  /// Whether the server has begun the session.
  private var wasReady = false

  private var nextID: UInt32 = 1
  private var pending: [UInt32: Handler] = [:]
  /// The transfers that have more to request or to send.
  private var movers: [any SFTPRunning] = []
  private var nextMover = 0
  /// The number of bytes that were requested or sent, and are not answered.
  private var inFlight = 0
  /// The requests that are sent even if the session is not needed any more.
  private var cleanups: [UInt32: [UInt8]] = [:]

  private(set) var extensions: Set<SFTPWire.Extension> = []
  /// The longest part of a file in one request.
  private(set) var readSize = 32 << 10
  private(set) var writeSize = 32 << 10

  /// The most bytes in flight, whatever the number of files. It is more than the window of an SSH channel.
  private static let maxInFlight = 4 << 20
  /// The most bytes that wait until ssh takes them.
  private static let maxUnsent = 1 << 20
  /// The longest part of a file in one request to a server that allows more than 32 KiB.
  private static let largestPart = 128 << 10
  private static let receiveSize = 256 << 10
  /// The number of seconds without a byte from the server after which it has failed, if it owes an answer.
  private static let silence = 60.0
  /// The number of seconds that ssh may take to tell why it ends.
  private static let endTime = 5.0
  /// The number of seconds that a session which is not needed any more may take to clean up.
  private static let closeTime = 2.0
  /// The number of seconds between TERM and KILL.
  private static let grace = 2.0
  /// The number of seconds that one call works, so that the host runs in between.
  private static let turn = 0.005

  /// Starts ssh.
  init(_ server: SSHServer) {
    self.server = server
    state = .connecting(until: fws_monotonic() + server.timeout)
    do throws(StepFailure) {
      let askpass = try server.needsAskpass ? SSHAskpass() : nil
      let arguments = try server.arguments()
      let environment = server.environment(askpass)
      let program = try Supervisors.retrying { () throws(StepFailure) in
        try LinkedProgram(arguments, environment, grace: SFTPSession.grace) { $0.is_link = 1 }
      }
      let timer = try Timer(server.timeout)
      guard fws_epoll_add(program.epoll.number, program.stderr.number), fws_epoll_add(program.epoll.number, timer.fd)
      else { throw StepFailure("the connection to ssh cannot be waited for", errno, call: "epoll_ctl") }
      armed = fws_monotonic() + server.timeout
      self.askpass = askpass
      self.program = program
      self.timer = timer
      Log.write(.info, "ssh was started, to connect to \(MessageFormat.foreign(server.address))")
      SFTPWire.append(.initialize, SFTPWire.version, [], to: &outgoing.bytes)
    } catch { end(error.reason) }
  }

  /// A descriptor that becomes readable when there is something to do.
  var fd: Int32 {
    if let program { return program.isOurs ? program.epoll.number : fws_fd.lost }
    return readyFD?.number ?? fws_fd.lost
  }

  /// Whether a new operation can begin: the connection has not ended, as far as is known.
  var isUsable: Bool {
    // What an idle connection has reported is still unread.
    if pending.isEmpty, !isAdvancing { advance() }
    switch state {
    case .connecting, .ready: return true
    case .ending, .ended: return false
    }
  }

  // MARK: Requests

  /// Sends a request.
  func request(_ kind: SFTPWire.Kind, _ fields: [SFTPWire.Field], _ handler: @escaping Handler) {
    SFTPWire.append(kind, register(handler), fields, to: &outgoing.bytes)
  }

  /// Logs that permissions were not set, once: a folder may have many files.
  func tellOfModes(_ line: String) {
    if !hasToldOfModes { Log.write(.warning, line) }
    hasToldOfModes = true
  }

  /// Removes a file. The request is sent even if the session is closed right after this.
  func remove(_ path: [UInt8], _ handler: @escaping () -> Void) {
    var id: UInt32 = 0
    id = register { [self] _ in
      cleanups[id] = nil
      handler()
    }
    cleanups[id] = path
    SFTPWire.append(.remove, id, [.string(path)], to: &outgoing.bytes)
  }

  private func register(_ handler: @escaping Handler) -> UInt32 {
    // A silent server is measured from the first request that it owes an answer to.
    if pending.isEmpty { heard = fws_monotonic() }
    while pending[nextID] != nil { nextID &+= 1 }
    let id = nextID
    nextID &+= 1
    pending[id] = handler
    return id
  }

  /// Requests a part of a file.
  func read(_ handle: [UInt8], at offset: Int64, _ count: Int, _ handler: @escaping Handler) {
    inFlight += count
    request(.read, [.string(handle), .long(UInt64(clamping: offset)), .number(UInt32(clamping: count))]) {
      [self] answer in
      inFlight -= count
      handler(answer)
    }
  }

  /// Sends a part of a file, which `fill` writes into the request.
  ///
  /// - Parameter fill: returns 0 or an errno. If it fails, nothing is sent.
  func write(
    _ handle: [UInt8], at offset: Int64, _ count: Int, _ fill: (UnsafeMutablePointer<UInt8>) -> Int32,
    _ handler: @escaping Handler
  ) -> Int32 {
    let before = outgoing.bytes.count
    let id = register { [self] answer in
      inFlight -= count
      handler(answer)
    }
    SFTPWire.append(
      .write, id, [.string(handle), .long(UInt64(clamping: offset))], contentSize: count, to: &outgoing.bytes)
    let error = outgoing.bytes.room(for: count).map(fill) ?? ENOMEM
    guard error == 0 else {
      outgoing.bytes.truncate(before)
      pending[id] = nil
      return error
    }
    outgoing.bytes.commit(count)
    inFlight += count
    return 0
  }

  // MARK: Transfers

  /// Lets a transfer send its requests, in turn with the others.
  func add(_ mover: any SFTPRunning) { movers.append(mover) }

  func remove(_ mover: any SFTPRunning) { movers.removeAll { $0 === mover } }

  private func move() {
    guard case .ready = state else { return }
    var idle = 0
    while idle < movers.count, inFlight < SFTPSession.maxInFlight, outgoing.unsent < SFTPSession.maxUnsent {
      nextMover = nextMover + 1 < movers.count ? nextMover + 1 : 0
      idle = movers[nextMover].move() ? 0 : idle + 1
    }
  }

  // MARK: Advancing

  /// Sends what can be sent without waiting. No handler is called.
  func send() { if let program, program.isOurs { flush(program) } }

  /// Does all work that needs no waiting.
  func advance() {
    // A handler may ask whether the session is usable.
    if isAdvancing { return }
    isAdvancing = true
    defer { isAdvancing = false }
    guard let program else { return fail() }
    guard program.isOurs else { return end("this process has closed descriptors of the connection to it") }
    drain(program.stderr)
    let until = fws_monotonic() + SFTPSession.turn
    repeat {
      move()
      flush(program)
    } while receive(program) && fws_monotonic() < until
    // What the last handlers have requested.
    move()
    if self.program === program { flush(program) }
    if self.program === program { watch(program) }
    if self.program == nil { fail() }
  }

  /// Looks whether the program has ended, and whether a limit has passed.
  private func watch(_ program: LinkedProgram) {
    if let reply = program.monitorReply() {
      drain(program.stderr)
      // The answers that ssh has passed on right before its end, which are no more than a socket holds.
      for _ in 0..<64 { if !receive(program) { break } }
      guard self.program === program else { return }
      if let reply, reply.kind == FWSV_FAILED { return end(StepFailure(start: reply, of: "ssh").reason) }
      return end(messages.reason(server, isReady: wasReady) ?? "ssh ended and did not say why")
    }
    if timer?.isOver == true { armed = .infinity }
    let now = fws_monotonic()
    var due = Double.infinity
    switch state {
    case .connecting(let until):
      if now >= until { return end(late) }
      due = until
    case .ending(let until):
      if now >= until { return end(messages.reason(server, isReady: wasReady) ?? "the connection has ended") }
      due = until
    case .ready where !pending.isEmpty:
      due = heard + SFTPSession.silence
      if now >= due {
        return end("it sent nothing for \(MessageFormat.seconds(SFTPSession.silence))")
      }
    case .ready, .ended: break
    }
    if due < armed {
      armed = due
      timer?.set(max(0, due - now))
    }
  }

  private var late: String {
    let said = messages.reason(server, isReady: false).map { "; ssh said: \($0)" } ?? ""
    return "there was no session within \(MessageFormat.seconds(server.timeout)) (argument \"timeout\")\(said)"
  }

  /// Reads what ssh reports, so that it never waits at a full pipe.
  private func drain(_ stderr: Descriptor) {
    guard let program else { return }
    var room = ByteBuffer()
    // A pipe holds no more than 64 KiB, and more may come all the time.
    for _ in 0..<16 {
      room.truncate(0)
      guard let start = room.room(for: 4096) else { return }
      let count = Glibc.read(stderr.number, start, 4096)
      if count > 0 {
        room.commit(count)
        messages.take(room.bytes)
      } else if count < 0, errno == EINTR {
        continue
      } else {
        if count == 0 || errno != EAGAIN { fws_epoll_remove(program.epoll.number, stderr.number) }
        return
      }
    }
  }

  private func flush(_ program: LinkedProgram) {
    // The first packet goes when ssh runs. All others wait for the answer to it.
    let limit = if case .connecting = state { SFTPWire.headSize } else { Int.max }
    if outgoing.bytes.isExhausted { return end(StepFailure.noMemory.reason) }
    let isBlocked = !outgoing.send(to: program.control.number, upTo: limit)
    if isBlocked != waitsForRoom {
      waitsForRoom = isBlocked
      fws_epoll_write(program.epoll.number, program.control.number, isBlocked)
    }
  }

  // MARK: Receiving

  /// Receives what has arrived, and calls the handlers. Returns whether there may be more.
  private func receive(_ program: LinkedProgram) -> Bool {
    switch state {
    case .connecting, .ready: break
    case .ending, .ended: return false
    }
    if taken > 0 {
      incoming.removeFirst(taken)
      taken = 0
    }
    guard let room = incoming.room(for: SFTPSession.receiveSize) else {
      end(StepFailure.noMemory.reason)
      return false
    }
    let count = fws_receive(program.control.number, room, SFTPSession.receiveSize)
    if count == 0 { return false }
    guard count > 0 else {
      state = .ending(until: fws_monotonic() + SFTPSession.endTime)
      fws_epoll_remove(program.epoll.number, program.control.number)
      return false
    }
    incoming.commit(count)
    heard = fws_monotonic()
    while self.program === program, takePacket(program) {}
    return self.program === program
  }

  /// Takes the next packet. Returns false if it is not complete.
  private func takePacket(_ program: LinkedProgram) -> Bool {
    let rest = UnsafeRawBufferPointer(rebasing: incoming.bytes[taken...])
    if case .connecting = state, let askpass, let question = askpass.question(rest) {
      guard question.size > 0 else { return false }
      taken += question.size
      answer(question.kind, askpass, program)
      return true
    }
    var reader = SFTPReader(rest)
    guard let length = reader.number().map({ Int($0) }) else { return false }
    guard length >= 5, length <= SFTPWire.longestPacket else {
      refuse(length, rest)
      return false
    }
    guard rest.count >= 4 + length else { return false }
    taken += 4 + length
    var packet = SFTPReader(UnsafeRawBufferPointer(rebasing: rest[4..<(4 + length)]))
    guard let byte = packet.byte(), let id = packet.number() else { return false }
    if case .connecting = state {
      begin(byte, version: id, &packet)
    } else {
      take(byte, id, &packet)
    }
    return true
  }

  private func answer(_ kind: SSHAskpass.Kind, _ askpass: SSHAskpass, _ program: LinkedProgram) {
    // The first packet is in the connection already, and whoever asks reads it together with the answer. So it is sent
    // again behind the answer.
    var line = ByteBuffer()
    line.append(askpass.answer(kind, server))
    SFTPWire.append(.initialize, SFTPWire.version, [], to: &line)
    if let start = line.start { _ = fws_link_send(program.control.number, start, line.count) }
  }

  private func begin(_ kind: UInt8, version: UInt32, _ fields: inout SFTPReader) {
    guard kind == SFTPWire.Kind.version.rawValue, version == SFTPWire.version else {
      return end("it does not speak version 3 of SFTP")
    }
    while let name = fields.string(), fields.string() != nil {
      let text = String(decoding: name, as: UTF8.self)
      if let known = SFTPWire.Extension.allCases.first(where: { $0.rawValue.isSame(as: text) }) {
        extensions.insert(known)
      }
    }
    askpass = nil
    state = .ready
    wasReady = true
    guard extensions.contains(.limits) else { return }
    request(.extended, [.string(Array(SFTPWire.Extension.limits.rawValue.utf8))]) { [self] answer in
      // The numbers are the longest packet, read and write, and the most handles. 0 stands for no limit.
      guard case .extended(let numbers) = answer, numbers.count >= 3 else { return }
      readSize = part(numbers[1], readSize)
      writeSize = part(numbers[2], writeSize)
    }
  }

  private func part(_ limit: UInt64, _ least: Int) -> Int {
    limit == 0 ? least : max(min(Int(clamping: limit), SFTPSession.largestPart), min(least, Int(clamping: limit)))
  }

  private func take(_ byte: UInt8, _ id: UInt32, _ fields: inout SFTPReader) {
    guard let handler = pending[id] else { return end("it answered a request that was not made") }
    guard let kind = SFTPWire.Kind(rawValue: byte), let answer = SFTPAnswer(kind, &fields) else {
      return end("it sent a packet that is not in the form of SFTP")
    }
    pending[id] = nil
    handler(answer)
  }

  /// Ends the session because of bytes that are no packet.
  private func refuse(_ length: Int, _ bytes: UnsafeRawBufferPointer) {
    guard case .connecting = state else { return end("it sent a packet of \(length) bytes, which SFTP does not have") }
    // Text before the first packet is what a shell on the server has printed.
    let text = bytes.prefix(80)
    end(
      "it sent the text \(MessageFormat.quoted(bytes: Array(text))) before the session began: a start file of the "
        + "user's shell there (such as .bashrc) must print nothing if there is no terminal")
  }

  // MARK: The end

  /// Ends the session.
  private func end(_ reason: String) {
    if case .ended = state { return }
    failure = MessageFormat.foreign(reason, limit: 1000)
    state = .ended
    program?.stop()
    release()
    let fd = fws_readable()
    if fd >= 0 { readyFD = Descriptor(fd) }
    if isAdvancing { fail() }
  }

  private func release() {
    if let program, program.isOurs {
      // A forked process may hold copies of these descriptors, which would stay watched.
      if let timer { fws_epoll_remove(program.epoll.number, timer.fd) }
      fws_epoll_remove(program.epoll.number, program.stderr.number)
    }
    program = nil
    timer = nil
    askpass = nil
    outgoing = SFTPQueue()
    incoming.truncate(0)
    taken = 0
  }

  /// Answers all requests of a session that has ended.
  private func fail() {
    // An operation that owes the server its next request has none that could be answered, so it makes it now.
    for mover in movers { _ = mover.move() }
    while !pending.isEmpty {
      let handlers = pending.values
      pending = [:]
      for handler in handlers { handler(nil) }
    }
  }

  /// Ends the session without calling the handlers. Requests that clean up are done before, as far as the connection
  /// allows.
  func close() {
    movers = []
    if let program, program.isOurs, !cleanups.isEmpty, !isAdvancing, case .ready = state { cleanUp(program) }
    pending = [:]
    cleanups = [:]
    program?.stop()
    state = .ended
    release()
  }

  /// Sends the requests that clean up, behind the packet of which a part was sent, and waits for their answers. If the
  /// connection were closed before, the server would end at the first answer that it cannot send.
  private func cleanUp(_ program: LinkedProgram) {
    isAdvancing = true
    defer { isAdvancing = false }
    pending = pending.mapValues { _ in { _ in } }
    outgoing.keepStartedPacket()
    for (id, path) in cleanups {
      pending[id] = { [self] _ in cleanups[id] = nil }
      SFTPWire.append(.remove, id, [.string(path)], to: &outgoing.bytes)
    }
    let until = fws_monotonic() + SFTPSession.closeTime
    while !cleanups.isEmpty, self.program === program, fws_monotonic() < until {
      flush(program)
      if receive(program) { continue }
      guard case .ready = state else { return }
      var item = pollfd(
        fd: program.control.number, events: Int16(waitsForRoom ? POLLIN | POLLOUT : POLLIN), revents: 0)
      _ = fws_poll(&item, 1, until - fws_monotonic())
    }
  }
}

/// An operation that runs in a session.
protocol SFTPRunning: AnyObject {
  /// Sends the next request of a file's content. Returns false if there is nothing to send at the moment.
  func move() -> Bool

  /// Ends the operation without reporting it.
  func abandon()
}
