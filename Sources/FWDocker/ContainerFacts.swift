internal import FWBase
internal import FWModel

extension ContainerFacts {
  func masked(by secrets: Secrets) -> any EngineFacts { self }

  var tried: [String] { ["the engine at \(host)", "the image \(image)"] }

  func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("host", host)
      writer.member("image", image)
      writer.member("image_id", imageID)
      writer.member("digest", digest)
      writer.member("pulled", isPulled)
    }
  }
}
