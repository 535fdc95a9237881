internal import Glibc

/// The environment of the host.
package enum Environment {
  /// The value of a variable of the host's environment; `nil` if the variable is not set, or empty.
  package static func value(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }
}
