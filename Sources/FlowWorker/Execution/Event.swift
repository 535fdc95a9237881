internal import CFlowShims
internal import Glibc

/// Something that happened while a step ran.
public final class Event: @unchecked Sendable {
  // Unchecked: nothing changes after it is made.
  public enum Kind: Int32 {
    case stepStarted = 1
    case commandStarted = 2
    case output = 3
    case commandEnded = 4
    case retry = 5
    case stepEnded = 6
    case progress = 7
    case runStarted = 8
    case runEnded = 9
    case fileCopied = 10
    case stepRestored = 11
  }

  enum Content {
    case stepStarted(step: String, worker: String, type: WorkerType)
    case commandStarted(text: String, pid: Int32?, container: String?)
    case output(isContinued: Bool)
    case commandEnded(CommandRecord)
    case retry(Attempt, delay: Double)
    case stepEnded(StepResult)
    case progress(image: String, ImageProgress)
    case cell(CellProgress)
    case queue(job: String?, status: String)
    case runStarted(steps: [String])
    case runEnded(RunResult)
    case fileCopied(CopiedFile)
    case stepRestored(StepResult)
  }

  public let kind: Kind
  public let sequence: UInt64
  /// Seconds since 1970.
  public let time: Double
  /// From 1.
  public let attempt: Int32
  /// From 0; -1: it is about the step.
  public let command: Int32
  /// In its workflow, from 0; -1: it is about the workflow, or there is none.
  public let step: Int32
  public let stream: Stream?
  let content: Content
  private let start: UnsafeMutablePointer<UInt8>?
  private let count: Int

  init(
    _ content: Content, _ position: EventQueue.Position, time: Double, attempt: Int32, command: Int32, stream: Stream? = nil,
    data: consuming ByteBuffer? = nil
  ) {
    switch content {
    case .stepStarted: kind = .stepStarted
    case .commandStarted: kind = .commandStarted
    case .output: kind = .output
    case .commandEnded: kind = .commandEnded
    case .retry: kind = .retry
    case .stepEnded: kind = .stepEnded
    case .progress, .cell, .queue: kind = .progress
    case .runStarted: kind = .runStarted
    case .runEnded: kind = .runEnded
    case .fileCopied: kind = .fileCopied
    case .stepRestored: kind = .stepRestored
    }
    self.content = content
    sequence = position.sequence
    step = position.step
    self.time = time
    self.attempt = attempt
    self.command = command
    self.stream = stream
    if let data {
      let count = data.count
      start = data.take()
      self.count = start == nil ? 0 : count
    } else {
      start = nil
      count = 0
    }
  }

  deinit { free(start) }

  /// The bytes of output, followed by a NUL; `nil` for an event that is no output.
  public var data: UnsafeRawBufferPointer? { stream == nil ? nil : UnsafeRawBufferPointer(start: start, count: count) }

  /// Whether the line goes on in the next event.
  public var isContinued: Bool {
    if case .output(let isContinued) = content { return isContinued }
    return false
  }

  public func toJSON() throws(FlowError) -> UnsafeMutablePointer<UInt8> {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("event", kind.name)
      writer.member("sequence", Int(clamping: sequence))
      writer.member("time", time)
      writer.member("attempt", Int(attempt))
      writer.member("command", command < 0 ? nil : Int(command))
      if step >= 0 { writer.member("step_index", Int(step)) }
      switch content {
      case .stepStarted(let step, let worker, let type):
        writer.member("step", step)
        writer.member("worker", worker)
        writer.member("worker_type", type.rawValue)
      case .commandStarted(let text, let pid, let container):
        writer.member("text", text)
        writer.member("pid", pid.map(Int.init))
        writer.member("container", container)
      case .output(let isContinued):
        writer.member("stream", "\(stream?.name ?? "")")
        writer.member("data") { $0.text(data ?? UnsafeRawBufferPointer(start: nil, count: 0)) }
        writer.member("continued", isContinued)
      case .commandEnded(let record): writer.member("result") { record.write(to: &$0) }
      case .retry(let attempt, let delay):
        writer.member("outcome", "\(attempt.outcome.name)")
        writer.member("returncode", Int(attempt.returncode))
        writer.member("message", attempt.message?.string)
        writer.member("delay", delay)
      case .stepEnded(let result):
        writer.member("outcome", "\(result.outcome.name)")
        writer.member("returncode", Int(result.returncode))
        writer.member("message", result.message?.string)
        writer.member("duration", result.duration)
      case .progress(let image, let progress):
        writer.member("image", image)
        writer.member("status", progress.status)
        writer.member("layers", progress.layers)
        writer.member("layers_done", progress.layersDone)
        writer.member("bytes", Int(progress.bytes))
        writer.member("bytes_total", Int(progress.bytesTotal))
      case .cell(let progress):
        writer.member("cell", progress.cell)
        writer.member("cells", progress.of)
        writer.member("status", progress.state)
      case .queue(let job, let status):
        writer.member("job", job)
        writer.member("status", status)
      case .runStarted(let steps): writer.member("steps") { writer in writer.array(steps) { $0.string($1) } }
      case .runEnded(let result):
        writer.member("outcome", "\(result.outcome.name)")
        writer.member("returncode", Int(result.returncode))
        writer.member("message", result.message?.string)
        writer.member("duration", result.duration)
      case .fileCopied(let file): file.writeMembers(to: &writer)
      case .stepRestored(let result):
        writer.member("step", result.step)
        writer.member("worker", result.worker)
        writer.member("worker_type", result.workerType.rawValue)
      }
    }
    guard let text = writer.finish() else { throw .noMemory }
    return text
  }
}

