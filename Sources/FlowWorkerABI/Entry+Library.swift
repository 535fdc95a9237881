public import CFlowWorker
internal import CJansson
internal import CSystem
internal import FWBase
internal import FlowWorker
internal import Glibc

@_cdecl("fw_version") @implementation
public func fw_version() -> UnsafePointer<CChar>? { version?.start ?? cText("") }

/// The header is the one place that has the version.
private let version = try? CText(FW_VERSION)

@_cdecl("fw_abi_version") @implementation
public func fw_abi_version() -> Int32 { FW_ABI_VERSION }

/// The text is made at the first call, and kept.
private let buildInfo: CText? = {
  #if swift(>=6.3)
    let swift = "6.3"
  #else
    let swift = "6.1"
  #endif
  let types = Worker.runnableTypes.map { "\"\($0)\"" }.joined(separator: ",")
  let jansson = String(cString: jansson_version_str())
  var glibc: Int32 = 0
  fws_required_glibc(&glibc)
  return try? CText(
    "{\"version\":\"\(FW_VERSION)\",\"abi_version\":\(FW_ABI_VERSION),\"jansson\":\"\(jansson)\","
      + "\"glibc\":\"2.\(glibc)\",\"swift\":\"\(swift)\",\"worker_types\":[\(types)]}")
}()

@_cdecl("fw_build_info") @implementation
public func fw_build_info() -> UnsafePointer<CChar>? { buildInfo?.start ?? cText("{}") }

@_cdecl("fw_string_free") @implementation
public func fw_string_free(_ text: UnsafeMutablePointer<CChar>?) { free(text) }

// MARK: Quoting

private func quote(
  _ text: UnsafeRawBufferPointer, _ out: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>,
  _ quoting: (UnsafeRawBufferPointer) throws(FlowError) -> ByteBuffer
) throws(FlowError) {
  guard let quoted = try quoting(text).take() else { throw .noMemory }
  out.pointee = UnsafeMutableRawPointer(quoted).assumingMemoryBound(to: CChar.self)
}

@_cdecl("fw_quote_shell") @implementation
public func fw_quote_shell(
  _ text: UnsafePointer<CChar>?, _ length: Int, _ quoted: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(quoted, "quoted")
    try quote(try FlowWorkerABI.text(text, length, "text"), out, Quoting.shell)
  }
}

@_cdecl("fw_quote_json") @implementation
public func fw_quote_json(
  _ text: UnsafePointer<CChar>?, _ length: Int, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(json, "json")
    try quote(try FlowWorkerABI.text(text, length, "text"), out, Quoting.json)
  }
}
