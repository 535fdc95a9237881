internal import CSystem
package import FWBase
internal import Glibc

/// The run directory of a step.
package enum RunDirectory {
  /// - Parameter isKept: whether code of the host runs before the descriptor is closed.
  package static func open(_ path: CText, isKept: Bool = false) throws(StepFailure) -> Descriptor {
    let fd = fws_open_directory(path.start)
    if fd >= 0 { return Descriptor(fd, isKept: isKept) }
    let shown = MessageFormat.path(path.string)
    switch -fd {
    case ENOENT: throw StepFailure("the run directory \(shown) does not exist")
    case ENOTDIR: throw StepFailure("the run directory \(shown) is not a directory")
    default: throw StepFailure("the run directory \(shown) cannot be opened", 0 - fd)
    }
  }

  /// Opens the root directory, in which the library's helper programs run.
  package static func root() throws(StepFailure) -> Descriptor {
    let fd = fws_open_directory("/")
    guard fd >= 0 else { throw StepFailure("the root directory cannot be opened", -fd) }
    return Descriptor(fd, isKept: false)
  }
}
