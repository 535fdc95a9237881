internal import CSupervisorClient
internal import CSystem
internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWOutput
internal import FWProcess
internal import FWSystem
internal import Glibc

/// Runs the commands of a container step in one allocation, one after the other.
final class SlurmLauncher: CommandLauncher {
  let allocations: Allocations
  let submission: Submission
  let options: SlurmOptions
  let settings: RunSettings
  let shell: ShellCommand
  private let sandbox: SandboxRequest?
  /// The agent, between two commands.
  var agent: ClusterAgent?
  private(set) var facts = ClusterFacts()
  private(set) var waited = 0.0
  private var index = 0
  /// The name of a file in the run directory that gets a line about each command's end.
  let statusFile = ".\(Submission.uniqueName()).status"

  init(_ worker: SlurmWorker, _ settings: RunSettings, rundir path: CText) throws(StepFailure) {
    allocations = worker.allocations
    options = worker.options
    sandbox = worker.sandbox
    submission = try Submission(options)
    self.settings = settings
    shell = ShellCommand(options: options.process, rundir: path)
    // The node opens the directory by its path. A directory that does not exist here is reported now, and not after a
    // wait in the queue.
    _ = try Supervisors.retrying { () throws(StepFailure) in try RunDirectory.open(path) }
    guard path.string.utf8.first == UInt8(ascii: "/") else {
      throw StepFailure(
        "the run directory \(MessageFormat.path(path.string)) must be an absolute path, so that a node can open it")
    }
  }

  deinit {
    unlink(statusPath)
    if let agent { allocations.keep(agent) }
  }

  private var statusPath: String { "\(shell.rundir.string)/\(statusFile)" }

  var engine: (any EngineFacts)? { facts }

  func start(
    _ command: Command, input: CommandInput?, isLast: Bool, timeout: Double?, events: RunOptions.Events?
  ) throws(StepFailure) -> any RunningCommand {
    let command = try SlurmCommand(
      self, command, input, index: index, isLast: isLast, timeout: timeout, events: events)
    index += 1
    return command
  }

  /// Lets an agent run a command.
  func run(
    _ command: Command, hasInput: Bool, on agent: ClusterAgent, index: Int, isLast: Bool, timeout: Double?
  ) {
    var location = ByteBuffer()
    location.append(UnsafeRawBufferPointer(start: shell.rundir.start, count: strlen(shell.rundir.start) + 1))
    location.append(statusFile)
    location.append(byte: 0)
    var request = shell.request(timeout: timeout, tellsStart: true)
    request.has_input = hasInput ? 1 : 0
    // The words' program is searched by the PATH that the command has on the node.
    let environment = environment(on: agent)
    let arguments = shell.arguments(command, environment, in: &request)
    agent.run(
      request, arguments, environment, sandbox, location: location, index: index,
      hold: isLast ? options.hold + SlurmCommand.deliveryTimeout : nil)
  }

  /// Records the facts of the job, and how long the step has waited for it.
  func record(_ facts: ClusterFacts, waited: Double) {
    self.facts = facts
    self.facts.waited = self.facts.waited.map { min($0, waited) }
    self.waited = waited
  }

  /// The environment of a command on the node: that of a subprocess worker's command, and the entries that the
  /// scheduler has set for the job. A variable that leads to what a sandbox hides is in neither.
  func environment(on agent: ClusterAgent) -> TextBlock {
    let (environment, options) = (settings.environment, options)
    var block = TextBlock(environment: environment) { Submission.isForeign($0) || options.leavesOut($0) }
    for entry in agent.environment where !environment.overrides(entry: entry) {
      var name = CommandEnvironment.name(of: entry).text
      if !name.withUTF8({ options.leavesOut(UnsafeRawBufferPointer($0)) }) { block.add(entry) }
    }
    return block
  }

  /// The end of a command by the status file, with a status of wait(2); `nil` if the file does not have it. It is
  /// needed if the link could not report the end.
  func recordedEnd(_ index: Int) -> fwsv_reply? {
    let fd = fws_open(statusPath, O_RDONLY | O_NOFOLLOW)
    guard fd >= 0 else { return nil }
    defer { Glibc.close(fd) }
    var bytes = ByteBuffer()
    while bytes.count < 1 << 20, let room = bytes.room(for: 4096) {
      let count = read(fd, room, 4096)
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { break }
      bytes.commit(count)
    }
    return SlurmLauncher.end(index, in: bytes.bytes)
  }

  /// The end of a command in the text of a status file (agent.h); `nil` if the text does not have it.
  static func end(_ index: Int, in bytes: UnsafeRawBufferPointer) -> fwsv_reply? {
    let text = String(decoding: bytes, as: UTF8.self)
    // A line without a line end is not complete yet.
    for line in text.pieces(at: "\n", keepingEmpty: true).dropLast() {
      let numbers = line.pieces(at: " ").compactMap { Int64($0) }
      guard numbers.count == 6, numbers[0] == Int64(index) else { continue }
      var reply = fwsv_reply()
      reply.kind = UInt32(FWSV_ENDED)
      reply.status = Int32(clamping: numbers[1])
      reply.duration = numbers[2] &* 1000
      reply.user = numbers[3]
      reply.system = numbers[4]
      reply.peak = numbers[5]
      return reply
    }
    return nil
  }
}
