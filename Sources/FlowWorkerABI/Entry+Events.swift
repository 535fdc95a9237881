public import CFlowWorker
internal import FWBase
internal import FWModel

@_cdecl("fw_event_kind") @implementation
public func fw_event_kind(_ event: OpaquePointer?) -> Int32 {
  Handle.borrow(event, Event.self)?._withUnsafeGuaranteedRef { $0.kind.rawValue } ?? 0
}

@_cdecl("fw_event_kind_name") @implementation
public func fw_event_kind_name(_ kind: Int32) -> UnsafePointer<CChar>? {
  Event.Kind(rawValue: kind).map { cText($0.name) }
}

@_cdecl("fw_event_sequence") @implementation
public func fw_event_sequence(_ event: OpaquePointer?) -> UInt64 {
  Handle.borrow(event, Event.self)?._withUnsafeGuaranteedRef { $0.sequence } ?? 0
}

@_cdecl("fw_event_time") @implementation
public func fw_event_time(_ event: OpaquePointer?) -> Double {
  Handle.borrow(event, Event.self)?._withUnsafeGuaranteedRef { $0.time } ?? 0
}

@_cdecl("fw_event_command") @implementation
public func fw_event_command(_ event: OpaquePointer?) -> Int32 {
  Handle.borrow(event, Event.self)?._withUnsafeGuaranteedRef { $0.command } ?? -1
}

@_cdecl("fw_event_step_name") @implementation
public func fw_event_step_name(_ event: OpaquePointer?) -> UnsafePointer<CChar>? {
  Handle.borrow(event, Event.self)?._withUnsafeGuaranteedRef { $0.cStep?.start }
}

@_cdecl("fw_event_attempt") @implementation
public func fw_event_attempt(_ event: OpaquePointer?) -> Int32 {
  Handle.borrow(event, Event.self)?._withUnsafeGuaranteedRef { $0.attempt } ?? 0
}

@_cdecl("fw_event_stream") @implementation
public func fw_event_stream(_ event: OpaquePointer?) -> fw_stream {
  Handle.borrow(event, Event.self)?._withUnsafeGuaranteedRef { $0.stream?.rawValue } ?? 0
}

@_cdecl("fw_event_data") @implementation
public func fw_event_data(_ event: OpaquePointer?, _ length: UnsafeMutablePointer<Int>?) -> UnsafePointer<CChar>? {
  length?.pointee = 0
  guard let bytes = Handle.borrow(event, Event.self)?._withUnsafeGuaranteedRef({ $0.data }) else { return nil }
  length?.pointee = bytes.count
  return bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
}

@_cdecl("fw_event_is_continued") @implementation
public func fw_event_is_continued(_ event: OpaquePointer?) -> Int32 {
  Handle.borrow(event, Event.self)?._withUnsafeGuaranteedRef { $0.isContinued ? 1 : 0 } ?? 0
}

@_cdecl("fw_event_to_json") @implementation
public func fw_event_to_json(
  _ event: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(json, "json")
    let event = try require(event, Event.self, "event", "an event").takeUnretainedValue()
    out.pointee = UnsafeMutableRawPointer(try event.toJSON()).assumingMemoryBound(to: CChar.self)
  }
}

@_cdecl("fw_event_free") @implementation
public func fw_event_free(_ event: OpaquePointer?) { Handle.free(event, Event.self) }

@_cdecl("fw_event_step") @implementation
public func fw_event_step(_ event: OpaquePointer?) -> Int32 {
  Handle.borrow(event, Event.self)?._withUnsafeGuaranteedRef { $0.step } ?? -1
}

@_cdecl("fw_event_instance") @implementation
public func fw_event_instance(_ event: OpaquePointer?) -> Int64 {
  Handle.borrow(event, Event.self)?._withUnsafeGuaranteedRef { $0.instance } ?? -1
}
