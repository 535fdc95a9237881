import Testing

@testable import FlowWorker

@Suite struct PullDocumentsTests {
  private func told(_ pieces: [String]) -> PullDocuments {
    var documents = PullDocuments()
    for piece in pieces { Array(piece.utf8).withUnsafeBytes { documents.take($0) } }
    documents.end()
    return documents
  }

  @Test func piecesHaveNothingToDoWithLines() {
    let text = """
      {"status":"Pulling from library/x","id":"1"}
      {"status":"Downloading","progressDetail":{"current":3,"total":10},"id":"a"}
      {"status":"Already exists","id":"b"}

      """
    for size in 1...text.count {
      var pieces: [String] = []
      var rest = Substring(text)
      while !rest.isEmpty {
        pieces.append(String(rest.prefix(size)))
        rest = rest.dropFirst(size)
      }
      let progress = told(pieces).progress
      #expect(progress == PullProgress(status: "Already exists", layers: 2, layersDone: 1, bytes: 3, bytesTotal: 10))
    }
  }

  @Test func lastDocumentNeedsNoLineEnd() {
    #expect(told(["{\"status\":\"x\"}\n{\"error\":\"no\\nspace\"}"]).failure == "no space")
    #expect(told(["{\"errorDetail\":{\"message\":\"gone\"}}\r\n"]).failure == "gone")
    #expect(told(["{\"status\":\"x\"}\n"]).failure == nil)
  }

  @Test func otherLinesArePassedOver() {
    #expect(told(["no JSON\n{\"status\":\"x\"}\n[1]\n"]).progress.status == "x")
  }
}
