public import CFlowWorker
internal import FWBase
internal import FWModel
internal import FlowWorker

// MARK: Results

@_cdecl("fw_result_name") @implementation
public func fw_result_name(_ result: OpaquePointer?) -> UnsafePointer<CChar>? {
  Handle.borrow(result, ExecResult.self)?._withUnsafeGuaranteedRef { $0.name?.start }
}

@_cdecl("fw_result_index") @implementation
public func fw_result_index(_ result: OpaquePointer?) -> Int32 {
  Handle.borrow(result, ExecResult.self)?._withUnsafeGuaranteedRef { $0.place.map { Int32(clamping: $0.index) } } ?? -1
}

@_cdecl("fw_result_instance") @implementation
public func fw_result_instance(_ result: OpaquePointer?) -> Int64 {
  Handle.borrow(result, ExecResult.self)?._withUnsafeGuaranteedRef { $0.place?.instance.map { Int64($0) } } ?? -1
}

@_cdecl("fw_result_returncode") @implementation
public func fw_result_returncode(_ result: OpaquePointer?) -> Int32 {
  Handle.borrow(result, ExecResult.self)?._withUnsafeGuaranteedRef { $0.returncode } ?? 1
}

@_cdecl("fw_result_outcome") @implementation
public func fw_result_outcome(_ result: OpaquePointer?) -> fw_outcome {
  Handle.borrow(result, ExecResult.self)?._withUnsafeGuaranteedRef { $0.outcome.rawValue } ?? FW_STATUS_UNKNOWN
}

@_cdecl("fw_outcome_name") @implementation
public func fw_outcome_name(_ outcome: fw_outcome) -> UnsafePointer<CChar>? {
  Outcome(rawValue: outcome).map { cText($0.name) }
}

@_cdecl("fw_result_started") @implementation
public func fw_result_started(_ result: OpaquePointer?) -> Double {
  Handle.borrow(result, ExecResult.self)?._withUnsafeGuaranteedRef { $0.started } ?? 0
}

@_cdecl("fw_result_duration") @implementation
public func fw_result_duration(_ result: OpaquePointer?) -> Double {
  Handle.borrow(result, ExecResult.self)?._withUnsafeGuaranteedRef { $0.duration } ?? 0
}

@_cdecl("fw_result_message") @implementation
public func fw_result_message(_ result: OpaquePointer?) -> UnsafePointer<CChar>? {
  Handle.borrow(result, ExecResult.self)?._withUnsafeGuaranteedRef { $0.message?.start }
}

@_cdecl("fw_result_output_incomplete") @implementation
public func fw_result_output_incomplete(_ result: OpaquePointer?, _ stream: fw_stream) -> Int32 {
  guard let stream = Stream(rawValue: stream) else { return 0 }
  return Handle.borrow(result, ExecResult.self)?._withUnsafeGuaranteedRef { $0.isIncomplete(stream) ? 1 : 0 } ?? 0
}

@_cdecl("fw_result_output_count") @implementation
public func fw_result_output_count(_ result: OpaquePointer?, _ stream: fw_stream) -> Int {
  guard let stream = Stream(rawValue: stream) else { return 0 }
  return Handle.borrow(result, ExecResult.self)?._withUnsafeGuaranteedRef { $0.outputCount(of: stream) } ?? 0
}

@_cdecl("fw_result_output") @implementation
public func fw_result_output(
  _ result: OpaquePointer?, _ stream: fw_stream, _ index: Int, _ length: UnsafeMutablePointer<Int>?
) -> UnsafePointer<CChar>? {
  length?.pointee = 0
  guard let stream = Stream(rawValue: stream),
    let bytes = Handle.borrow(result, ExecResult.self)?._withUnsafeGuaranteedRef({ $0.bytes(of: stream, index) })
  else { return nil }
  length?.pointee = bytes.count
  return bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
}

@_cdecl("fw_result_output_cut") @implementation
public func fw_result_output_cut(
  _ result: OpaquePointer?, _ stream: fw_stream, _ index: Int, _ at: UnsafeMutablePointer<Int>?
) -> Int {
  at?.pointee = 0
  guard let stream = Stream(rawValue: stream),
    let cut = Handle.borrow(result, ExecResult.self)?._withUnsafeGuaranteedRef({ $0.cut(of: stream, index) })
  else { return 0 }
  at?.pointee = cut.at
  return cut.missing
}

@_cdecl("fw_result_to_json") @implementation
public func fw_result_to_json(
  _ result: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(json, "json")
    let result = try require(result, ExecResult.self, "result", "a result").takeUnretainedValue()
    out.pointee = UnsafeMutableRawPointer(try result.toJSON()).assumingMemoryBound(to: CChar.self)
  }
}

@_cdecl("fw_result_free") @implementation
public func fw_result_free(_ result: OpaquePointer?) {
  guard let object = Handle.borrow(result, ExecResult.self) else { return }
  if !object._withUnsafeGuaranteedRef({ $0.isLent }) { object.release() }
}

@_cdecl("fw_result_step_count") @implementation
public func fw_result_step_count(_ result: OpaquePointer?) -> Int {
  Handle.borrow(result, ExecResult.self)?._withUnsafeGuaranteedRef { $0.steps.count } ?? 0
}

@_cdecl("fw_result_step") @implementation
public func fw_result_step(_ result: OpaquePointer?, _ index: Int) -> OpaquePointer? {
  Handle.borrow(result, ExecResult.self)?._withUnsafeGuaranteedRef { result in
    let steps = result.steps
    guard index >= 0, index < steps.count else { return nil }
    // The result keeps the step alive.
    return OpaquePointer(Unmanaged.passUnretained(steps[index]).toOpaque())
  }
}

@_cdecl("fw_result_view") @implementation
public func fw_result_view(
  _ result: OpaquePointer?, _ format: UnsafePointer<CChar>?,
  _ text: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(text, "text")
    let result = try require(result, ExecResult.self, "result", "a result").takeUnretainedValue()
    let view = try result.view(as: string(format, "format"))
    out.pointee = UnsafeMutableRawPointer(view).assumingMemoryBound(to: CChar.self)
  }
}
