internal import CSystem
package import FWBase

/// The events that nobody has taken yet. It is short: a step goes on when they have been taken.
package struct EventQueue {
  /// What is the same for all events of a step.
  package struct Position {
    /// Of the last event.
    var sequence: UInt64 = 0
    /// In the workflow; -1: there is none.
    package var step: Int32 = -1

    package init(sequence: UInt64 = 0, step: Int32 = -1) {
      self.sequence = sequence
      self.step = step
    }
  }

  private var events: [Event] = []
  /// How many of them have been taken: taking the first out of many would move all the others.
  private var taken = 0
  package var position = Position()
  private(set) var attempt: Int32 = 1
  private var command: Int32 = -1
  private var text = ""
  /// Whether somebody takes the events; they are passed over otherwise.
  package var isListening = false
  package var secrets = Secrets.none

  package init() {}

  package var isEmpty: Bool { taken == events.count }

  package mutating func take() -> Event? {
    guard taken < events.count else { return nil }
    let event = events[taken]
    taken += 1
    if taken == events.count { removeAll() }
    return event
  }

  package mutating func removeAll() {
    events.removeAll(keepingCapacity: events.count < 1000)
    taken = 0
  }

  /// From now on events are about this attempt.
  package mutating func begin(attempt: Int) { self.attempt = Int32(clamping: attempt) }

  /// From now on events are about this command.
  package mutating func begin(command: Int, text: String) {
    self.command = Int32(clamping: command)
    self.text = text
  }

  package mutating func stepStarted(_ step: Step, worker: String, _ type: WorkerType) {
    add(.stepStarted(step: step.cName.string, worker: worker, type: type), command: -1)
  }

  package mutating func commandStarted(pid: Int32? = nil, container: String? = nil, at time: Double) {
    add(.commandStarted(text: text, pid: pid, container: container), at: time, command: command)
  }

  package mutating func progress(_ progress: ImageProgress, image: String) {
    var progress = progress
    progress.status = secrets.masked(progress.status)
    add(.progress(image: secrets.masked(image), progress), command: command)
  }

  package mutating func progress(_ progress: CellProgress) { add(.cell(progress), command: command) }

  /// What a scheduler says of a job that waits.
  package mutating func queued(job: String?, _ status: String) {
    add(.queue(job: job, status: secrets.masked(status)), command: command)
  }

  package mutating func commandEnded(_ record: CommandRecord) { add(.commandEnded(record), command: command) }

  package mutating func retry(_ attempt: Attempt, delay: Double) { add(.retry(attempt, delay: delay), command: -1) }

  package mutating func stepEnded(_ result: StepResult) { add(.stepEnded(result), command: -1) }

  /// - Parameter time: when it was read.
  package mutating func output(_ stream: Stream, _ data: consuming ByteBuffer, isContinued: Bool, at time: Double) {
    position.sequence += 1
    guard isListening else { return }
    events.append(
      Event(
        .output(isContinued: isContinued), position, time: time, attempt: attempt, command: command,
        stream: stream, data: data))
  }

  /// Output came that nobody is told of.
  package mutating func skipOutput() { position.sequence += 1 }

  /// Tells something of a workflow.
  package mutating func tell(_ content: Event.Content, step: Int = -1) {
    position.step = Int32(clamping: step)
    add(content, command: -1)
  }

  /// An event that was made for another queue, which ends here.
  package mutating func append(_ event: Event) { events.append(event) }

  private mutating func add(_ content: Event.Content, at time: Double = fws_wall(), command: Int32) {
    position.sequence += 1
    guard isListening else { return }
    events.append(Event(content, position, time: time, attempt: attempt, command: command))
  }
}
