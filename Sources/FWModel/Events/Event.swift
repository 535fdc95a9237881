internal import CSystem
package import FWBase
internal import Glibc

/// An event of a step or of a workflow.
package final class Event: @unchecked Sendable {
  // The conformance is unchecked because nothing changes after `init`.
  package enum Kind: Int32 {
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

  package enum Content {
    /// - values: those of an instance.
    case stepStarted(worker: String, type: WorkerType, values: JSONValue?)
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

  package let kind: Kind
  package let sequence: UInt64
  /// The time in seconds since 1970.
  package let time: Double
  /// The number of the attempt, from 1.
  package let attempt: Int32
  /// The number of the command, from 0; -1 if the event is about the step.
  package let command: Int32
  /// The number of the step in its workflow, from 0; -1 if the event is about the workflow, or if there is none.
  package let step: Int32
  /// The number of the instance of a step with `foreach`, from 0; -1 if there is none.
  package let instance: Int64
  /// The name of the step; `nil` if the event is about the workflow.
  package let cStep: CText?
  package let stream: Stream?
  let content: Content
  private let start: UnsafeMutablePointer<UInt8>?
  private let count: Int

  init(
    _ content: Content, _ position: EventQueue.Position, time: Double, attempt: Int32, command: Int32,
    stream: Stream? = nil,
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
    sequence = position.numbers.last
    step = position.step
    instance = position.instance
    cStep = position.source?.cName
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

  /// The bytes of output, followed by a NUL; `nil` for events of other kinds.
  package var data: UnsafeRawBufferPointer? { stream == nil ? nil : UnsafeRawBufferPointer(start: start, count: count) }

  /// Whether the line goes on in the next event.
  package var isContinued: Bool {
    if case .output(let isContinued) = content { return isContinued }
    return false
  }
}

extension Event.Kind {
  package var name: StaticString {
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

/// The progress of an image that an engine pulls or builds.
package struct ImageProgress: Equatable {
  /// The last status that the engine reported.
  package var status = ""
  package var layers = 0
  package var layersDone = 0
  /// The bytes that were downloaded, and the bytes of the whole download.
  package var bytes: Int64 = 0
  package var bytesTotal: Int64 = 0

  package init(status: String = "", layers: Int = 0, layersDone: Int = 0, bytes: Int64 = 0, bytesTotal: Int64 = 0) {
    self.status = status
    self.layers = layers
    self.layersDone = layersDone
    self.bytes = bytes
    self.bytesTotal = bytesTotal
  }
}

/// The progress of a notebook.
package struct CellProgress {
  /// The number of the cell, from 1, among the cells of the author's notebook.
  package let cell: Int
  package let of: Int
  let state: String

  /// Reads a report of progress; `nil` if it is not valid.
  package init?(_ line: JSONRef) {
    guard let cell = line["cell"]?.integer, let of = line["of"]?.integer, 1...Int64(Int32.max) ~= of, 1...of ~= cell,
      let state = line["state"]?.string, ["started", "ended", "failed"].contains(state)
    else { return nil }
    self.cell = Int(clamping: cell)
    self.of = Int(clamping: of)
    self.state = state
  }

  /// Whether this progress can follow another: cells are reported in order, and each has one beginning and one end.
  package func follows(_ last: CellProgress?) -> Bool {
    guard let last else { return state == "started" }
    if of != last.of { return false }
    return state == "started"
      ? last.state != "started" && cell > last.cell : last.state == "started" && cell == last.cell
  }
}
