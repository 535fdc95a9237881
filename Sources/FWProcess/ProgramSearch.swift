internal import FWBase
package import FWModel
internal import CSystem
internal import Glibc

/// The search of PATH: the one place that knows how a name becomes the paths of programs.
///
/// A program of the library's own (a Python interpreter, srun) is found here, before it is started. A command that runs
/// without the shell gets all candidates in their order: the supervisor executes one after the other, as a shell does,
/// so nothing can change between the look and the start. It makes no search of its own, because it has neither a C
/// library nor the environment's text.
package enum ProgramSearch {
  /// Where programs are when there is no PATH.
  private static let fallback = "/usr/local/bin:/usr/bin:/bin"

  /// The paths that a name may stand for, in the order of a PATH. An empty element stands for the working directory.
  static func candidates(_ name: UnsafeRawBufferPointer, in path: UnsafeRawBufferPointer) -> TextBlock {
    var candidates = TextBlock()
    for directory in path.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
      var candidate = ByteBuffer()
      if !directory.isEmpty {
        candidate.append(UnsafeRawBufferPointer(rebasing: directory))
        candidate.append(byte: UInt8(ascii: "/"))
      }
      candidate.append(name)
      candidates.add(candidate.bytes)
    }
    return candidates
  }

  /// The result of `find`: the program, or the PATH that does not have it, which the message shows.
  package enum Found {
    case program(String)
    case nowhere(path: String)
  }

  /// The first file on PATH that may be executed.
  ///
  /// Elements that are no absolute paths are passed over: programs of the library's own are started in the root
  /// directory, where such a path would stand for another file. A directory whose name is not UTF-8 is passed over,
  /// too, because messages and the keys of interpreters have the program as text.
  ///
  /// - Parameter path: the PATH of the program's environment.
  package static func find(_ name: String, in path: SearchPath = SearchPath(.host)) -> Found {
    let path = path.text ?? fallback
    var nameBytes = ByteBuffer()
    var pathBytes = ByteBuffer()
    nameBytes.append(name)
    pathBytes.append(path)
    let candidates = candidates(nameBytes.bytes, in: pathBytes.bytes)
    for index in 0..<candidates.count {
      let candidate = candidates.text(index)
      guard candidate.first == UInt8(ascii: "/"), isProgram(candidate) else { continue }
      return .program(String(decoding: candidate, as: UTF8.self))
    }
    return .nowhere(path: path)
  }

  /// - Parameter path: a text of a `TextBlock`, which a NUL follows.
  private static func isProgram(_ path: UnsafeRawBufferPointer) -> Bool {
    guard let start = path.baseAddress?.assumingMemoryBound(to: CChar.self) else { return false }
    var status = stat()
    return access(start, X_OK) == 0 && stat(start, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }
}
