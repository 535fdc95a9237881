package import FWBase
package import FWModel

/// The objects that the workers of a pool share. Each engine has a resource of its own here, which is created when it
/// is first needed.
package final class SharedResources: Sendable {
  /// The default variables of the configuration.
  package let variables: KeyValues
  private let resources: Guarded<[any SharedResource]>

  package init(variables: KeyValues = KeyValues()) throws(FlowError) {
    self.variables = variables
    resources = try Guarded([])
  }

  package func resource<Resource: SharedResource>(_ type: Resource.Type) throws(FlowError) -> Resource {
    try resources.withLock { (resources) throws(FlowError) in
      for resource in resources { if let resource = resource as? Resource { return resource } }
      let resource = try Resource()
      resources.append(resource)
      return resource
    }
  }
}

/// A resource that several workers of a pool use, such as idle interpreters.
package protocol SharedResource: AnyObject, Sendable {
  init() throws(FlowError)
}
