package import FWBase
internal import FWExecution
package import FWModel

/// Describes what would run for a step. Nothing is started, no engine is asked, and secrets are masked.
extension Worker {
  /// The most placeholders without a value that a plan lists.
  private static let mostUnknown = 100

  package func plan(_ step: Step, _ context: Context?, rundir: UnsafePointer<CChar>) throws(FlowError) -> CString {
    try plan(step, context?.snapshot, CText(copying: rundir), RunSettings())
  }

  /// - Parameter settings: the settings that `prepare` takes.
  package func plan(_ step: Step, _ values: ContextValues?, _ path: CText, _ settings: RunSettings) throws(FlowError)
    -> CString
  {
    try describe(prepare(step, values, path, settings, isToRun: false), step, values, path)
  }

  /// The document of a plan that `prepare` has made.
  ///
  /// - Parameter values: the values that the plan was made with.
  func describe(_ plan: borrowing StepPlan, _ step: Step, _ values: ContextValues?, _ path: CText) throws(FlowError)
    -> CString
  {
    let settings = plan.settings
    let chosen = Set(plan.chosenVariables.map { Name($0) })
    let values = values?.seen(by: step)
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("version", 1)
      writer.member("step", step.cName.string)
      writer.member("worker", cName.string)
      writer.member("worker_type", type.name)
      writer.member("rundir", path.string)
      writer.member("timeout", settings.timeout)
      writer.member("output_limit", settings.outputLimit)
      writer.member("limit", mostSteps)
      writer.member("resources") { step.resources.write(to: &$0) }
      writer.member("commands") { writer in
        writer.array(plan.commands.indices) { plan.commands.write($1, to: &$0) }
      }
      if let runner = runner as? any CommandRunner {
        writer.member("unknown_placeholders") { writer in
          let unknown = step.unknownPlaceholders(runner.variables, values, atMost: Worker.mostUnknown)
          writer.array(unknown) { $1.write(to: &$0) }
        }
        writer.member("notes") { writer in writer.array(plan.commands.notes) { $0.string($1) } }
        writer.member("success_codes") { writer in
          writer.array((settings.commands.successCodes ?? .zero).codes) { $0.number(Int($1)) }
        }
        writer.member("stdin") { writer in
          if let input = plan.input { input.write(to: &writer) } else { writer.null() }
        }
      }
      writer.member("environment") { writer in
        writer.object { writer in
          for (key, value) in settings.environment.variables.entries where !chosen.contains(Name(key)) {
            writer.member(key: key, value.map { settings.secrets.contains(key) ? "\(Mask.stars)" : $0 })
          }
        }
      }
      writer.member("chosen_at_start") { writer in writer.array(plan.chosenVariables) { $0.string($1) } }
      let planning = Planning(step: step, context: values, settings: settings, rundir: path)
      runner.describe(planning, plan.commands, to: &writer)
    }
    let buffer = writer.buffer()
    if buffer.isExhausted { throw .noMemory }
    let value = try JSONText.parse(buffer.bytes)
    guard let text = settings.secrets.masked(value)?.read({ JSONText.compact($0) }) else { throw .noMemory }
    return text
  }
}
