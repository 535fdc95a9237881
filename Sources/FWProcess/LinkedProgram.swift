package import CSupervisorClient
internal import CSystem
package import FWBase
internal import FWOutput
package import FWSystem
internal import Glibc

/// A program that runs in a monitor, and that the library speaks with: an interpreter, or the srun that leads to an
/// agent.
///
/// The program's standard output is a connection to the library. Its standard error is a pipe of its own.
package final class LinkedProgram: Sendable {
  package let channel: Channel
  /// The library's end of the connection.
  package let control: Descriptor
  /// The reading end of the standard error.
  package let stderr: Descriptor
  /// A descriptor that becomes readable when the program or its monitor has said something.
  package let epoll: Descriptor

  /// - Parameters:
  ///   - arguments: the program's path, its name, and its arguments.
  ///   - grace: seconds between TERM and KILL.
  ///   - sandbox: what bounds the program; `nil`: nothing does.
  ///   - rundir: the directory in which the program runs; `nil`: the root directory.
  ///   - more: sets what else the request to the monitor has.
  package init(
    _ arguments: borrowing TextBlock, _ environment: borrowing TextBlock, grace: Double,
    sandbox: SandboxRequest? = nil, rundir: Descriptor? = nil,
    _ more: (inout fwsv_request) -> Void = { _ in }
  ) throws(StepFailure) {
    var ends: [Int32] = [-1, -1]
    let error = fws_stream_pair(&ends)
    guard error == 0 else {
      throw StepFailure("a connection to a program could not be created", error, call: "socketpair")
    }
    control = Descriptor(ends[0])
    let theirs = Descriptor(ends[1])
    var reader: Int32 = -1
    let stderrEnd = try OutputPipes.open(&reader)
    stderr = Descriptor(reader)
    epoll = try Descriptor.epoll()
    var texts = arguments.request(environment: environment, room: sandbox?.count ?? 0)
    var request = fwsv_request()
    sandbox?.append(to: &texts, &request)
    guard !texts.isExhausted else { throw .noMemory }
    request.kind = UInt32(FWSV_RUN)
    request.background = UInt32(FWSV_KILL)
    request.slots = UInt32(clamping: arguments.slots(environment))
    request.size = UInt64(texts.count)
    request.timeout = -1
    request.grace = Int64(grace * 1e9)
    ProcessLimits().set(in: &request)
    more(&request)
    // A program without a directory gets those of its jobs, and must not find files in the host's working directory.
    let root = if let rundir { rundir } else { try RunDirectory.root() }
    let streams = fws_streams(in: -1, in_end: -1, out: theirs.number, err: stderrEnd.number)
    channel = try Supervisors.shared.run(request, texts, streams, rundir: root.number)
    withExtendedLifetime((theirs, stderrEnd, root)) {}
    for fd in [control.number, channel.number] where !fws_epoll_add(epoll.number, fd) {
      throw StepFailure("the connection to a program cannot be waited for", errno, call: "epoll_ctl")
    }
  }

  deinit {
    // A process that was forked from the host may hold a copy of the connection, so closing alone would not end it.
    if !fws_is_forked(), control.isOurs { shutdown(control.number, Int32(SHUT_RDWR)) }
  }

  /// Whether the host has closed none of the descriptors.
  package var isOurs: Bool { epoll.isOurs && control.isOurs && channel.isOurs && stderr.isOurs }

  /// The next message of the monitor: `nil` where there is none yet, `.some(nil)` where the monitor is gone.
  package func monitorReply() -> fwsv_reply?? {
    var reply = fwsv_reply()
    switch channel.receive(&reply) {
    case .nothing: return nil
    case .message: return .some(reply)
    case .lost: return .some(nil)
    }
  }

  /// Sets the time after which the monitor ends the program; `nil` for no limit.
  package func limit(_ seconds: Double?, grace: Double) {
    channel.limit(seconds, grace: grace)
  }

  package func stop() { channel.stop() }
}
