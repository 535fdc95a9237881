package import FWBase

/// What happened when a step or a workflow was run: the one object of a result that a host holds.
///
/// `ExecResult` holds values, and each of their types has its reason:
/// - `CommandEnd` is what the engine of a command says of its end. It knows neither the command's text nor the step.
/// - `CommandRecord` adds which command of the step that was, and turns it into a returncode and a message.
/// - `Attempt` is one run of the commands: a step with retries has several.
/// - `StepResult` and `RunResult` have different facts, and different documents.
/// - `ExecResult` joins the two, because a handle of the C interface is of one class. It also says whether the host has
///   to release it.
package final class ExecResult: @unchecked Sendable {
  // The conformance is unchecked because nothing changes after `init`.
  package enum Content {
    case step(StepResult)
    case run(RunResult)
  }

  package let content: Content
  /// Whether the object belongs to the result of a workflow, which releases it.
  package let isLent: Bool

  package init(_ result: StepResult, isLent: Bool = false) {
    content = .step(result)
    self.isLent = isLent
  }

  package init(_ result: RunResult) {
    content = .run(result)
    isLent = false
  }

  /// Which step of its workflow it is about; `nil` for a workflow, and for a step that was run by itself.
  package var place: StepPlace? {
    guard case .step(let result) = content else { return nil }
    return result.place
  }

  package var outcome: Outcome {
    switch content {
    case .step(let result): return result.outcome
    case .run(let result): return result.outcome
    }
  }

  package var returncode: Int32 {
    switch content {
    case .step(let result): return result.returncode
    case .run(let result): return result.returncode
    }
  }

  /// Says why the step or workflow failed, as C text; `nil` if there is nothing to say.
  package var message: CText? {
    switch content {
    case .step(let result): return result.message
    case .run(let result): return result.message
    }
  }

  /// The name of the step, as C text; `nil` for a workflow.
  package var name: CText? {
    if case .step(let result) = content { return result.cStep }
    return nil
  }

  /// The results of the steps of a workflow that were run; empty for a step.
  package var steps: [ExecResult] {
    if case .run(let result) = content { return result.steps }
    return []
  }

  /// The beginning in seconds since 1970.
  package var started: Double {
    switch content {
    case .step(let result): return result.started
    case .run(let result): return result.started
    }
  }

  package var duration: Double {
    switch content {
    case .step(let result): return result.duration
    case .run(let result): return result.duration
    }
  }

  /// The number of commands of the last attempt of a step; 0 for a workflow.
  package var commandCount: Int {
    guard case .step(let result) = content else { return 0 }
    // A record about the step as a whole stands behind those of commands.
    return (result.last.commands.lastIndex { $0.index != nil } ?? -1) + 1
  }

  /// One command of the last attempt of a step.
  package func command(_ index: Int) -> CommandRecord? {
    guard case .step(let result) = content, index >= 0, index < result.last.commands.count else { return nil }
    let record = result.last.commands[index]
    return record.index == nil ? nil : record
  }

  /// Whether output of a stream may be missing because its end was not seen.
  package func isIncomplete(_ stream: Stream) -> Bool {
    switch content {
    case .step(let result): return result.last.commands.contains { $0.end.incomplete.contains(stream) }
    case .run(let result): return result.steps.contains { $0.isIncomplete(stream) }
    }
  }

  package func outputCount(of stream: Stream) -> Int { outputs(of: stream).count }

  /// The bytes that one command wrote, followed by a NUL. They live as long as the result.
  package func bytes(of stream: Stream, _ index: Int) -> UnsafeRawBufferPointer? { output(of: stream, index)?.bytes }

  /// The number of bytes of one command's output that were left out, and the offset at which they are missing.
  package func cut(of stream: Stream, _ index: Int) -> (missing: Int, at: Int)? {
    output(of: stream, index).map { ($0.missing, $0.cut) }
  }

  /// What one command wrote; `nil`: there is no output with this number.
  private func output(of stream: Stream, _ index: Int) -> Output? {
    let list = outputs(of: stream)
    return index >= 0 && index < list.count ? list[index] : nil
  }

  func outputs(of stream: Stream) -> [Output] {
    switch content {
    case .step(let result): return result.last.outputs(of: stream)
    case .run(let result): return result.outputs(of: stream)
    }
  }

  package func toJSON() throws(FlowError) -> UnsafeMutablePointer<UInt8> {
    var writer = JSONWriter()
    switch content {
    case .step(let result): result.write(to: &writer)
    case .run(let result): result.write(to: &writer)
    }
    guard let text = writer.finish() else { throw .noMemory }
    return text
  }
}
