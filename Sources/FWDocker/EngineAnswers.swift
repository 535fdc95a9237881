internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel
internal import FWOutput
internal import FWSystem
internal import Glibc

/// The end of a call to the engine. The answer itself exists only while libcurl reports it.
struct EngineReply {
  /// The HTTP status; 0 if there was no answer.
  let status: Int32
  let isSuccess: Bool
  /// Whether the answer is missing or incomplete.
  let isLost: Bool
  /// Whether no engine could be talked to.
  let isAbsent: Bool
  /// The text of the engine or of libcurl about an error, in one line.
  let message: String

  /// - Parameter isUnderstood: false for a success whose body is invalid.
  init(_ answer: borrowing HTTPAnswer, isUnderstood: Bool = true) {
    status = answer.status
    isSuccess = answer.isSuccess
    isLost = answer.failure != nil
    isAbsent = answer.isAbsent
    message = answer.isSuccess && isUnderstood ? "" : answer.message
  }
}

/// The state of a container that the engine reports ("inspect a container", `State`).
struct ContainerState {
  /// Whether the container has ended.
  let hasEnded: Bool
  let exitCode: Int64?
  let isOutOfMemory: Bool
  /// The start and the end in seconds since 1970.
  let started: Double?
  let finished: Double?

  /// Fails if the answer has no state.
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

/// The state of an exec that the engine reports ("inspect an exec instance").
struct ExecState {
  /// Whether the exec runs; `nil` if the engine does not say so.
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

/// The end of a container, as the request "wait for a container" reports it.
struct ContainerExit {
  private let code: Int64
  private let error: String?

  init?(_ answer: borrowing HTTPAnswer) {
    let status = answer.read { json -> (Int64, String?)? in
      json["StatusCode"]?.integer.map { ($0, json["Error"]?["Message"]?.string) }
    }
    guard let status else { return nil }
    code = status.0
    error = status.1.flatMap { $0.isEmpty ? nil : $0 }
  }

  /// The status of the container.
  static func status(_ exit: ContainerExit?, at endpoint: EngineEndpoint) throws(StepFailure) -> Int32 {
    let unknown = "the engine at \(endpoint.address) did not report how it ended"
    guard let exit, (0...255).contains(exit.code) else { throw StepFailure(engine: unknown) }
    if let error = exit.error { throw StepFailure(engine: "\(unknown): \(MessageFormat.foreign(error, limit: 1000))") }
    return Int32(truncatingIfNeeded: exit.code)
  }
}

/// Separates the two output streams in the stream that an engine sends. That stream consists of frames: a head of eight
/// bytes (the stream, three zeros, the size in big-endian order), and then as many bytes of output. A frame may arrive
/// in several pieces, and a piece may have several frames. (Docker Engine API, "Attach to a container".)
struct Frames {
  private var head: [UInt8] = []
  private var left = 0
  private var stream = Stream.stdout
  /// Whether an invalid frame has arrived. The two streams cannot be separated after it.
  private(set) var isBroken = false

  /// Whether the command has a standard input. Podman writes a message of its own into the output, as a frame of its
  /// standard error, if the command ends without having read all of it.
  private let hasInput: Bool
  /// The beginning of a frame that may be that message.
  private var held: [UInt8]?
  private(set) var isInputRefused = false

  private static let podmanBeginnings = ["Error: write unixpacket ", "Error: read unixpacket "]
  /// The most bytes of that message.
  private static let longestMessage = 512

  /// - Parameter hasInput: whether the command has a standard input.
  init(hasInput: Bool = false) {
    self.hasInput = hasInput
    head.reserveCapacity(8)
  }

  /// Passes on the pieces of output among the bytes.
  mutating func take(_ bytes: UnsafeRawBufferPointer, _ give: (Stream, UnsafeRawBufferPointer) -> Void) {
    var at = 0
    while at < bytes.count, !isBroken {
      if left == 0 {
        head.append(bytes[at])
        at += 1
        guard head.count == 8 else { continue }
        // Stream 0 is the standard input, which engines echo to the output. Stream 3 has errors of the engine itself.
        isBroken = head[0] > 3 || head[1...3].contains { $0 != 0 }
        stream = head[0] == 2 || head[0] == 3 ? .stderr : .stdout
        left = head[4...].reduce(0) { $0 << 8 | Int($1) }
        held = hasInput && stream == .stderr && left <= Frames.longestMessage ? [] : nil
        head.removeAll(keepingCapacity: true)
        continue
      }
      let count = min(left, bytes.count - at)
      let piece = UnsafeRawBufferPointer(rebasing: bytes[at..<(at + count)])
      at += count
      left -= count
      if held == nil { give(stream, piece) } else { hold(piece, give) }
    }
  }

  /// Keeps a piece of a short frame until all of it is here, and passes it on unless it is Podman's message.
  private mutating func hold(_ piece: UnsafeRawBufferPointer, _ give: (Stream, UnsafeRawBufferPointer) -> Void) {
    held?.append(contentsOf: piece)
    guard left == 0, let frame = held else { return }
    held = nil
    let text = String(decoding: frame, as: UTF8.self)
    if Frames.podmanBeginnings.contains(where: { text.begins(with: $0) }), text.contains("/attach: ") {
      isInputRefused = true
    } else {
      frame.withUnsafeBytes { give(stream, $0) }
    }
  }

  /// Notes that a part of the stream was lost here.
  mutating func breakOff() { isBroken = true }

  /// Whether the stream has ended in the middle of a frame, or was broken before its end.
  var isCutShort: Bool { left > 0 || !head.isEmpty || isBroken }

  /// The output of both streams as one text, for messages.
  static func text(_ bytes: UnsafeRawBufferPointer) -> String {
    var frames = Frames(hasInput: true)
    var text = ByteBuffer()
    frames.take(bytes) { _, piece in text.append(piece) }
    return MessageFormat.foreign(String(decoding: text.bytes, as: UTF8.self), limit: 4096)
  }
}

/// Reads the times of an engine: RFC 3339 with up to nine decimals of a second, `2026-11-25T03:17:37.784828236Z`.
enum EngineTime {
  /// The time in seconds since 1970; `nil` if the text is not such a time. Engines use the year 1 for a time that is
  /// not set.
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
