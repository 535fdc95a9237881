package import FWBase

/// The progress of an image that an engine pulls or builds.
package struct ImageProgress: Equatable {
  /// The last status that the engine reported.
  package var status = ""
  package var layers = 0
  package var layersDone = 0
  /// The bytes that were downloaded, and the bytes of the whole download.
  package var bytes: Int64 = 0
  package var bytesTotal: Int64 = 0

  package init(status: String = "", layers: Int = 0, layersDone: Int = 0, bytes: Int64 = 0, bytesTotal: Int64 = 0) {
    self.status = status
    self.layers = layers
    self.layersDone = layersDone
    self.bytes = bytes
    self.bytesTotal = bytesTotal
  }
}

/// The progress of a notebook.
package struct CellProgress {
  /// The number of the cell, from 1, among the cells of the author's notebook.
  package let cell: Int
  package let of: Int
  let state: String

  /// Reads a report of progress; `nil` if it is not valid.
  package init?(_ line: JSONRef) {
    guard let cell = line["cell"]?.integer, let of = line["of"]?.integer, 1...Int64(Int32.max) ~= of, 1...of ~= cell,
      let state = line["state"]?.string, ["started", "ended", "failed"].contains(state)
    else { return nil }
    self.cell = Int(clamping: cell)
    self.of = Int(clamping: of)
    self.state = state
  }

  /// Whether this progress can follow another: cells are reported in order, and each has one beginning and one end.
  package func follows(_ last: CellProgress?) -> Bool {
    guard let last else { return state == "started" }
    if of != last.of { return false }
    return state == "started"
      ? last.state != "started" && cell > last.cell : last.state == "started" && cell == last.cell
  }
}
