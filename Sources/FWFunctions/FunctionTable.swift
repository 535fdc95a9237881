package import FWBase
internal import FWExecution
package import FWModel

/// The functions of a pool, by their names.
package final class FunctionTable: SharedResource {
  private let functions: Guarded<[Name: Function]>

  package init() throws(FlowError) { functions = try Guarded([:]) }

  package func add(_ function: Function) {
    // A previous function of that name is released outside the lock, because its release may call the host.
    _ = functions.withLock { $0.updateValue(function, forKey: Name(function.name)) }
  }

  subscript(name: String) -> Function? { functions.withLock { $0[Name(name)] } }

  var names: [String] { functions.withLock { $0.keys.map(\.text) } }
}
