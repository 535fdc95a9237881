internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel
internal import FWOutput
internal import FWSystem
internal import Glibc

/// How a call to the engine ended. An answer itself lives only while libcurl tells of it.
struct EngineReply {
  /// Of HTTP; 0: there was no answer.
  let status: Int32
  let isSuccess: Bool
  /// There is no answer, or not all of one.
  let isLost: Bool
  /// Nobody could be spoken to.
  let isAbsent: Bool
  /// What the engine, or libcurl, says of an error, in one line.
  let message: String

  /// - Parameter isUnderstood: false for a success whose text makes no sense.
  init(_ answer: borrowing HTTPAnswer, isUnderstood: Bool = true) {
    status = answer.status
    isSuccess = answer.isSuccess
    isLost = answer.failure != nil
    isAbsent = answer.isAbsent
    message = answer.isSuccess && isUnderstood ? "" : answer.message
  }
}

/// What the engine says of a container ("inspect a container", `State`).
struct ContainerState {
  /// The container runs no more.
  let hasEnded: Bool
  let exitCode: Int64?
  let isOutOfMemory: Bool
  /// Seconds since 1970.
  let started: Double?
  let finished: Double?

  /// `nil`: it is not known.
  init?(_ answer: borrowing HTTPAnswer) {
    guard let state = answer.read({ json in json["State"].map { ContainerState($0) } }) else { return nil }
    self = state
  }

  private init(_ state: JSONRef) {
    hasEnded = state["Status"]?.string.map { ["exited", "stopped", "dead"].contains($0) } ?? false
    exitCode = state["ExitCode"]?.integer
    isOutOfMemory = state["OOMKilled"]?.boolean == true
    started = state["StartedAt"]?.string.flatMap(EngineTime.seconds)
    finished = state["FinishedAt"]?.string.flatMap(EngineTime.seconds)
  }
}

/// What the engine says of an exec ("inspect an exec instance").
struct ExecState {
  /// `nil`: the engine does not tell.
  let isRunning: Bool?
  let pid: Int64
  let exitCode: Int64?

  init?(_ answer: borrowing HTTPAnswer) {
    let state = answer.read { json in
      ExecState(
        isRunning: json["Running"]?.boolean, pid: json["Pid"]?.integer ?? 0, exitCode: json["ExitCode"]?.integer)
    }
    guard let state else { return nil }
    self = state
  }

  private init(isRunning: Bool?, pid: Int64, exitCode: Int64?) {
    self.isRunning = isRunning
    self.pid = pid
    self.exitCode = exitCode
  }
}

/// How a container ended, as "wait for a container" tells it.
struct ContainerExit {
  private let code: Int64
  private let error: String?

  init?(_ answer: borrowing HTTPAnswer) {
    let told = answer.read { json -> (Int64, String?)? in
      json["StatusCode"]?.integer.map { ($0, json["Error"]?["Message"]?.string) }
    }
    guard let told else { return nil }
    code = told.0
    error = told.1.flatMap { $0.isEmpty ? nil : $0 }
  }

  /// The status of the container.
  static func status(_ exit: ContainerExit?, at endpoint: EngineEndpoint) throws(StepFailure) -> Int32 {
    let unknown = "the engine at \(endpoint.address) did not report how it ended"
    guard let exit, (0...255).contains(exit.code) else { throw StepFailure(engine: unknown) }
    if let error = exit.error { throw StepFailure(engine: "\(unknown): \(MessageFormat.foreign(error, limit: 1000))") }
    return Int32(truncatingIfNeeded: exit.code)
  }
}

/// Takes the two output streams out of the one that an engine sends. That one consists of frames: a head of eight bytes
/// (the stream, three zeros, the size in big-endian order), and then so many bytes of output. A frame may come in
/// several pieces, and a piece may have several frames. (Docker Engine API, "Attach to a container".)
struct Frames {
  private var head: [UInt8] = []
  private var left = 0
  private var stream = Stream.stdout
  /// Something came that is no frame: the two streams behind it cannot be told apart.
  private var isBroken = false

  init() { head.reserveCapacity(8) }

  /// Gives the pieces of output in what came.
  mutating func take(_ bytes: UnsafeRawBufferPointer, _ give: (Stream, UnsafeRawBufferPointer) -> Void) {
    var at = 0
    while at < bytes.count, !isBroken {
      if left == 0 {
        head.append(bytes[at])
        at += 1
        guard head.count == 8 else { continue }
        // The number 0 is the standard input, which engines write to the output; 3 is the engine's own complaint.
        isBroken = head[0] > 3 || head[1...3].contains { $0 != 0 }
        stream = head[0] == 2 || head[0] == 3 ? .stderr : .stdout
        left = head[4...].reduce(0) { $0 << 8 | Int($1) }
        head.removeAll(keepingCapacity: true)
        continue
      }
      let count = min(left, bytes.count - at)
      give(stream, UnsafeRawBufferPointer(rebasing: bytes[at..<(at + count)]))
      at += count
      left -= count
    }
  }

  /// A part of the stream was lost here.
  mutating func breakOff() { isBroken = true }

  /// Whether the stream has ended in the middle of a frame, or was broken before its end.
  var isCutShort: Bool { left > 0 || !head.isEmpty || isBroken }

  /// The output of both streams as one text, for messages.
  static func text(_ bytes: UnsafeRawBufferPointer) -> String {
    var frames = Frames()
    var text = ByteBuffer()
    frames.take(bytes) { _, piece in text.append(piece) }
    return MessageFormat.foreign(String(decoding: text.bytes, as: UTF8.self), limit: 4096)
  }
}

/// The times of an engine: RFC 3339 with up to nine digits of a second, `2026-11-25T03:17:37.784828236Z`.
enum EngineTime {
  /// Seconds since 1970; `nil` if the text is no such time. The year 1 stands for never.
  static func seconds(_ text: String) -> Double? {
    let bytes = Array(text.utf8)
    func number(_ range: Range<Int>) -> Int32? {
      guard range.upperBound <= bytes.count else { return nil }
      return Int32(String(decoding: bytes[range], as: UTF8.self))
    }
    guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
      let minute = number(14..<16), let second = number(17..<19), (1...12).contains(month), (1...31).contains(day),
      (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second)
    else { return nil }
    var fields = tm()
    fields.tm_year = year - 1900
    fields.tm_mon = month - 1
    fields.tm_mday = day
    fields.tm_hour = hour
    fields.tm_min = minute
    fields.tm_sec = second
    var at = 19
    var fraction = 0.0
    var scale = 0.1
    if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
      at += 1
      while at < bytes.count, (48...57).contains(bytes[at]) {
        fraction += Double(bytes[at] - 48) * scale
        scale /= 10
        at += 1
      }
    }
    var offset = 0.0
    if at < bytes.count, bytes[at] != UInt8(ascii: "Z") {
      guard let hours = number((at + 1)..<(at + 3)), let minutes = number((at + 4)..<(at + 6)) else { return nil }
      offset = Double(hours) * 3600 + Double(minutes) * 60
      if bytes[at] == UInt8(ascii: "-") { offset = -offset }
    }
    return Double(timegm(&fields)) + fraction - offset
  }
}
