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

  let layer: Layer
  let tried: [String]
  let likely: String?

  /// - Parameter path: where the shell looks for programs; `nil`: the commands do not run on this machine.
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
        ? "the program is a file without the right to be executed, or a directory; it is for another kind of machine; "
          + "or one of its arguments is longer than 128 KiB"
        : path?.isMissing == true
          ? "the environment of the command has no PATH: put one into the \"env\" of the worker, or set \"inherit_env\""
          : "the program is not installed, is spelled otherwise, or PATH lacks its directory"
    case .exited where step != .container && end.exception?.trace.isEmpty != false:
      layer = step == .notebook ? .notebook : .function
      likely = step == .notebook ? "the output notebook and the standard error say more" : nil
    case .exited:
      layer = step == .code ? .function : step == .notebook ? .notebook : .command
      likely = step == .container ? "the program says why on its standard error" : "the trace says where"
    case .signaled:
      layer = .command
      likely = Explanation.signal(end.signal ?? 0)
    case .timeout, .cancelled:
      layer = end.explanation != nil && remote == .scheduler ? .scheduler : .host
      if let signal = end.endedBy { tried.append("TERM" + (signal == .kill ? ", and KILL after the grace" : "")) }
      likely =
        end.outcome == .cancelled
        ? nil
        : end.likely != nil
          ? end.likely
          : layer == .scheduler
            ? "the step needs more \"time\", or a longer \"queue_timeout\""
            : "the step needs a longer \"timeout\", or stands still"
    case .oom:
      layer = remote
      likely = "the step needs more \"memory\" than its worker gives it"
    case .spawnFailed:
      layer = remote == .scheduler && end.failure?.contains("scheduler") == true ? .scheduler : .start
      if let call = end.failedCall { tried.append(call) }
      likely = end.likely
    case .engineFailed where engine == nil && end.likely != nil:
      layer = .supervisor
      likely = end.likely
    case .engineFailed:
      layer = remote
      likely = type.likely
    case .outputMissing:
      layer = .volume
      likely =
        "the step writes the file under another name or in another directory, or its \"outputs\" are not what it writes"
    case .inputMissing:
      layer = .volume
      likely = "the file is not in the run directory, has another name, or its volume does not list it under \"files\""
    case .volumeFailed:
      layer = .volume
      likely = nil
    case .statusUnknown:
      layer = remote == .scheduler ? .scheduler : .supervisor
      likely =
        end.likely ?? "something outside ended what watched the command: the system when memory ran out, or a person"
    }
    self.tried = tried.map { MessageFormat.foreign(secrets.masked($0), limit: 1000) }
  }

  private static func signal(_ number: Int32) -> String? {
    switch number {
    case SIGKILL: return "somebody killed it: the system when memory ran out (its log says so), or a person"
    case SIGTERM: return "somebody asked it to end"
    case SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP: return "a defect of the program"
    case SIGXCPU: return "its limit of processor time (\"cpu_time\") was reached"
    case SIGXFSZ: return "its limit of the size of files (\"file_size\") was reached"
    case SIGPIPE: return "it wrote to a program that had ended"
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

/// The directories in which a shell looks for programs.
package enum SearchPath {
  case given(String)
  case inherited(String)
  /// The environment of the command has no PATH, so the shell uses its built-in one.
  case missing

  /// - Parameter inherits: whether the command has the host's environment where `env` has nothing else.
  package init(_ env: KeyValues, inherits: Bool) {
    if let own = env["PATH"] {
      self = .given(own)
    } else if inherits, let host = getenv("PATH") {
      self = .inherited(String(cString: host))
    } else {
      self = .missing
    }
  }

  var isMissing: Bool {
    if case .missing = self { return true }
    return false
  }

  var shown: String {
    switch self {
    case .given(let path): return "PATH=\(path)"
    case .inherited(let path): return "PATH=\(path) (this process's)"
    case .missing: return "no PATH: the shell's built-in one"
    }
  }
}