extension Event.Kind {
  var name: String {
    switch self {
    case .stepStarted: return "step_started"
    case .commandStarted: return "command_started"
    case .output: return "output"
    case .commandEnded: return "command_ended"
    case .retry: return "retry"
    case .stepEnded: return "step_ended"
    case .progress: return "progress"
    case .runStarted: return "run_started"
    case .runEnded: return "run_ended"
    case .fileCopied: return "file_copied"
    case .stepRestored: return "step_restored"
    }
  }
}

/// The events that nobody has taken yet. It is short: a step goes on when they have been taken.
struct EventQueue {
  /// What is the same for all events of a step.
  struct Position {
    /// Of the last event.
    var sequence: UInt64 = 0
    /// In the workflow; -1: there is none.
    var step: Int32 = -1
  }

  private var events: [Event] = []
  /// How many of them have been taken: taking the first out of many would move all the others.
  private var taken = 0
  var position = Position()
  private(set) var attempt: Int32 = 1
  private var command: Int32 = -1
  private var text = ""
  /// Whether somebody takes the events; they are passed over otherwise.
  var isListening = false
  var secrets = Secrets.none

  var isEmpty: Bool { taken == events.count }

  mutating func take() -> Event? {
    guard taken < events.count else { return nil }
    let event = events[taken]
    taken += 1
    if taken == events.count { removeAll() }
    return event
  }

  mutating func removeAll() {
    events.removeAll(keepingCapacity: events.count < 1000)
    taken = 0
  }

  /// From now on events are about this attempt.
  mutating func begin(attempt: Int) { self.attempt = Int32(clamping: attempt) }

  /// From now on events are about this command.
  mutating func begin(command: Int, text: String) {
    self.command = Int32(clamping: command)
    self.text = text
  }

  mutating func stepStarted(_ step: Step, _ worker: Worker) {
    add(.stepStarted(step: step.cName.string, worker: worker.cName.string, type: worker.type), command: -1)
  }

  mutating func commandStarted(pid: Int32? = nil, container: String? = nil, at time: Double) {
    add(.commandStarted(text: text, pid: pid, container: container), at: time, command: command)
  }

  mutating func progress(_ progress: ImageProgress, image: String) {
    var progress = progress
    progress.status = secrets.masked(progress.status)
    add(.progress(image: secrets.masked(image), progress), command: command)
  }

  mutating func progress(_ progress: CellProgress) { add(.cell(progress), command: command) }

  /// What a scheduler says of a job that waits.
  mutating func queued(job: String?, _ status: String) { add(.queue(job: job, status: secrets.masked(status)), command: command) }

  mutating func commandEnded(_ record: CommandRecord) { add(.commandEnded(record), command: command) }

  mutating func retry(_ attempt: Attempt, delay: Double) { add(.retry(attempt, delay: delay), command: -1) }

  mutating func stepEnded(_ result: StepResult) { add(.stepEnded(result), command: -1) }

  /// - Parameter time: when it was read.
  mutating func output(_ stream: Stream, _ data: consuming ByteBuffer, isContinued: Bool, at time: Double) {
    position.sequence += 1
    guard isListening else { return }
    events.append(
      Event(
        .output(isContinued: isContinued), position, time: time, attempt: attempt, command: command,
        stream: stream, data: data))
  }

  /// Output came that nobody is told of.
  mutating func skipOutput() { position.sequence += 1 }

  /// Tells something of a workflow.
  mutating func tell(_ content: Event.Content, step: Int = -1) {
    position.step = Int32(clamping: step)
    add(content, command: -1)
  }

  /// An event that was made for another queue, which ends here.
  mutating func append(_ event: Event) { events.append(event) }

  private mutating func add(_ content: Event.Content, at time: Double = fws_wall(), command: Int32) {
    position.sequence += 1
    guard isListening else { return }
    events.append(Event(content, position, time: time, attempt: attempt, command: command))
  }
}
