internal import Glibc

/// The environment of the host.
package enum Environment {
  /// A variable of the host's environment that is set and not empty.
  package static func value(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }
}
