public import CFlowWorker
internal import FWBase
internal import FWModel

/// One command of a result; `nil` if there is none.
private func command(_ result: OpaquePointer?, _ index: Int) -> CommandRecord? {
  Handle.borrow(result, ExecResult.self)?._withUnsafeGuaranteedRef { $0.command(index) }
}

@_cdecl("fw_result_command_count") @implementation
public func fw_result_command_count(_ result: OpaquePointer?) -> Int {
  Handle.borrow(result, ExecResult.self)?._withUnsafeGuaranteedRef { $0.commandCount } ?? 0
}

@_cdecl("fw_result_command_text") @implementation
public func fw_result_command_text(_ result: OpaquePointer?, _ index: Int) -> UnsafePointer<CChar>? {
  command(result, index).map { $0.cCommand?.start ?? cText("") }
}

@_cdecl("fw_result_command_outcome") @implementation
public func fw_result_command_outcome(_ result: OpaquePointer?, _ index: Int) -> fw_outcome {
  command(result, index)?.end.outcome.rawValue ?? FW_STATUS_UNKNOWN
}

@_cdecl("fw_result_command_exit_code") @implementation
public func fw_result_command_exit_code(_ result: OpaquePointer?, _ index: Int) -> Int32 {
  command(result, index)?.end.exitCode ?? -1
}

@_cdecl("fw_result_command_signal") @implementation
public func fw_result_command_signal(_ result: OpaquePointer?, _ index: Int) -> Int32 {
  command(result, index)?.end.signal ?? 0
}

@_cdecl("fw_result_command_pid") @implementation
public func fw_result_command_pid(_ result: OpaquePointer?, _ index: Int) -> Int32 {
  command(result, index)?.end.pid ?? 0
}

@_cdecl("fw_result_command_started") @implementation
public func fw_result_command_started(_ result: OpaquePointer?, _ index: Int) -> Double {
  command(result, index)?.end.started ?? 0
}

@_cdecl("fw_result_command_duration") @implementation
public func fw_result_command_duration(_ result: OpaquePointer?, _ index: Int) -> Double {
  command(result, index)?.end.duration ?? 0
}

@_cdecl("fw_result_command_user_time") @implementation
public func fw_result_command_user_time(_ result: OpaquePointer?, _ index: Int) -> Double {
  command(result, index)?.end.usage?.user ?? -1
}

@_cdecl("fw_result_command_system_time") @implementation
public func fw_result_command_system_time(_ result: OpaquePointer?, _ index: Int) -> Double {
  command(result, index)?.end.usage?.system ?? -1
}

@_cdecl("fw_result_command_peak_memory") @implementation
public func fw_result_command_peak_memory(_ result: OpaquePointer?, _ index: Int) -> Int64 {
  command(result, index)?.end.usage?.peakMemory.map { Int64($0) } ?? -1
}

@_cdecl("fw_result_command_survivor_count") @implementation
public func fw_result_command_survivor_count(_ result: OpaquePointer?, _ index: Int) -> Int {
  command(result, index)?.end.survivorsCount ?? 0
}

@_cdecl("fw_result_command_is_ended") @implementation
public func fw_result_command_is_ended(_ result: OpaquePointer?, _ index: Int) -> Int32 {
  command(result, index)?.end.isEnded == false ? 0 : 1
}

@_cdecl("fw_result_command_output") @implementation
public func fw_result_command_output(
  _ result: OpaquePointer?, _ index: Int, _ stream: fw_stream, _ length: UnsafeMutablePointer<Int>?
) -> UnsafePointer<CChar>? {
  length?.pointee = 0
  guard let stream = Stream(rawValue: stream), let output = command(result, index)?.end.output(of: stream) else {
    return nil
  }
  length?.pointee = output.bytes.count
  return output.bytes.baseAddress?.assumingMemoryBound(to: CChar.self) ?? cText("")
}

@_cdecl("fw_result_command_output_size") @implementation
public func fw_result_command_output_size(_ result: OpaquePointer?, _ index: Int, _ stream: fw_stream) -> UInt64 {
  guard let stream = Stream(rawValue: stream), let output = command(result, index)?.end.output(of: stream) else {
    return 0
  }
  return UInt64(clamping: output.size)
}
