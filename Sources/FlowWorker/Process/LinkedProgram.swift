internal import CFlowShims
internal import Glibc

/// A program that runs in a monitor, and that we speak with: an interpreter, or the srun that leads to an agent.
///
/// Its standard output is a connection to us. What it says on the standard error comes apart.
final class LinkedProgram: Sendable {
  let channel: Channel
  let control: Descriptor
  let complaints: Descriptor
  /// Can be read when the program, or its monitor, has said something.
  let epoll: Descriptor

  /// - Parameters:
  ///   - arguments: the program's path, its name, and its arguments.
  ///   - grace: seconds between TERM and KILL.
  ///   - more: what else the monitor is told.
  init(
    _ arguments: borrowing TextBlock, _ environment: borrowing TextBlock, grace: Double,
    _ more: (inout fwk_request) -> Void = { _ in }
  ) throws(SpawnFailure) {
    guard let keepers = Keepers.shared else { throw .noMemory }
    var ends: [Int32] = [-1, -1]
    let error = fws_stream_pair(&ends)
    guard error == 0 else { throw SpawnFailure("no connection to a program could be made", error, call: "socketpair") }
    control = Descriptor(ends[0])
    let theirs = Descriptor(ends[1])
    var reader: Int32 = -1
    let complaintsEnd = try OutputPipes.open(&reader)
    complaints = Descriptor(reader)
    epoll = try Descriptor.epoll()
    let texts = arguments.request(environment: environment)
    guard !texts.isExhausted else { throw .noMemory }
    var request = fwk_request()
    request.kind = UInt32(FWK_RUN)
    request.background = UInt32(FWK_KILL)
    request.slots = UInt32(clamping: arguments.slots(environment))
    request.size = UInt64(texts.count)
    request.timeout = -1
    request.grace = Int64(grace * 1e9)
    ProcessLimits().set(in: &request)
    more(&request)
    // It works where it is told to, and must not find things where the host happens to be.
    let root = try RunDirectory.root()
    channel = try keepers.run(request, texts, theirs.number, complaintsEnd.number, rundir: root.number)
    withExtendedLifetime((theirs, complaintsEnd, root)) {}
    for fd in [control.number, channel.number] where !fws_epoll_add(epoll.number, fd) {
      throw SpawnFailure("the connection to a program cannot be waited for", errno, call: "epoll_ctl")
    }
  }

  deinit {
    // A process that was forked from the host may hold a copy of the connection.
    if !fws_is_forked(), control.isOurs { shutdown(control.number, Int32(SHUT_RDWR)) }
  }

  /// Whether the descriptors are still what they were: a host may have closed them.
  var isOurs: Bool { epoll.isOurs && control.isOurs && channel.isOurs && complaints.isOurs }

  /// What its monitor says; `nil`: nothing yet. Its end comes once.
  func monitorReply() -> fwk_reply?? {
    var reply = fwk_reply()
    switch channel.receive(&reply) {
    case .nothing: return nil
    case .message: return .some(reply)
    case .lost: return .some(nil)
    }
  }

  /// The monitor ends it after that time; `nil`: it may take any.
  func limit(_ seconds: Double?, grace: Double) {
    channel.limit(seconds, grace: grace)
  }

  func stop() { channel.stop() }
}
