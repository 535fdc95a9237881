public import CFlowWorker
internal import FWBase
internal import FWExecution
internal import FWModel
internal import FlowWorker

/// The arguments of every function that runs or plans a step.
private struct RunArguments {
  let worker: Worker
  let step: Step
  let context: Context?
  let rundir: UnsafePointer<CChar>

  init(
    _ worker: OpaquePointer?, _ step: OpaquePointer?, _ context: OpaquePointer?, _ rundir: UnsafePointer<CChar>?
  ) throws(FlowError) {
    self.worker = try require(worker, Worker.self, "worker", "a worker").takeUnretainedValue()
    self.step = try require(step, Step.self, "step", "a step").takeUnretainedValue()
    guard let rundir else { throw badArgument("rundir", "a path") }
    self.rundir = rundir
    self.context =
      context == nil ? nil : try require(context, Context.self, "context", "a context").takeUnretainedValue()
  }
}

@_cdecl("fw_worker_exec") @implementation
public func fw_worker_exec(
  _ worker: OpaquePointer?, _ step: OpaquePointer?, _ context: OpaquePointer?, _ rundir: UnsafePointer<CChar>?,
  _ result: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(result, "result")
    let run = try RunArguments(worker, step, context, rundir)
    out.pointee = Handle.give(try run.worker.exec(run.step, run.context, rundir: run.rundir, options: nil))
  }
}

@_cdecl("fw_worker_exec_with") @implementation
public func fw_worker_exec_with(
  _ worker: OpaquePointer?, _ step: OpaquePointer?, _ context: OpaquePointer?, _ rundir: UnsafePointer<CChar>?,
  _ options: UnsafePointer<CChar>?, _ length: Int, _ result: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(result, "result")
    let run = try RunArguments(worker, step, context, rundir)
    let options = try optionalText(options, length, "options")
    out.pointee = Handle.give(try run.worker.exec(run.step, run.context, rundir: run.rundir, options: options))
  }
}

@_cdecl("fw_worker_plan") @implementation
public func fw_worker_plan(
  _ worker: OpaquePointer?, _ step: OpaquePointer?, _ context: OpaquePointer?, _ rundir: UnsafePointer<CChar>?,
  _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(json, "json")
    let run = try RunArguments(worker, step, context, rundir)
    out.pointee = try run.worker.plan(run.step, run.context, rundir: run.rundir).take()
  }
}

@_cdecl("fw_exec_start") @implementation
public func fw_exec_start(
  _ worker: OpaquePointer?, _ step: OpaquePointer?, _ context: OpaquePointer?, _ rundir: UnsafePointer<CChar>?,
  _ options: UnsafePointer<CChar>?, _ length: Int, _ exec: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(exec, "exec")
    let run = try RunArguments(worker, step, context, rundir)
    let options = try optionalText(options, length, "options")
    out.pointee = Handle.give(try run.worker.start(run.step, run.context, rundir: run.rundir, options: options))
  }
}

@_cdecl("fw_exec_fd") @implementation
public func fw_exec_fd(_ exec: OpaquePointer?) -> Int32 {
  if isForked { return -1 }
  return Handle.borrow(exec, Exec.self)?._withUnsafeGuaranteedRef { $0.descriptor() } ?? -1
}

@_cdecl("fw_exec_next_event") @implementation
public func fw_exec_next_event(
  _ exec: OpaquePointer?, _ timeout: Double, _ event: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(event, "event")
    let exec = try require(exec, Exec.self, "exec", "an exec").takeUnretainedValue()
    out.pointee = try exec.nextEvent(timeout: time(timeout)).map { Handle.give($0) }
  }
}

@_cdecl("fw_exec_wait") @implementation
public func fw_exec_wait(
  _ exec: OpaquePointer?, _ timeout: Double, _ result: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(result, "result")
    let exec = try require(exec, Exec.self, "exec", "an exec").takeUnretainedValue()
    out.pointee = try exec.wait(timeout: time(timeout)).map { Handle.give($0) }
  }
}

@_cdecl("fw_exec_cancel") @implementation
public func fw_exec_cancel(_ exec: OpaquePointer?) {
  if isForked { return }
  Handle.borrow(exec, Exec.self)?._withUnsafeGuaranteedRef { $0.cancel() }
}

@_cdecl("fw_exec_set_data") @implementation
public func fw_exec_set_data(_ exec: OpaquePointer?, _ data: UnsafeMutableRawPointer?) {
  Handle.borrow(exec, Exec.self)?._withUnsafeGuaranteedRef { $0.data = data }
}

@_cdecl("fw_exec_data") @implementation
public func fw_exec_data(_ exec: OpaquePointer?) -> UnsafeMutableRawPointer? {
  Handle.borrow(exec, Exec.self)?._withUnsafeGuaranteedRef { $0.data }
}

@_cdecl("fw_exec_free") @implementation
public func fw_exec_free(_ exec: OpaquePointer?) { Handle.free(exec, Exec.self) }
