internal import CSystem
package import FWBase

/// A function that the host has registered.
package final class Function: @unchecked Sendable {
  // The conformance is unchecked because the payload is the host's, who says that any thread may use it.
  package typealias Body = @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Void
  package typealias Release = @convention(c) (UnsafeMutableRawPointer?) -> Void

  package let name: String
  package let parameters: [String]
  package let body: Body
  package let payload: UnsafeMutableRawPointer?
  private let release: Release?

  /// - Parameter parameters: JSON text of an array of names; `nil` for none.
  package init(
    _ name: String, parameters: UnsafeRawBufferPointer?, _ body: Body, _ payload: UnsafeMutableRawPointer?,
    release: Release?
  ) throws(FlowError) {
    var names: [String] = []
    if let parameters {
      names = try JSONText.read(parameters) { (json) throws(ValidationError) in try json.requireStrings() }
    }
    self.name = name
    self.parameters = names
    self.body = body
    self.payload = payload
    self.release = release
  }

  deinit { Function.release(payload, by: release) }

  /// Gives a payload back to the host. An exception that the host's function throws is dropped, because nobody waits
  /// for it.
  package static func release(_ payload: UnsafeMutableRawPointer?, by release: Release?) {
    guard let release, let thrown = callBack(release, payload) else { return }
    Log.write(
      .warning, "the release callback of a function raised \(MessageFormat.foreign(thrown.text)), which was dropped")
  }

  /// Calls a callback of the host, and returns the exception that it has thrown.
  package static func callBack(_ callback: Release, _ payload: UnsafeMutableRawPointer?) -> RaisedException? {
    var thrown: RaisedException?
    withUnsafeMutablePointer(to: &thrown) { thrown in
      fws_call_back(
        callback, payload,
        { context, end, type, message in
          if end == FWS_HOST_RETURNED { return }
          context?.assumingMemoryBound(to: RaisedException?.self).pointee = RaisedException(thrown: type, message)
        }, thrown)
    }
    return thrown
  }
}

/// A value that JSON cannot express in full. The host has the object, and the library has the text that is shown for
/// it.
package struct HostObject: Sendable {
  /// The kind of the object, in words.
  package let kind: String
  /// Why the text that is shown must not stand in a command; `nil` if it may.
  package let unfit: String?
  /// Why the text that is shown must not be a parameter of a notebook; `nil` if it may.
  package let unfitParameter: String?

  package init(kind: String, unfit: String?, unfitParameter: String?) {
    self.kind = kind
    self.unfit = unfit
    self.unfitParameter = unfitParameter
  }
}
