package import FWBase
package import FWExecution
package import FWModel
internal import FWSystem

/// The two ways of running a workflow.
extension Workflow {
  /// Runs the workflow to its end.
  package func run(_ pool: Pool?, _ context: Context?, basedir: String?, options: UnsafeRawBufferPointer?)
    throws(FlowError) -> Report
  {
    let pool = try usable(pool)
    let run = try WorkflowRun(self, pool, context, basedir: basedir, options: options, isListening: false)
    while true {
      if let report = run.report { return report }
      let ready = run.waiting.poll(-1)
      if ready.isAny { run.advance(ready, isListening: false) }
    }
  }

  package func start(_ pool: Pool?, _ context: Context?, basedir: String?, options: UnsafeRawBufferPointer?)
    throws(FlowError) -> Exec
  {
    let pool = try usable(pool)
    return try Exec(WorkflowRun(self, pool, context, basedir: basedir, options: options, isListening: true))
  }

  private func usable(_ given: Pool?) throws(FlowError) -> Pool {
    if let given { return given }
    return try Pool.defaults()
  }
}
