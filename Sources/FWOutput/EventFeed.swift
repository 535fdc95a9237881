internal import CSystem
internal import FWBase
internal import FWModel
internal import Glibc

/// Turns the bytes that are received of one stream of a command into events.
struct EventFeed: ~Copyable {
  private let stream: Stream
  private let mode: Mode
  /// The beginning of a character, and of a line, that are not complete and therefore not reported yet.
  private var rest = ByteBuffer()
  private var line = ByteBuffer()
  /// Whether the last byte was a CR, which does not belong to the line if LF follows.
  private var hasReturn = false
  /// The time at which the current bytes were received.
  private var time = 0.0

  private enum Mode {
    case chunks
    case text
    case lines
  }

  /// The most bytes of a heavy stream that are read at once. Each line becomes an event of some hundred bytes, so only
  /// few lines are read at a time: the memory of events that were taken is reused for the next ones.
  var largestRead: Int { mode == .chunks ? 1 << 20 : mode == .text ? 64 * 1024 : 8 * 1024 }

  private static let longestLine = 64 * 1024

  /// Fails if no events of output are wanted.
  init?(_ events: RunOptions.Events, _ stream: Stream) {
    switch events {
    case .chunks: mode = .chunks
    case .text: mode = .text
    case .lines: mode = .lines
    case .none: return nil
    }
    self.stream = stream
  }

  mutating func add(_ chunk: consuming ByteBuffer, _ events: inout EventQueue) {
    time = fws_wall()
    if mode == .chunks {
      events.output(stream, chunk, isContinued: false, at: time)
      return
    }
    var text = ByteBuffer()
    let left: Int
    if rest.count > 0 {
      rest.append(chunk.bytes)
      left = UTF8Text.repair(rest.bytes, into: &text)
      rest.removeFirst(rest.count - left)
    } else {
      left = UTF8Text.repair(chunk.bytes, into: &text)
      rest.append(UnsafeRawBufferPointer(rebasing: chunk.bytes.suffix(left)))
    }
    if mode == .lines {
      split(text.bytes, &events)
    } else if text.count > 0 {
      events.output(stream, text, isContinued: false, at: time)
    }
  }

  /// Reports the rest of a stream that has ended.
  mutating func finish(_ events: inout EventQueue) {
    guard events.isListening else { return }
    time = fws_wall()
    if rest.count > 0 {
      // The stream ends in the middle of a character.
      var text = ByteBuffer()
      text.append("\u{FFFD}" as StaticString)
      rest.truncate(0)
      if mode == .lines {
        split(text.bytes, &events)
      } else {
        events.output(stream, text, isContinued: false, at: time)
      }
    }
    takeReturn(&events)
    if line.count > 0 { emit(isContinued: false, &events) }
  }

  private mutating func takeReturn(_ events: inout EventQueue) {
    guard hasReturn else { return }
    hasReturn = false
    withUnsafeBytes(of: UInt8(ascii: "\r")) { addToLine($0, &events) }
  }

  /// Discards bytes that were not reported yet, because output has come while nobody takes events.
  mutating func discard() {
    rest.truncate(0)
    line.truncate(0)
    hasReturn = false
  }

  private mutating func split(_ text: UnsafeRawBufferPointer, _ events: inout EventQueue) {
    var left = text
    while let start = left.baseAddress, !left.isEmpty {
      let end = memchr(start, Int32(UInt8(ascii: "\n")), left.count).map { UnsafeRawPointer($0) - start }
      var part = UnsafeRawBufferPointer(rebasing: left[..<(end ?? left.count)])
      left = UnsafeRawBufferPointer(rebasing: left.dropFirst(part.count + (end == nil ? 0 : 1)))
      if !part.isEmpty { takeReturn(&events) }
      if part.last == UInt8(ascii: "\r") {
        part = UnsafeRawBufferPointer(rebasing: part.dropLast())
        hasReturn = true
      }
      addToLine(part, &events)
      if end != nil {
        hasReturn = false
        emit(isContinued: false, &events)
      }
    }
  }

  /// Adds to the line. A line that is too long is reported in pieces, each of which ends with a whole character.
  private mutating func addToLine(_ part: UnsafeRawBufferPointer, _ events: inout EventQueue) {
    var left = part
    while line.count + left.count > EventFeed.longestLine {
      var size = max(0, EventFeed.longestLine - line.count)
      while size > 0, size < left.count, left[size] & 0xC0 == 0x80 { size -= 1 }
      line.append(UnsafeRawBufferPointer(rebasing: left[..<size]))
      left = UnsafeRawBufferPointer(rebasing: left[size...])
      emit(isContinued: true, &events)
    }
    line.append(left)
  }

  private mutating func emit(isContinued: Bool, _ events: inout EventQueue) {
    var text = ByteBuffer()
    swap(&text, &line)
    events.output(stream, text, isContinued: isContinued, at: time)
  }
}
