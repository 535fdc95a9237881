package import CSupervisorClient
internal import CSystem
internal import FWBase
internal import FWExecution
package import FWModel
internal import FWOutput
internal import FWSystem
internal import Glibc

/// A command that runs as processes of this machine, under a monitor.
final class ProcessCommand: RunningCommand {
  private let channel: Channel
  private var output: CommandOutput
  private let launcher: ProcessLauncher
  private let shell: ShellCommand
  private let size: CommandSize
  private var input: HostInput
  /// How the command has ended (before that, model: HOST_WAITING), while the rest of its output is read.
  private var end: CommandEnd?
  private let isLast: Bool
  private var pid: Int32?
  /// Whether the event of the command's beginning was sent. Events of output come after that event.
  private var isTold: Bool
  private var started = fws_wall()
  /// What the shell would have written to the standard error at the end, if the command had run in it.
  private var shellsWords = ""

  init(
    _ channel: Channel, _ pipes: consuming OutputPipes, _ input: consuming HostInput, _ launcher: ProcessLauncher,
    _ shell: ShellCommand, _ size: CommandSize, isLast: Bool, tellsStart: Bool
  ) {
    isTold = !tellsStart
    self.channel = channel
    output = pipes.output
    self.input = input
    self.launcher = launcher
    self.shell = shell
    self.size = size
    self.isLast = isLast
  }

  var waiting: Waiting {
    // The monitor may already run another command when the end of this one is known.
    if end != nil { return output.waitingForRest }
    var waiting = isTold ? output.waiting : Waiting()
    waiting.channel = channel.fd
    return waiting
  }

  func stop() { if end == nil { channel.stop() } }

  func write(_ bytes: UnsafeRawBufferPointer) -> InputWrite { input.write(bytes) }

  func closeInput() {
    input.finish("the standard input was closed before")
    if end == nil { channel.endInput() }
  }

  var room: Descriptor? { input.end }

  var isRunning: Bool { end == nil }

  /// The monitor drops a signal that comes too late.
  func signal(_ number: Int32, _ target: SignalTarget) -> StepFailure? {
    channel.signal(number, toTree: target == .tree)
    return nil
  }

  func advance(_ ready: Waiting.Ready, _ readiness: inout ReadinessFD, _ events: inout EventQueue) -> CommandEnd? {
    if end == nil, ready.channel {
      var reply = fwsv_reply()
      switch channel.receive(&reply) {
      case .nothing: break
      case .message: end = take(reply, &readiness, &events)
      case .lost: end = lost()
      }
      if end != nil {
        input.finish("the command has ended")
        readiness.forget(channel.fd)
        if !isTold { readiness.watch(output.waiting) }
        output.markEnd()
      }
    }
    guard var end else {
      output.read(ready, &readiness, &events)
      return nil
    }
    return output.drain(into: &end, appending: shellsWords, &readiness, &events) ? end : nil
  }

  private func take(_ reply: fwsv_reply, _ readiness: inout ReadinessFD, _ events: inout EventQueue) -> CommandEnd? {
    switch Int(reply.kind) {
    case FWSV_STARTED:
      isTold = true
      readiness.watch(output.waiting)
      pid = reply.pid
      started = Double(reply.started) / 1e9
      events.commandStarted(pid: reply.pid, at: started)
      return nil
    case FWSV_FAILED:
      if reply.is_last == 0 { launcher.take(channel, isLast: isLast) }
      return CommandEnd(failure: shell.failure(reply, size), started: started)
    default:
      if reply.left == 0 { launcher.take(channel, isLast: isLast) }
      var end = CommandEnd(reply, sandbox: shell.options.sandbox)
      if let limits = shell.options.treeLimits { end.record(limits, reply, launcher.isSuccess) }
      // The shell would have outlived its program, and reported the signal as a status and with a line of its own.
      if reply.is_direct != 0, !size.isWords, end.outcome == .signaled, let signal = end.signal {
        end.outcome = .exited
        end.exitCode = 128 + signal
        end.signal = nil
        shellsWords = DashShell.words(signal: signal, hasCore: reply.status & 0x80 != 0)
      }
      return end
    }
  }

  /// The end of a command whose monitor has gone without reporting it.
  private func lost() -> CommandEnd {
    var end = CommandEnd(outcome: .statusUnknown, started: started)
    end.pid = pid
    end.loss = channel.loss
    end.isEnded = false
    return end
  }
}

extension CommandEnd {
  /// The end of a command as its monitor reports it.
  package init(_ reply: fwsv_reply, sandbox: SandboxOptions? = nil) {
    let status = reply.status
    // The status is encoded as wait(2) gives it.
    let signal = status & 0x7f
    var outcome = signal != 0 ? Outcome.signaled : .exited
    switch Int(reply.reason) {
    case FWSV_BY_TIMEOUT: outcome = .timeout
    case FWSV_BY_STOP: outcome = .cancelled
    default: if status < 0 { outcome = .statusUnknown }
    }
    self.init(outcome: outcome, started: Double(reply.started) / 1e9)
    pid = reply.pid
    if status >= 0 {
      exitCode = signal == 0 ? (status >> 8) & 0xff : nil
      self.signal = signal != 0 ? signal : nil
      usage = Usage(
        user: Double(reply.user) / 1e6, system: Double(reply.system) / 1e6, peakMemory: Int(clamping: reply.peak))
    }
    duration = Double(reply.duration) / 1e9
    endedBy = EndingSignal(reply.main_signal)
    if reply.layers & UInt32(FWSV_LAYER_PROCESSES) != 0 {
      containment = .namespace
    } else {
      containment = reply.is_blind == 0 && reply.is_unsure == 0 ? .subreaper : .session
    }
    if reply.is_lost != 0 { loss = "process 1 of its sandbox was killed" }
    if reply.has_tree != 0 {
      treeUsage = TreeUsage(
        user: Double(reply.tree_user) / 1e6, system: Double(reply.tree_system) / 1e6, peakMemory: nil)
    }
    take(reply, of: sandbox)
    isEnded = reply.left == 0 && reply.is_unsure == 0
    for stream in [Stream.stdout, .stderr] where reply.is_cut & UInt32(stream.rawValue) != 0 {
      note(unread: stream, "its node gave up after many errors")
    }
    survivorsCount = Int(reply.others)
    withUnsafeBytes(of: reply.processes) { bytes in
      for process in bytes.bindMemory(to: fwsv_process.self).prefix(survivorsCount) {
        let name = withUnsafeBytes(of: process.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        survivors.append(Survivor(pid: process.pid, name: name, endedBy: EndingSignal(process.signal)))
      }
    }
  }
}

extension CommandEnd {
  /// Takes what holds of the sandbox of a command that was started.
  package mutating func take(_ reply: fwsv_reply, of sandbox: SandboxOptions?) {
    guard let sandbox else { return }
    let facts = SandboxFacts(reply, of: sandbox)
    self.sandbox = facts
    if facts.missing.isEmpty { return }
    notes.append("its sandbox does not keep " + facts.missing.map { "\"\($0)\"" }.joined(separator: ", "))
  }
}

extension EndingSignal {
  fileprivate init?(_ number: Int32) {
    switch number {
    case SIGTERM: self = .term
    case SIGKILL: self = .kill
    default: return nil
    }
  }
}
