internal import CSystem
internal import FWBase
internal import FWHTTP
internal import FWModel

/// The upload of a large file in parts, several of which are in flight at once. The object is there when all parts have
/// arrived and the upload is completed. Until then the bucket stores the parts, and charges for them; a failure or a
/// cancellation therefore aborts the upload, which removes them.
final class S3Upload {
  let file: VolumeFile
  let fd: Int32
  let end: (StepFailure?) -> Void
  let partSize: Int64
  /// The name that the service has given the upload; `nil` as long as there is no answer.
  var id: String?
  /// The tags of the parts that have arrived. The service has to be told them in the end.
  var tags: [String?]
  /// The number of parts that were sent or are being sent.
  var begun = 0
  var arrived = 0
  /// The requests of the parts in flight.
  var parts: Set<ObjectIdentifier> = []
  /// The request that asks the service for the name of the upload; `nil` when it has ended.
  var creation: HTTPCall?
  /// Whether the upload ends without an object.
  var isStopped = false
  /// Why it ends without an object; `nil` if nobody has to be told.
  var failure: StepFailure?
  /// Whether parts were in flight when the upload was stopped.
  var hadParts = false

  /// The largest file that is sent in one request, in bytes. Amazon recommends parts from 100 MB on. Below that they
  /// cost more than they gain when several files are in flight anyway.
  static let threshold: Int64 = 100 << 20
  /// Amazon's own tools begin with parts of this size.
  private static let smallestPart: Int64 = 8 << 20
  /// The limit of the protocol.
  private static let maxParts: Int64 = 10_000
  /// The longest name or tag of a service that is accepted, in bytes.
  static let longestName = 2048
  /// The number of seconds that a service has to answer the request for an end without an object.
  static let abortLimit = 5.0

  init(_ file: VolumeFile, _ fd: Int32, _ end: @escaping (StepFailure?) -> Void) {
    self.file = file
    self.fd = fd
    self.end = end
    partSize = S3Upload.partSize(of: file.size)
    tags = Array(repeating: nil, count: Int(clamping: (file.size + partSize - 1) / partSize))
  }

  /// The size of each part but the last one: a power of two, with which there are not too many parts.
  static func partSize(of size: Int64) -> Int64 {
    var part = smallestPart
    while (size - 1) / part >= maxParts { part *= 2 }
    return part
  }

  var query: String { "uploadId=\(S3Bucket.escaped(Array((id ?? "").utf8), all: true))" }

  /// The list of all parts, as the service needs it at the end.
  var list: String {
    var text = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
    for (index, tag) in tags.enumerated() {
      text += "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(S3Listing.escaped(tag ?? ""))</ETag></Part>"
    }
    return text + "</CompleteMultipartUpload>"
  }
}

extension S3Volume {
  func upload(
    _ file: VolumeFile, from fd: Int32, _ headers: [String], _ end: @escaping (StepFailure?) -> Void
  ) {
    let upload = S3Upload(file, fd, end)
    uploads.append(upload)
    // A dropped operation does not end this request, because the name in the answer is needed for the abort.
    upload.creation = request(
      file.key, query: "uploads=", headers: headers + ["Content-Type: application/octet-stream"],
      { (request) throws(StepFailure) in try request.method("POST", body: []) }
    ) { [weak self] answer in self?.takeName(of: upload, answer) }
  }

  private func takeName(of upload: S3Upload, _ answer: borrowing HTTPAnswer) {
    let text = Array(answer.body.bytes)
    let name = answer.isSuccess ? S3Listing.elements("UploadId", in: text).first.map { S3Listing.text($0) } : nil
    upload.id = name.flatMap { (1...S3Upload.longestName).contains($0.utf8.count) ? $0 : nil }
    upload.creation = nil
    if upload.isStopped { return abort(upload) }
    if upload.id != nil { return sendParts() }
    let what = "begin an upload in parts for the key \(upload.file.key.shown)"
    fail(
      upload, answer.isSuccess ? invalidAnswer(what, "the answer has no name for it") : failure(what, answer))
  }

