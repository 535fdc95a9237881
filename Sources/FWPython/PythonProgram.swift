package import FWBase
package import FWExecution
package import FWModel
internal import FWProcess
internal import Glibc

/// Which Python interpreter a worker means, and with what environment.
package struct PythonProgram: Sendable {
  /// A path, or a name that is looked up.
  private let name: String
  private let env: KeyValues

  /// What is likely to help when an interpreter fails.
  package static let likely = "the interpreter is no Python, or something that it imports at its start is broken"

  package init(_ spec: WorkerSpec, _ options: PythonOptions, _ resources: SharedResources) {
    name = options.python ?? spec.variables["python"] ?? resources.variables["python"] ?? "python3"
    env = spec.env
  }

  /// What the interpreter gets: the host's environment, with the worker's entries and the step's.
  func environment(_ step: KeyValues, _ secrets: Secrets) -> TextBlock {
    TextBlock(environment: env.overridden(by: step), secrets, inherits: true)
  }

  /// The interpreter's program. As execvp(3) does it, but with the PATH of the worker, if it has one.
  func program(_ step: KeyValues) throws(StepFailure) -> String {
    if name.utf8.contains(UInt8(ascii: "/")) { return name }
    let own = env.overridden(by: step)["PATH"]
    let path = own ?? getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
    for directory in path.pieces(at: ":", keepingEmpty: true) {
      let candidate = directory.isEmpty ? "./\(name)" : "\(directory)/\(name)"
      if access(candidate, X_OK) == 0 { return candidate }
    }
    throw StepFailure(
      "the Python interpreter \(MessageFormat.quoted(name)) is in none of the directories of PATH (\(MessageFormat.foreign(path, limit: 1000))): "
        + "the worker's \"python\" names another one")
  }

  package func describe(_ planning: Planning, to writer: inout JSONWriter) {
    writer.member("inherits_environment", true)
    do throws(StepFailure) {
      writer.member("interpreter", try program(planning.env))
    } catch { writer.member("problem", error.reason) }
  }
}
