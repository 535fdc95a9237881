internal import CSystem
package import FWBase

/// The number of the last event.
package final class EventNumbers {
  package private(set) var last: UInt64 = 0

  func advance() { last += 1 }
}

/// The events that nobody has taken yet. The queue is short, because a step goes on only when they have been taken.
package struct EventQueue {
  /// The position that the next event of a step continues from.
  package struct Position {
    /// Numbers the events. All queues of a workflow's run share one.
    let numbers: EventNumbers
    /// The number of the step in its workflow; -1 if there is none.
    var step: Int32 = -1
    /// The number of the instance of a step with `foreach`; -1 if there is none.
    var instance: Int64 = -1
    /// The step; `nil` if the events are about the workflow.
    var source: Step?

    package init() { numbers = EventNumbers() }

    /// The position at which the events of a step begin.
    package func of(_ step: Step, at place: StepPlace) -> Position {
      var position = self
      position.step = Int32(clamping: place.index)
      position.instance = Int64(place.instance ?? -1)
      position.source = step
      return position
    }
  }

  private var events: [Event] = []
  /// The number of events that have been taken. They stay in the array, because removing the first would move all
  /// others.
  private var taken = 0
  package var position = Position()
  private(set) var attempt: Int32 = 1
  private var command: Int32 = -1
  private var text = ""
  /// Whether somebody takes the events. If nobody does, events are counted and not kept.
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

  /// Makes the following events those of another attempt.
  package mutating func begin(attempt: Int) { self.attempt = Int32(clamping: attempt) }

  /// Makes the following events those of another command.
  package mutating func begin(command: Int, text: String) {
    self.command = Int32(clamping: command)
    self.text = text
    logCommand(command, text)
  }

  package mutating func stepStarted(_ step: Step, worker: String, _ type: WorkerType) {
    position.source = step
    add(.stepStarted(worker: worker, type: type, values: step.values), command: -1)
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

  /// Adds what a scheduler says of a job that waits.
  package mutating func queued(job: String?, _ status: String) {
    add(.queue(job: job, status: secrets.masked(status)), command: command)
  }

  package mutating func commandEnded(_ record: CommandRecord) { add(.commandEnded(record), command: command) }

  package mutating func retry(_ attempt: Attempt, delay: Double) { add(.retry(attempt, delay: delay), command: -1) }

  package mutating func stepEnded(_ result: StepResult) { add(.stepEnded(result), command: -1) }

  /// - Parameter time: the time at which the output was read.
  package mutating func output(_ stream: Stream, _ data: consuming ByteBuffer, isContinued: Bool, at time: Double) {
    position.numbers.advance()
    guard isListening else { return }
    events.append(
      Event(
        .output(isContinued: isContinued), position, time: time, attempt: attempt, command: command,
        stream: stream, data: data))
  }

  /// Counts output of which there is no event.
  package mutating func skipOutput() { position.numbers.advance() }

  /// Adds an event of a workflow, or of one of its steps.
  package mutating func tell(_ content: Event.Content, of step: (Step, StepPlace)?) {
    position.step = Int32(clamping: step?.1.index ?? -1)
    position.instance = Int64(step?.1.instance ?? -1)
    position.source = step?.0
    add(content, command: -1)
  }

  /// Adds an event that was made for the queue of a step.
  package mutating func append(_ event: Event) { events.append(event) }

  private mutating func add(_ content: Event.Content, at time: Double = fws_wall(), command: Int32) {
    position.numbers.advance()
    content.log(step: position.source, command: command)
    guard isListening else { return }
    events.append(Event(content, position, time: time, attempt: attempt, command: command))
  }
}
