public import CFlowWorker
internal import FWBase
internal import FWModel

@_cdecl("fw_set_log") @implementation
public func fw_set_log(
  _ level: fw_log_level, _ function: fw_log_function?, _ payload: UnsafeMutableRawPointer?,
  _ release: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  var isKept = false
  let status = withErrorOut(error) { () throws(FlowError) in
    try checkFork()
    var log: Log?
    if level != FW_LOG_OFF {
      guard let level = Log.Level(rawValue: level) else {
        throw FlowError(.invalid, "there is no log level \(level): use FW_LOG_OFF or one of the numbers after it")
      }
      guard let function else { throw badArgument("function", "a function") }
      log = Log(level, unsafeBitCast(function, to: Log.Function.self), payload) {
        Function.release(payload, by: release)
      }
      isKept = true
    }
    Log.set(log)
  }
  // A log that was created releases its payload itself.
  if !isKept { Function.release(payload, by: release) }
  return status
}

@_cdecl("fw_log_level_name") @implementation
public func fw_log_level_name(_ level: fw_log_level) -> UnsafePointer<CChar>? {
  level == FW_LOG_OFF ? cText("off") : Log.Level(rawValue: level).map { cText($0.name) }
}
