package import CHTTP
package import FWBase

/// The description of a transfer, as C takes it. It owns the texts that the C structure points to.
package final class TransferRequest {
  package private(set) var transfer = fws_transfer()
  private var texts: [CText] = []
  private var lists: [UnsafeMutablePointer<UnsafePointer<CChar>?>] = []

  /// - Parameters:
  ///   - timeout: the number of seconds that a connection may take.
  ///   - silence: the number of seconds without data after which a transfer has failed, and within which a request
  ///     without content has to be answered.
  package init(_ url: String, timeout: Double, silence: Double = 60) throws(StepFailure) {
    transfer.content = -1
    transfer.timeout = timeout
    // The silence limit also runs while the connection is made, so it is not shorter than the connection's limit.
    transfer.limits.silence = max(silence, timeout)
    transfer.limits.whole = transfer.limits.silence
    transfer.url = try text(url)
  }

  deinit { for list in lists { list.deallocate() } }

  private func text(_ text: String) throws(StepFailure) -> UnsafePointer<CChar> {
    guard let copy = try? CText(text) else { throw .noMemory }
    texts.append(copy)
    return copy.start
  }

  /// - Parameter lines: the lines, without NUL.
  private func list(_ lines: [[UInt8]]) throws(StepFailure) -> UnsafePointer<UnsafePointer<CChar>?> {
    let list = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(capacity: lines.count + 1)
    list.initialize(repeating: nil, count: lines.count + 1)
    lists.append(list)
    for (index, line) in lines.enumerated() {
      guard let copy = line.withCString({ try? CText(copying: $0) }) else { throw .noMemory }
      texts.append(copy)
      list[index] = copy.start
    }
    return UnsafePointer(list)
  }

  package func sign(_ kind: String, user: String, key: String) throws(StepFailure) {
    transfer.signature = try text(kind)
    transfer.user = try text(user)
    transfer.password = try text(key)
  }

  package func headers(_ lines: [String]) throws(StepFailure) {
    transfer.headers = try list(lines.map { Array($0.utf8) })
  }

  package func head() { transfer.is_head = true }

  /// - Parameters:
  ///   - method: a method other than GET, HEAD and PUT.
  ///   - body: what is sent with it; `nil` if the method has no body.
  package func method(_ method: String, body: [UInt8]? = nil) throws(StepFailure) {
    transfer.method = try text(method)
    guard let body else { return }
    guard let copy = body.withCString({ try? CText(copying: $0) }) else { throw .noMemory }
    texts.append(copy)
    transfer.body = UnsafeRawPointer(copy.start)
    transfer.body_size = body.count
  }

  /// Sets how long the whole request may take, in seconds.
  package func limit(_ seconds: Double) {
    transfer.limits.silence = seconds
    transfer.limits.whole = seconds
  }

  /// Lets the answer take any time, as long as something of it arrives now and then.
  package func mayTakeLong() {
    transfer.limits.head = transfer.limits.silence
    transfer.limits.whole = 0
  }

  /// - Parameter size: the number of bytes that are to come. An answer with more of them is a failure.
  package func receive(into fd: Int32, size: Int64) {
    transfer.content = fd
    transfer.size = size
    transfer.limits.head = transfer.limits.silence
    transfer.limits.whole = 0
  }

  /// - Parameter offset: where in the file the content begins.
  package func send(_ fd: Int32, from offset: Int64 = 0, size: Int64) {
    transfer.content = fd
    transfer.offset = offset
    transfer.is_upload = true
    transfer.limits.whole = 0
    transfer.size = size
  }
}
