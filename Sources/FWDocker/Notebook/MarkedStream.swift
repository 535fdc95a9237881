/// A stream in which lines of the runner's are among a program's own output. They begin with a byte that is seldom and a word
/// that only the two of us know.
struct MarkedStream {
  private let mark: [UInt8]
  /// What may be the beginning of a mark, or a line after one.
  private var pending: [UInt8] = []
  private var isInLine = false

  private static let longestLine = 64 << 20

  init(word: String) { mark = [0x1e] + Array(word.utf8) }

  /// Tells the two apart.
  mutating func take(
    _ bytes: UnsafeRawBufferPointer, output: (UnsafeRawBufferPointer) -> Void, line: (UnsafeRawBufferPointer) -> Void
  ) {
    var at = 0
    while at < bytes.count {
      if isInLine {
        let rest = bytes[at...]
        let end = rest.firstIndex(of: UInt8(ascii: "\n"))
        if pending.count < MarkedStream.longestLine { pending += bytes[at..<(end ?? bytes.count)] }
        guard let end else { return }
        pending.withUnsafeBytes(line)
        pending.removeAll(keepingCapacity: true)
        isInLine = false
        at = end + 1
      } else if pending.isEmpty {
        let end = bytes[at...].firstIndex(of: 0x1e) ?? bytes.count
        if end > at { output(UnsafeRawBufferPointer(rebasing: bytes[at..<end])) }
        if end < bytes.count { pending = [0x1e] }
        at = end + 1
      } else if bytes[at] == mark[pending.count] {
        pending.append(bytes[at])
        at += 1
        if pending.count == mark.count {
          pending.removeAll(keepingCapacity: true)
          isInLine = true
        }
      } else {
        // It was none; the byte that is another may begin one.
        finish(output)
      }
    }
  }

  /// What has begun like a mark is output. False: a line has begun and did not end.
  @discardableResult
  mutating func finish(_ output: (UnsafeRawBufferPointer) -> Void) -> Bool {
    let isComplete = !isInLine
    if isComplete, !pending.isEmpty { pending.withUnsafeBytes(output) }
    pending.removeAll(keepingCapacity: true)
    isInLine = false
    return isComplete
  }
}
