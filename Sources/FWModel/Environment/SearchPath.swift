internal import Glibc

/// The directories in which a shell looks for programs.
package enum SearchPath {
  case explicit(String)
  case inherited(String)
  /// The environment of the command has no PATH, so the shell uses its built-in one.
  case missing

  package init(_ environment: CommandEnvironment) {
    let name = "PATH"
    if let own = environment.variables[name] {
      self = .explicit(own)
    } else if environment.inherits(name), let host = getenv("PATH") {
      self = .inherited(String(cString: host))
    } else {
      self = .missing
    }
  }

  /// The value of PATH; `nil` if it is missing.
  package var text: String? {
    switch self {
    case .explicit(let path), .inherited(let path): return path
    case .missing: return nil
    }
  }

  var shown: String {
    switch self {
    case .explicit(let path): return "PATH=\(path)"
    case .inherited(let path): return "PATH=\(path) (this process's)"
    case .missing: return "no PATH: the shell uses its built-in one"
    }
  }
}
