/// A function that the host has registered.
public final class Function: @unchecked Sendable {
  // Unchecked: the payload is the host's, who says that any thread may use it.
  public typealias Body = @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Void
  public typealias Release = @convention(c) (UnsafeMutableRawPointer?) -> Void

  let name: String
  let parameters: [String]
  let body: Body
  let payload: UnsafeMutableRawPointer?
  private let release: Release?

  /// - Parameter parameters: JSON text of an array of names; `nil`: none.
  public init(
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

  deinit { release?(payload) }
}

/// The functions of a pool, by their names.
final class FunctionTable: Sendable {
  private let functions: Guarded<[Name: Function]>

  init() throws(FlowError) { functions = try Guarded([:]) }

  func add(_ function: Function) {
    // The one before is released after the lock: that may call the host.
    _ = functions.withLock { $0.updateValue(function, forKey: Name(function.name)) }
  }

  subscript(name: String) -> Function? { functions.withLock { $0[Name(name)] } }

  var names: [String] { functions.withLock { $0.keys.map(\.text) } }
}
