public import CFlowWorker
internal import FWBase
internal import FWExecution
internal import FWModel

@_cdecl("fw_exec_write") @implementation
public func fw_exec_write(
  _ exec: OpaquePointer?, _ bytes: UnsafePointer<CChar>?, _ length: Int, _ timeout: Double,
  _ taken: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  var count = 0
  defer { taken?.pointee = count }
  return withErrorOut(error) { () throws(FlowError) in
    try checkFork()
    let exec = try require(exec, Exec.self, "exec", "an exec").takeUnretainedValue()
    let none = UnsafeRawBufferPointer(start: nil, count: 0)
    let bytes = bytes == nil && length == 0 ? none : try text(bytes, length, "bytes")
    try exec.write(bytes, timeout: time(timeout), taken: &count)
  }
}

@_cdecl("fw_exec_close_input") @implementation
public func fw_exec_close_input(
  _ exec: OpaquePointer?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    try checkFork()
    try require(exec, Exec.self, "exec", "an exec").takeUnretainedValue().closeInput()
  }
}

@_cdecl("fw_exec_signal") @implementation
public func fw_exec_signal(
  _ exec: OpaquePointer?, _ signal: Int32, _ target: fw_signal_target, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    try checkFork()
    let exec = try require(exec, Exec.self, "exec", "an exec").takeUnretainedValue()
    guard (1...64).contains(signal) else {
      throw FlowError(.invalid, "the argument \"signal\" is \(signal): expected the number of a signal, from 1 to 64")
    }
    try exec.signal(signal, signalTarget(target))
  }
}

private func signalTarget(_ number: fw_signal_target) throws(FlowError) -> SignalTarget {
  switch number {
  case FW_SIGNAL_MAIN: return .main
  case FW_SIGNAL_TREE: return .tree
  default:
    throw FlowError(.invalid, "the argument \"target\" is \(number): expected FW_SIGNAL_MAIN or FW_SIGNAL_TREE")
  }
}
