/// How far a pull is.
struct PullProgress: Equatable {
  /// What the engine says last.
  var status = ""
  var layers = 0
  var layersDone = 0
  /// Of what is being downloaded.
  var bytes: Int64 = 0
  var bytesTotal: Int64 = 0
}

/// The JSON documents that an engine tells of a pull: one a line, in pieces that have nothing to do with lines.
struct PullDocuments {
  private var line: [UInt8] = []
  private var layers: [String: (done: Bool, bytes: Int64, total: Int64)] = [:]
  private(set) var progress = PullProgress()
  private(set) var failure: String?

  private static let longestLine = 1 << 20

  mutating func take(_ bytes: UnsafeRawBufferPointer) {
    for byte in bytes {
      if byte == UInt8(ascii: "\n") {
        finishLine()
      } else if line.count < PullDocuments.longestLine {
        line.append(byte)
      }
    }
  }

  /// What follows the last line end is a document too.
  mutating func end() { if !line.isEmpty { finishLine() } }

  private mutating func finishLine() {
    defer { line.removeAll(keepingCapacity: true) }
    let json = line.withUnsafeBytes { try? JSONText.parse($0) }
    guard let json else { return }
    json.read { json in
      if let error = json["error"]?.string ?? json["errorDetail"]?["message"]?.string { failure = Wording.line(error) }
      guard let status = json["status"]?.string else { return }
      progress.status = Wording.line(status)
      // The first line names the image with its tag as the id.
      guard let id = json["id"]?.string, !status.hasPrefix("Pulling from") else { return }
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
