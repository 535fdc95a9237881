public import CFlowWorker
internal import FWBase

/// An error of a call, which the caller holds.
final class ErrorObject: Sendable {
  let code: fw_status
  private let text: CText?
  let path: CText?
  let line: Int32
  let column: Int32

  init(_ error: FlowError) {
    code = error.code.rawValue
    text = try? CText(error.message)
    path = error.path.flatMap { try? CText($0) }
    line = Int32(clamping: error.position?.line ?? 0)
    column = Int32(clamping: error.position?.column ?? 0)
  }

  var message: UnsafePointer<CChar> { text?.start ?? cText("there is not enough memory for the error message") }
}

@_cdecl("fw_error_code") @implementation
public func fw_error_code(_ error: OpaquePointer?) -> fw_status {
  Handle.borrow(error, ErrorObject.self)?._withUnsafeGuaranteedRef { $0.code } ?? FW_OK
}

@_cdecl("fw_status_name") @implementation
public func fw_status_name(_ status: fw_status) -> UnsafePointer<CChar>? {
  status == FW_OK ? cText("ok") : FlowError.Code(rawValue: status).map { cText($0.name) }
}

@_cdecl("fw_error_message") @implementation
public func fw_error_message(_ error: OpaquePointer?) -> UnsafePointer<CChar>? {
  Handle.borrow(error, ErrorObject.self)?._withUnsafeGuaranteedRef { $0.message } ?? cText("no error")
}

@_cdecl("fw_error_path") @implementation
public func fw_error_path(_ error: OpaquePointer?) -> UnsafePointer<CChar>? {
  Handle.borrow(error, ErrorObject.self)?._withUnsafeGuaranteedRef { $0.path?.start }
}

@_cdecl("fw_error_line") @implementation
public func fw_error_line(_ error: OpaquePointer?) -> Int32 {
  Handle.borrow(error, ErrorObject.self)?._withUnsafeGuaranteedRef { $0.line } ?? 0
}

@_cdecl("fw_error_column") @implementation
public func fw_error_column(_ error: OpaquePointer?) -> Int32 {
  Handle.borrow(error, ErrorObject.self)?._withUnsafeGuaranteedRef { $0.column } ?? 0
}

@_cdecl("fw_error_free") @implementation
public func fw_error_free(_ error: OpaquePointer?) { Handle.free(error, ErrorObject.self) }
