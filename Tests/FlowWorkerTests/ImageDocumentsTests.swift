import Testing

@testable import FWDocker
@testable import FWModel

@Suite struct ImageDocumentsTests {
  private func parsed(_ pieces: [String]) -> ImageDocuments {
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
      let progress = parsed(pieces).progress
      #expect(progress == ImageProgress(status: "Already exists", layers: 2, layersDone: 1, bytes: 3, bytesTotal: 10))
    }
  }

  @Test func lastDocumentNeedsNoLineEnd() {
    #expect(parsed(["{\"status\":\"x\"}\n{\"error\":\"no\\nspace\"}"]).failure == "no space")
    #expect(parsed(["{\"errorDetail\":{\"message\":\"gone\"}}\r\n"]).failure == "gone")
    #expect(parsed(["{\"status\":\"x\"}\n"]).failure == nil)
  }

  @Test func linesOfABuildAreBytes() {
    let text = #"{"stream":"one\r\n\u0301two\n\u001b[31mred\u001b[0m\u0301\n\u001b[1;m\u0301three"}"# + "\n"
    #expect(parsed([text]).log.lines(from: 0) == ["one", "\u{301}two", "red\u{301}", "\u{301}three"])
  }

  @Test func otherLinesArePassedOver() {
    #expect(parsed(["no JSON\n{\"status\":\"x\"}\n[1]\n"]).progress.status == "x")
  }
}

@Suite struct BuildLogTests {
  @Test func linesOfABuild() {
    var documents = ImageDocuments()
    let text =
      #"{"stream":"Step 1"}"# + "\n" + #"{"stream":"/2\n\n \u001b[91mred\u001b[0m\nrest"}"# + "\n" + #"{"error":"no"}"#
    Array(text.utf8).withUnsafeBytes { documents.take($0) }
    #expect(Array(documents.log.lines(from: 0)) == ["Step 1/2", "red"])
    documents.end()
    #expect(Array(documents.log.lines(from: 0)) == ["Step 1/2", "red", "rest"] && documents.failure == "no")
    #expect(Array(documents.log.lines(from: 2)) == ["rest"] && documents.log.count == 3)
  }

  @Test func whatIsKeptIsBounded() {
    var log = BuildLog()
    for number in 0..<50_000 { log.take("\u{1B}[31m\(number)\u{1B}[\n") }
    #expect(log.count == 50_000 && log.lines(from: 0).count <= 2 * BuildLog.maxLines)
    #expect(log.lines(from: 49_999).first == "49999[" && log.lines(from: 60_000).isEmpty)
    var documents = ImageDocuments()
    for number in 0..<20_000 {
      let line = "{\"status\":\"Downloading\",\"id\":\"l\(number)\",\"progressDetail\":{\"current\":1,\"total\":2}}\n"
      Array(line.utf8).withUnsafeBytes { documents.take($0) }
    }
    #expect(documents.progress.layers == 10_000 && documents.progress.bytesTotal == 20_000)
  }
}
