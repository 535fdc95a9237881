internal import FWBase
internal import FWModel

/// The last lines that a build has written. Lines are numbered from 0.
struct BuildLog {
  private var lines: [String] = []
  /// The number of dropped lines, which is the number of the first line that is kept.
  private var dropped = 0
  /// The beginning of a line that is not complete.
  private var rest: [UInt8] = []

  static let maxLines = 10_000
  private static let maxLineLength = 64 << 10

  var count: Int { dropped + lines.count }

  /// The kept lines from a number on.
  func lines(from number: Int) -> ArraySlice<String> { lines.dropFirst(max(number - dropped, 0)) }

  mutating func take(_ text: String) {
    for byte in text.utf8 {
      if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
        finishLine()
      } else if rest.count < BuildLog.maxLineLength {
        rest.append(byte)
      }
    }
  }

  mutating func finishLine() {
    let line = MessageFormat.foreign(String(decoding: BuildLog.withoutColors(rest), as: UTF8.self))
    rest.removeAll(keepingCapacity: true)
    if line.isEmpty { return }
    lines.append(line)
    // Half of the lines are dropped at once, so that the cost of a line does not depend on their number.
    guard lines.count > 2 * BuildLog.maxLines else { return }
    dropped += lines.count - BuildLog.maxLines
    lines.removeFirst(lines.count - BuildLog.maxLines)
  }

  /// The line without colours. Engines colour the standard error of commands: ESC [ numbers m.
  private static func withoutColors(_ line: [UInt8]) -> [UInt8] {
    guard line.contains(0x1B) else { return line }
    var plain: [UInt8] = []
    var at = 0
    while at < line.count {
      guard line[at] == 0x1B, at + 1 < line.count, line[at + 1] == UInt8(ascii: "[") else {
        plain.append(line[at])
        at += 1
        continue
      }
      var end = at + 2
      while end < line.count, line[end] == UInt8(ascii: ";") || (0x30...0x39).contains(line[end]) { end += 1 }
      at = end < line.count && line[end] == UInt8(ascii: "m") ? end + 1 : at + 1
    }
    return plain
  }
}

/// The JSON documents by which an engine reports about a pull or a build. Each document is a line, and pieces may end
/// anywhere in a line. The part that is kept is bounded.
struct ImageDocuments {
  private struct Layer {
    var isDone = false
    var bytes: Int64 = 0
    var total: Int64 = 0
  }

  private var line: [UInt8] = []
  private var layers: [String: Layer] = [:]
  private(set) var progress = ImageProgress()
  private(set) var failure: String?
  private(set) var log = BuildLog()

  private static let maxLineLength = 1 << 20
  /// The most layers that are counted. Further layers are ignored.
  private static let maxLayers = 10_000

  mutating func take(_ bytes: UnsafeRawBufferPointer) {
    for byte in bytes {
      if byte == UInt8(ascii: "\n") {
        finishLine()
      } else if line.count < ImageDocuments.maxLineLength {
        line.append(byte)
      }
    }
  }

  /// Ends the stream. The text after the last line end is a document as well.
  mutating func end() {
    if !line.isEmpty { finishLine() }
    log.finishLine()
  }

  private mutating func finishLine() {
    defer { line.removeAll(keepingCapacity: true) }
    let json = line.withUnsafeBytes { try? JSONText.parse($0) }
    json?.read { json in
      if let error = json["error"]?.string ?? json["errorDetail"]?["message"]?.string {
        failure = MessageFormat.foreign(error)
      }
      if let text = json["stream"]?.string { log.take(text) }
      guard let status = json["status"]?.string else { return }
      progress.status = MessageFormat.foreign(status)
      // The first line of a pull has the tag of the image in place of a layer.
      guard let id = json["id"]?.string, !status.begins(with: "Pulling from") else { return }
      guard layers[id] != nil || layers.count < ImageDocuments.maxLayers else { return }
      let before = layers[id] ?? Layer()
      var layer = before
      let detail = json["progressDetail"]
      if status == "Downloading" {
        layer.bytes = detail?["current"]?.integer ?? layer.bytes
        layer.total = detail?["total"]?.integer ?? layer.total
      }
      if status == "Download complete" { layer.bytes = layer.total }
      if status == "Pull complete" || status == "Already exists" { layer.isDone = true }
      layers[id] = layer
      progress.layers = layers.count
      progress.layersDone += (layer.isDone ? 1 : 0) - (before.isDone ? 1 : 0)
      progress.bytes = progress.bytes &+ layer.bytes &- before.bytes
      progress.bytesTotal =
        progress.bytesTotal &+ max(layer.total, layer.bytes) &- max(before.total, before.bytes)
    }
  }
}
