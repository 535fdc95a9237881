package import CSupervisorClient
internal import CSystem
internal import FWBase
internal import FWExecution
package import FWModel
internal import FWOutput
internal import FWSystem
internal import Glibc

/// A command that runs in a monitor.
final class ProcessCommand: RunningCommand {
  private let channel: Channel
  private var stdout: OutputSink
  private var stderr: OutputSink
  private let launcher: ProcessLauncher
  private let shell: ShellCommand
  /// Bytes of the command's text.
  private let size: Int
  /// How it ended, while the rest of its output is read.
  private var end: CommandEnd?
  private let isLast: Bool
  private var pid: Int32?
  /// Its output may be told: its beginning has been.
  private var isTold: Bool
  private var started = fws_wall()
  /// What the shell, if it had been asked, would have written last to the standard error.
  private var shellsWords = ""

  init(
    _ channel: Channel, _ pipes: consuming OutputPipes, _ launcher: ProcessLauncher, _ shell: ShellCommand, size: Int,
    isLast: Bool, tellsStart: Bool
  ) {
    isTold = !tellsStart
    self.channel = channel
    stdout = pipes.stdout
    stderr = pipes.stderr
    self.launcher = launcher
    self.shell = shell
    self.size = size
    self.isLast = isLast
  }

  var waiting: Waiting {
    // Its monitor may have another command by then.
    if end != nil { return Waiting(stdout: stdout.current, stderr: stderr.current) }
    return isTold
      ? Waiting(channel: channel.fd, stdout: stdout.fd, stderr: stderr.fd, hasMonitor: true)
      : Waiting(channel: channel.fd, hasMonitor: true)
  }

  func stop() { if end == nil { channel.stop() } }

  func advance(_ ready: Waiting.Ready, _ readiness: inout ReadinessFD, _ events: inout EventQueue) -> CommandEnd? {
    if end == nil, ready.channel {
      var reply = fwsv_reply()
      switch channel.receive(&reply) {
      case .nothing: break
      case .message: end = take(reply, &readiness, &events)
      case .lost: end = lost()
      }
      if end != nil {
        readiness.forget(channel.fd)
        if !isTold { readiness.watch(Waiting(stdout: stdout.fd, stderr: stderr.fd)) }
        stdout.markEnd()
        stderr.markEnd()
      }
    }
    // One read of each: the command must not stand still on one stream while the other is read.
    guard var end else {
      if ready.stdout { stdout.read(&readiness, &events) }
      if ready.stderr { stderr.read(&readiness, &events) }
      return nil
    }
    // What was written before the end is in the pipes by now. It is told piece by piece.
    while !stdout.isDone || !stderr.isDone {
      if !stdout.isDone { stdout.read(&readiness, &events) }
      if !stderr.isDone { stderr.read(&readiness, &events) }
      if !events.isEmpty, !stdout.isDone || !stderr.isDone { return nil }
    }
    end.stdout = stdout.finish(&readiness, &events)
    end.stderr = stderr.finish(&readiness, &events, behind: shellsWords)
    end.note(unread: .stdout, stdout.failure)
    end.note(unread: .stderr, stderr.failure)
    return end
  }

  private func take(_ reply: fwsv_reply, _ readiness: inout ReadinessFD, _ events: inout EventQueue) -> CommandEnd? {
    switch Int(reply.kind) {
    case FWSV_STARTED:
      isTold = true
      readiness.watch(Waiting(stdout: stdout.fd, stderr: stderr.fd))
      pid = reply.pid
      started = Double(reply.started) / 1e9
      events.commandStarted(pid: reply.pid, at: started)
      return nil
    case FWSV_FAILED:
      if reply.is_last == 0 { launcher.take(channel, isLast: isLast) }
      return CommandEnd(failure: shell.failure(reply, size: size), started: started)
    default:
      if reply.left == 0 { launcher.take(channel, isLast: isLast) }
      var end = CommandEnd(reply)
      // The shell, which would have outlived its program, tells it in its own way.
      if reply.is_direct != 0, end.outcome == .signaled, let signal = end.signal {
        end.outcome = .exited
        end.exitCode = 128 + signal
        end.signal = nil
        shellsWords = DashShell.words(signal: signal, hasCore: reply.status & 0x80 != 0)
      }
      return end
    }
  }

  /// The end of a command whose monitor has gone without a word.
  private func lost() -> CommandEnd {
    var end = CommandEnd(outcome: .statusUnknown, started: started)
    end.pid = pid
    end.loss = channel.loss
    end.isEnded = false
    return end
  }
}

extension CommandEnd {
  /// What a monitor says of the end of a command.
  package init(_ reply: fwsv_reply) {
    let status = reply.status
    // As wait(2) encodes it.
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
    containment = reply.is_blind == 0 && reply.is_unsure == 0 ? .subreaper : .session
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

extension EndingSignal {
  fileprivate init?(_ number: Int32) {
    switch number {
    case SIGTERM: self = .term
    case SIGKILL: self = .kill
    default: return nil
    }
  }
}
