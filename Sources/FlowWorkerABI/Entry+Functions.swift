public import CFlowWorker
internal import FWBase
internal import FWFunctions
internal import FWModel
internal import FlowWorker
internal import Glibc

@_cdecl("fw_function_register") @implementation
public func fw_function_register(
  _ pool: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ parameters: UnsafePointer<CChar>?, _ length: Int,
  _ function: fw_function?, _ payload: UnsafeMutableRawPointer?,
  _ release: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  let status = withErrorOut(error) { () throws(FlowError) in
    try checkFork()
    let pool = try require(pool, Pool.self, "pool", "a pool").takeUnretainedValue()
    let name = try string(name, "name")
    guard !name.isEmpty else { throw FlowError(.invalid, "the name of a function is empty") }
    guard let function else { throw badArgument("function", "a function") }
    let parameters = try optionalText(parameters, length, "parameters")
    pool.register(try Function(name, parameters: parameters, function, payload, release: release))
  }
  // A function that was created releases its payload itself.
  if status != FW_OK { Function.release(payload, by: release) }
  return status
}

@_cdecl("fw_context_set_function") @implementation
public func fw_context_set_function(
  _ context: OpaquePointer?, _ function: fw_function?, _ payload: UnsafeMutableRawPointer?,
  _ release: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  let status = withErrorOut(error) { () throws(FlowError) in
    try checkFork()
    let context = try require(context, Context.self, "context", "a context").takeUnretainedValue()
    guard let function else { throw badArgument("function", "a function") }
    context.set(function: try Function("", parameters: nil, function, payload, release: release))
  }
  // A function that was created releases its payload itself.
  if status != FW_OK { Function.release(payload, by: release) }
  return status
}

@_cdecl("fw_call_argument") @implementation
public func fw_call_argument(
  _ call: OpaquePointer?, _ parameter: UnsafePointer<CChar>?, _ length: UnsafeMutablePointer<Int>?
) -> UnsafePointer<CChar>? {
  length?.pointee = 0
  guard let parameter,
    let text = Handle.borrow(call, Call.self)?._withUnsafeGuaranteedRef({ $0.argument(parameter) })
  else { return nil }
  length?.pointee = strlen(text)
  return text
}

@_cdecl("fw_call_rundir") @implementation
public func fw_call_rundir(_ call: OpaquePointer?) -> UnsafePointer<CChar>? {
  Handle.borrow(call, Call.self)?._withUnsafeGuaranteedRef { $0.rundir }
}

@_cdecl("fw_call_step") @implementation
public func fw_call_step(_ call: OpaquePointer?) -> UnsafePointer<CChar>? {
  Handle.borrow(call, Call.self)?._withUnsafeGuaranteedRef { $0.cStep.start }
}

@_cdecl("fw_call_action") @implementation
public func fw_call_action(_ call: OpaquePointer?) -> UnsafePointer<CChar>? {
  Handle.borrow(call, Call.self)?._withUnsafeGuaranteedRef { $0.action }
}

private func write(
  _ call: OpaquePointer?, _ stream: fw_stream, _ bytes: UnsafePointer<CChar>?, _ length: Int, isPiece: Bool,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let call = try require(call, Call.self, "call", "a call").takeUnretainedValue()
    guard let stream = Stream(rawValue: stream) else { throw wrongArgument("stream", "FW_STDOUT or FW_STDERR") }
    try call.write(stream, try text(bytes, length, "bytes"), isPiece: isPiece)
  }
}

@_cdecl("fw_call_write") @implementation
public func fw_call_write(
  _ call: OpaquePointer?, _ stream: fw_stream, _ bytes: UnsafePointer<CChar>?, _ length: Int,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  write(call, stream, bytes, length, isPiece: false, error)
}

@_cdecl("fw_call_write_piece") @implementation
public func fw_call_write_piece(
  _ call: OpaquePointer?, _ stream: fw_stream, _ bytes: UnsafePointer<CChar>?, _ length: Int,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  write(call, stream, bytes, length, isPiece: true, error)
}

@_cdecl("fw_call_is_cancelled") @implementation
public func fw_call_is_cancelled(_ call: OpaquePointer?) -> Int32 {
  Handle.borrow(call, Call.self)?._withUnsafeGuaranteedRef { $0.isCancelled ? 1 : 0 } ?? 1
}

@_cdecl("fw_call_on_cancel") @implementation
public func fw_call_on_cancel(
  _ call: OpaquePointer?, _ notice: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?,
  _ payload: UnsafeMutableRawPointer?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let call = try require(call, Call.self, "call", "a call").takeUnretainedValue()
    guard let notice else { throw badArgument("notice", "a function") }
    call.setCancelHandler(notice, payload)
  }
}

@_cdecl("fw_call_report") @implementation
public func fw_call_report(
  _ call: OpaquePointer?, _ json: UnsafePointer<CChar>?, _ length: Int, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let call = try require(call, Call.self, "call", "a call").takeUnretainedValue()
    try call.report(try text(json, length, "json"))
  }
}

@_cdecl("fw_call_return") @implementation
public func fw_call_return(
  _ call: OpaquePointer?, _ json: UnsafePointer<CChar>?, _ length: Int, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let call = try require(call, Call.self, "call", "a call").takeUnretainedValue()
    try call.setValue(try text(json, length, "json"))
  }
}

@_cdecl("fw_call_fail") @implementation
public func fw_call_fail(
  _ call: OpaquePointer?, _ type: UnsafePointer<CChar>?, _ message: UnsafePointer<CChar>?,
  _ trace: UnsafePointer<CChar>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let call = try require(call, Call.self, "call", "a call").takeUnretainedValue()
    try call.fail(
      type: try optionalString(type, "type") ?? "Error", message: try optionalString(message, "message") ?? "",
      trace: try optionalString(trace, "trace"))
  }
}