  private func invalidAnswer(_ what: String, _ why: String) -> StepFailure {
    StepFailure(volume: "the volume \(MessageFormat.quoted(name)) did not \(what): \(why)")
  }

  /// Sends parts of the large files in flight, as far as there is room for more requests.
  func sendParts() {
    for upload in uploads where upload.id != nil {
      while hasRoom, upload.begun < upload.tags.count { sendPart(of: upload) }
    }
  }

  private func sendPart(of upload: S3Upload) {
    let index = upload.begun
    upload.begun += 1
    let offset = Int64(index) * upload.partSize
    let size = min(upload.partSize, upload.file.size - offset)
    var id: ObjectIdentifier?
    id = start(
      upload.file.key, query: "partNumber=\(index + 1)&\(upload.query)",
      { (request) throws(StepFailure) in request.send(upload.fd, from: offset, size: size) }
    ) { [self] answer in
      if let id { upload.parts.remove(id) }
      let what = "accept part \(index + 1) of the key \(upload.file.key.shown)"
      guard answer.isSuccess else { return fail(upload, failure(what, answer, sending: upload.file.key)) }
      guard let tag = answer.header("etag"), (1...S3Upload.longestName).contains(tag.utf8.count) else {
        return fail(upload, invalidAnswer(what, "the answer has no tag (ETag)"))
      }
      upload.tags[index] = tag
      upload.arrived += 1
      if upload.arrived == upload.tags.count { complete(upload) }
    }
    if let id { upload.parts.insert(id) }
  }

  private func complete(_ upload: S3Upload) {
    start(
      upload.file.key, query: upload.query, headers: ["Content-Type: application/xml"],
      { (request) throws(StepFailure) in
        try request.method("POST", body: Array(upload.list.utf8))
        // The service may need minutes. Meanwhile it sends spaces.
        request.mayTakeLong()
      }
    ) { [self] answer in
      let what = "complete the upload of the key \(upload.file.key.shown)"
      guard answer.isSuccess else { return fail(upload, failure(what, answer)) }
      // The service sends the status before it has begun, so a failure is in the body.
      let root = S3Listing.root(Array(answer.body.bytes))
      guard root?.elementsEqual("CompleteMultipartUploadResult".utf8) == true else {
        return fail(
          upload,
          root?.elementsEqual("Error".utf8) == true
            ? failure(what, answer) : invalidAnswer(what, "the answer does not say that it is complete"))
      }
      uploads.removeAll { $0 === upload }
      verify(upload.file, upload.end)
    }
  }

  // MARK: The end without an object

  /// Ends an upload with a failure, which is reported when the bucket has removed the parts.
  private func fail(_ upload: S3Upload, _ failure: StepFailure) {
    uploads.removeAll { $0 === upload }
    upload.failure = failure
    stop(upload)
  }

  /// Ends an upload without an object.
  func stop(_ upload: S3Upload) {
    upload.isStopped = true
    upload.hadParts = !upload.parts.isEmpty
    drop(upload.parts)
    stopped.append(upload)
    if let creation = upload.creation { creation.limit(S3Upload.abortLimit) } else { abort(upload) }
  }

  private func abort(_ upload: S3Upload) {
    guard upload.id != nil else { return forget(upload) }
    request(
      upload.file.key, query: upload.query,
      { (request) throws(StepFailure) in
        try request.method("DELETE")
        request.limit(S3Upload.abortLimit)
      }
    ) { [weak self] answer in
      // A part that had arrived, but was not answered, may be stored after the first abort.
      if answer.isSuccess, upload.hadParts {
        upload.hadParts = false
        self?.abort(upload)
      } else {
        self?.forget(upload, hasParts: !answer.isSuccess && answer.status != 404)
      }
    }
  }

  private func forget(_ upload: S3Upload, hasParts: Bool = false) {
    stopped.removeAll { $0 === upload }
    guard let failure = upload.failure else { return }
    let left = hasParts ? "; the parts that were sent are still in the bucket, because the upload was not aborted" : ""
    upload.end(StepFailure(failure.outcome, failure.reason + left))
  }
}
