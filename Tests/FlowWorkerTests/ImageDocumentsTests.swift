import Testing

@testable import FlowWorker

@Suite struct ImageDocumentsTests {
  private func told(_ pieces: [String]) -> ImageDocuments {
    var documents = ImageDocuments()
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
      #expect(progress == ImageProgress(status: "Already exists", layers: 2, layersDone: 1, bytes: 3, bytesTotal: 10))
    }
  }

  @Test func lastDocumentNeedsNoLineEnd() {
    #expect(told(["{\"status\":\"x\"}\n{\"error\":\"no\\nspace\"}"]).failure == "no space")
    #expect(told(["{\"errorDetail\":{\"message\":\"gone\"}}\r\n"]).failure == "gone")
    #expect(told(["{\"status\":\"x\"}\n"]).failure == nil)
  }

  @Test func linesOfABuildAreBytes() {
    let text = #"{"stream":"one\r\n\u0301two\n\u001b[31mred\u001b[0m\u0301\n\u001b[1;m\u0301three"}"# + "\n"
    #expect(told([text]).log == ["one", "\u{301}two", "red\u{301}", "\u{301}three"])
  }

  @Test func otherLinesArePassedOver() {
    #expect(told(["no JSON\n{\"status\":\"x\"}\n[1]\n"]).progress.status == "x")
  }
}

@Suite struct BuildLogTests {
  @Test func linesOfABuild() {
    var documents = ImageDocuments()
    let text =
      #"{"stream":"Step 1"}"# + "\n" + #"{"stream":"/2\n\n \u001b[91mred\u001b[0m\nrest"}"# + "\n" + #"{"error":"no"}"#
    Array(text.utf8).withUnsafeBytes { documents.take($0) }
    #expect(documents.log == ["Step 1/2", "red"])
    documents.end()
    #expect(documents.log == ["Step 1/2", "red", "rest"] && documents.failure == "no")
  }
}
