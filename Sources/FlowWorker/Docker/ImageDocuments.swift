/// How far the work on an image is.
struct ImageProgress: Equatable {
  /// What the engine says last.
  var status = ""
  var layers = 0
  var layersDone = 0
  /// Of what is being downloaded.
  var bytes: Int64 = 0
  var bytesTotal: Int64 = 0
}

/// The JSON documents that an engine tells of a pull or of a build: one a line, in pieces that have nothing to do with lines.
struct ImageDocuments {
  private var line: [UInt8] = []
  private var layers: [String: (done: Bool, bytes: Int64, total: Int64)] = [:]
  private(set) var progress = ImageProgress()
  private(set) var failure: String?
  /// What a build has written, line by line.
  private(set) var log: [String] = []
  private var logRest: [UInt8] = []

  private static let longestLine = 1 << 20

  mutating func take(_ bytes: UnsafeRawBufferPointer) {
    for byte in bytes {
      if byte == UInt8(ascii: "\n") {
        finishLine()
      } else if line.count < ImageDocuments.longestLine {
        line.append(byte)
      }
    }
  }

  /// What follows the last line end is a document too.
  mutating func end() {
    if !line.isEmpty { finishLine() }
    takeLog("\n")
  }

  private mutating func takeLog(_ text: String) {
    for byte in text.utf8 {
      guard byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") else {
        if logRest.count < ImageDocuments.longestLine { logRest.append(byte) }
        continue
      }
      let line = Wording.line(ImageDocuments.withoutColors(logRest))
      logRest.removeAll(keepingCapacity: true)
      if !line.isEmpty, log.count < ImageDocuments.longestLog { log.append(line) }
    }
  }

  /// Engines colour what a command writes to its standard error: ESC [ numbers m.
  private static func withoutColors(_ text: [UInt8]) -> String {
    var plain: [UInt8] = []
    var rest = text[...]
    while let escape = rest.firstIndex(of: 0x1B) {
      plain += rest[..<escape]
      rest = rest[(escape + 1)...]
      let numbers = rest.dropFirst().prefix { $0 >= 0x30 && $0 <= 0x3B && $0 != 0x3A }
      if rest.first == UInt8(ascii: "["), numbers.endIndex < rest.endIndex, rest[numbers.endIndex] == UInt8(ascii: "m") {
        rest = rest[(numbers.endIndex + 1)...]
      }
    }
    return String(decoding: plain + rest, as: UTF8.self)
  }

  private static let longestLog = 100_000

  private mutating func finishLine() {
    defer { line.removeAll(keepingCapacity: true) }
    let json = line.withUnsafeBytes { try? JSONText.parse($0) }
    guard let json else { return }
    json.read { json in
      if let error = json["error"]?.string ?? json["errorDetail"]?["message"]?.string { failure = Wording.line(error) }
      if let text = json["stream"]?.string { takeLog(text) }
      guard let status = json["status"]?.string else { return }
      progress.status = Wording.line(status)
      // The first line names the image with its tag as the id.
      guard let id = json["id"]?.string, !status.begins(with: "Pulling from") else { return }
      var layer = layers[id] ?? (false, 0, 0)
      let detail = json["progressDetail"]
      if status == "Downloading" {
        layer.bytes = detail?["current"]?.integer ?? layer.bytes
        layer.total = detail?["total"]?.integer ?? layer.total
      }
      if status == "Download complete" { layer.bytes = layer.total }
      if status == "Pull complete" || status == "Already exists" { layer.done = true }
      layers[id] = layer
    }
    progress.layers = layers.count
    progress.layersDone = layers.values.filter(\.done).count
    progress.bytes = layers.values.reduce(0) { $0 &+ $1.bytes }
    progress.bytesTotal = layers.values.reduce(0) { $0 &+ max($1.total, $1.bytes) }
  }
}
