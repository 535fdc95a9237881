public import CFlowWorker
internal import FWBase
internal import FWModel
internal import FlowWorker

@_cdecl("fw_workflow_create") @implementation
public func fw_workflow_create(
  _ json: UnsafePointer<CChar>?, _ length: Int, _ workflow: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(workflow, "workflow")
    out.pointee = Handle.give(try Workflow(text(json, length, "json")))
  }
}

@_cdecl("fw_workflow_free") @implementation
public func fw_workflow_free(_ workflow: OpaquePointer?) { Handle.free(workflow, Workflow.self) }

/// The arguments of all functions that run or plan a workflow.
private struct RunArguments {
  let workflow: Workflow
  let pool: Pool?
  let context: Context?
  let basedir: String?

  init(
    _ workflow: OpaquePointer?, _ pool: OpaquePointer?, _ context: OpaquePointer?, _ rundir: UnsafePointer<CChar>?
  ) throws(FlowError) {
    self.workflow = try require(workflow, Workflow.self, "workflow", "a workflow").takeUnretainedValue()
    self.pool = pool == nil ? nil : try require(pool, Pool.self, "pool", "a pool").takeUnretainedValue()
    self.context =
      context == nil ? nil : try require(context, Context.self, "context", "a context").takeUnretainedValue()
    basedir = try optionalString(rundir, "rundir")
  }
}

@_cdecl("fw_workflow_run") @implementation
public func fw_workflow_run(
  _ workflow: OpaquePointer?, _ pool: OpaquePointer?, _ context: OpaquePointer?, _ rundir: UnsafePointer<CChar>?,
  _ options: UnsafePointer<CChar>?, _ length: Int, _ result: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(result, "result")
    let arguments = try RunArguments(workflow, pool, context, rundir)
    let options = try optionalText(options, length, "options")
    out.pointee = Handle.give(
      try arguments.workflow.run(arguments.pool, arguments.context, basedir: arguments.basedir, options: options))
  }
}

@_cdecl("fw_workflow_start") @implementation
public func fw_workflow_start(
  _ workflow: OpaquePointer?, _ pool: OpaquePointer?, _ context: OpaquePointer?, _ rundir: UnsafePointer<CChar>?,
  _ options: UnsafePointer<CChar>?, _ length: Int, _ exec: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(exec, "exec")
    let arguments = try RunArguments(workflow, pool, context, rundir)
    let options = try optionalText(options, length, "options")
    out.pointee = Handle.give(
      try arguments.workflow.start(arguments.pool, arguments.context, basedir: arguments.basedir, options: options))
  }
}

@_cdecl("fw_workflow_plan") @implementation
public func fw_workflow_plan(
  _ workflow: OpaquePointer?, _ pool: OpaquePointer?, _ context: OpaquePointer?, _ rundir: UnsafePointer<CChar>?,
  _ options: UnsafePointer<CChar>?, _ length: Int, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(json, "json")
    let arguments = try RunArguments(workflow, pool, context, rundir)
    let options = try optionalText(options, length, "options")
    out.pointee = try arguments.workflow.plan(
      arguments.pool, arguments.context, basedir: arguments.basedir, options: options
    ).take()
  }
}
