package import FWBase

/// How far the work on an image is.
package struct ImageProgress: Equatable {
  /// What the engine says last.
  package var status = ""
  package var layers = 0
  package var layersDone = 0
  /// Of what is being downloaded.
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

/// How far a notebook is.
package struct CellProgress {
  /// From 1, among the cells of the author's notebook.
  package let cell: Int
  package let of: Int
  let state: String

  /// `nil`: it makes no sense.
  package init?(_ line: JSONRef) {
    guard let cell = line["cell"]?.integer, let of = line["of"]?.integer, 1...Int64(Int32.max) ~= of, 1...of ~= cell,
      let state = line["state"]?.string, ["started", "ended", "failed"].contains(state)
    else { return nil }
    self.cell = Int(clamping: cell)
    self.of = Int(clamping: of)
    self.state = state
  }

  /// Whether it can come after that: cells are told of in order, and each has one beginning and one end.
  package func follows(_ last: CellProgress?) -> Bool {
    guard let last else { return state == "started" }
    if of != last.of { return false }
    return state == "started"
      ? last.state != "started" && cell > last.cell : last.state == "started" && cell == last.cell
  }
}
