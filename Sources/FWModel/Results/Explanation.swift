internal import FWBase
internal import Glibc

/// What somebody who has to repair a failure needs besides its message: which layer failed, what was tried, and what is
/// likely to help.
package struct Explanation {
  /// The layer that was at work when the step failed.
  package enum Layer: String {
    /// The program that the step runs.
    case command
    case shell
    case function
    case notebook
    /// The library failed before anything of the step ran.
    case start
    /// The process that watches the command.
    case supervisor
    /// A container engine.
    case engine
    case scheduler
    /// The host has cancelled the step, or has set the timeout that passed.
    case host
    /// The storage of the step's files.
    case volume
  }

  package let layer: Layer
  package let tried: [String]
  package let likely: String?

  /// - Parameter path: where the shell looks for programs; `nil` if the commands do not run on this machine.
  init?(
    _ record: CommandRecord, type: WorkerType, step: StepType, path: SearchPath?, engine: (any EngineFacts)?,
    _ secrets: Secrets
  ) {
    guard record.returncode != 0 else { return nil }
    let end = record.end
    let remote = type.layer
    var tried = engine?.tried ?? []
    switch end.outcome {
    case .exited where step == .container && (end.exitCode == 127 || end.exitCode == 126):
      layer = .shell
      if let path { tried = [path.shown] + tried }
      likely =
        end.exitCode == 126
        ? "the program is not an executable file, is built for another kind of machine, or has an argument that is "
          + "longer than 128 KiB"
        : path.map { $0.text == nil } == true
          ? "the environment of the command has no PATH: set one in the worker's \"env\", or set \"inherit_env\""
          : "the program is not installed, its name is misspelled, or its directory is not in PATH"
    case .exited where step != .container && end.exception?.trace.isEmpty != false:
      layer = step == .notebook ? .notebook : .function
      likely = step == .notebook ? "see the output notebook and the standard error" : nil
    case .exited:
      layer = step == .code ? .function : step == .notebook ? .notebook : .command
      likely = nil  // The message has the last line of the standard error, and the result has the trace.
    case .signaled:
      layer = .command
      likely = Explanation.signal(end.signal ?? 0)
    case .timeout, .cancelled:
      layer = end.explanation != nil && remote == .scheduler ? .scheduler : .host
      if let signal = end.endedBy { tried.append("TERM" + (signal == .kill ? ", then KILL after the grace" : "")) }
      likely =
        end.outcome == .cancelled ? nil : end.likely ?? "the step needs a longer \"timeout\", or it hangs"
    case .oom:
      layer = end.treeLimits == nil ? remote : .command
      likely = "the step needs more \"memory\" than its worker allows"
    case .spawnFailed:
      layer = remote == .scheduler && end.failure?.contains("scheduler") == true ? .scheduler : .start
      if let call = end.failedCall { tried.append(call) }
      likely = end.likely
    case .engineFailed where engine == nil && end.likely != nil && remote != .scheduler:
      layer = .supervisor
      likely = end.likely
    case .engineFailed:
      layer = remote
      likely = end.likely ?? type.likely
    case .outputMissing:
      layer = .volume
      likely =
        "the step writes the file under another name or in another directory, or its \"outputs\" are wrong"
    case .inputMissing:
      layer = .volume
      likely = "the file is not in the run directory, has another name, or is not listed in the \"files\" of its volume"
    case .volumeFailed:
      layer = .volume
      likely = nil
    case .statusUnknown:
      layer = remote == .scheduler ? .scheduler : .supervisor
      likely =
        end.likely
        ?? "the process that watched the command was killed: by the system when memory ran out, or by a person"
    }
    self.tried = tried.map { MessageFormat.foreign(secrets.masked($0), limit: 1000) }
  }

  private static func signal(_ number: Int32) -> String? {
    switch number {
    case SIGKILL: return "it was killed: by the system when memory ran out (see its log), or by a person"
    case SIGTERM: return "another process asked it to end"
    case SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP: return "a defect in the program"
    case SIGXCPU: return "the limit of processor time (\"cpu_time\") was reached"
    case SIGXFSZ: return "the limit of file size (\"file_size\") was reached"
    case SIGPIPE: return "it wrote to a pipe whose reader had ended"
    default: return nil
    }
  }

  func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("layer", layer.rawValue)
      writer.member("tried") { writer in writer.array(tried) { $0.string($1) } }
      writer.member("likely", likely)
    }
  }
}
