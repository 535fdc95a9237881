internal import CSystem
internal import CFlowWorker
internal import FWBase
internal import Glibc

/// The parts of every entry point: they check arguments, set outputs in every case, and turn what the engine throws
/// into a status and an error. Nothing here traps on an argument.
///
/// The files Entry+….swift repeat signatures and first lines, because each entry point is written out as the header has
/// it, and the compiler compares the two.

/// An object that callers hold by a pointer.
enum Handle {
  /// Gives an object to the caller, who frees it.
  static func give<Object: AnyObject>(_ object: Object) -> OpaquePointer {
    OpaquePointer(Unmanaged.passRetained(object).toOpaque())
  }

  /// The object behind a caller's pointer; `nil` for NULL, and for a handle of another type. The first word of an
  /// object names its class.
  @inline(__always)
  static func borrow<Object: AnyObject>(_ handle: OpaquePointer?, _ type: Object.Type) -> Unmanaged<Object>? {
    guard let handle else { return nil }
    let raw = UnsafeRawPointer(handle)
    guard raw.load(as: UnsafeRawPointer.self) == unsafeBitCast(type, to: UnsafeRawPointer.self) else { return nil }
    return Unmanaged.fromOpaque(raw)
  }

  static func free<Object: AnyObject>(_ handle: OpaquePointer?, _ type: Object.Type) {
    borrow(handle, type)?.release()
  }
}

/// Why an argument that is NULL cannot be used.
func badArgument(_ name: StaticString, _ what: StaticString) -> FlowError {
  FlowError(.invalid, "the argument \"\(name)\" is NULL: expected \(what)")
}

/// Why an argument that is something else cannot be used.
func wrongArgument(_ name: StaticString, _ what: StaticString) -> FlowError {
  FlowError(.invalid, "the argument \"\(name)\" is not \(what)")
}

/// Whether this process was forked from one that uses the library, so that a lock may be held for ever.
var isForked: Bool { fws_is_forked() }

@inline(__always)
func checkFork() throws(FlowError) { if isForked { throw .forked } }

/// Runs an entry point that can fail.
@inline(__always)
func withErrorOut(
  _ error: UnsafeMutablePointer<OpaquePointer?>?, _ body: () throws(FlowError) -> Void
) -> fw_status {
  error?.pointee = nil
  do throws(FlowError) {
    try body()
    return FW_OK
  } catch let failure {
    error?.pointee = Handle.give(ErrorObject(failure))
    return failure.code.rawValue
  }
}

/// Sets an out-parameter to NULL until there is something to put into it.
@inline(__always)
func outParameter<Value>(
  _ pointer: UnsafeMutablePointer<Value?>?, _ name: StaticString
) throws(FlowError) -> UnsafeMutablePointer<Value?> {
  guard let pointer else { throw badArgument(name, "an output pointer") }
  pointer.pointee = nil
  try checkFork()
  return pointer
}

/// The object of a handle that must not be NULL.
@inline(__always)
func require<Object: AnyObject>(
  _ handle: OpaquePointer?, _ type: Object.Type, _ name: StaticString, _ what: StaticString
) throws(FlowError) -> Unmanaged<Object> {
  guard let object = Handle.borrow(handle, type) else {
    throw handle == nil ? badArgument(name, what) : wrongArgument(name, what)
  }
  return object
}

/// A text with a length, or with a NUL at its end.
func text(_ start: UnsafePointer<CChar>?, _ length: Int, _ name: StaticString) throws(FlowError)
  -> UnsafeRawBufferPointer
{
  guard let start else { throw badArgument(name, "a string") }
  // FW_ZERO_TERMINATED, which is the largest size_t, arrives as -1; no other text is longer than Int.max.
  guard length >= -1 else { throw FlowError(.invalid, "the length of the argument \"\(name)\" is too large") }
  return UnsafeRawBufferPointer(start: start, count: length == -1 ? strlen(start) : length)
}

/// A number of seconds from the caller, in the argument `timeout`.
func time(_ seconds: Double) throws(FlowError) -> Double {
  if seconds.isNaN { throw FlowError(.invalid, "the argument \"timeout\" is not a number") }
  return seconds
}

/// A name or a path, with a NUL at its end.
func string(_ start: UnsafePointer<CChar>?, _ name: StaticString) throws(FlowError) -> String {
  guard let start else { throw badArgument(name, "a string") }
  guard let text = String(validatingCString: start) else {
    throw FlowError(.invalid, "the argument \"\(name)\" is not valid UTF-8")
  }
  return text
}

func optionalString(_ start: UnsafePointer<CChar>?, _ name: StaticString) throws(FlowError) -> String? {
  start == nil ? nil : try string(start, name)
}

/// A text that the caller may leave out; the length of NULL does not matter.
func optionalText(
  _ start: UnsafePointer<CChar>?, _ length: Int, _ name: StaticString
) throws(FlowError) -> UnsafeRawBufferPointer? {
  start == nil ? nil : try text(start, length, name)
}

/// A literal as C text, which is valid for ever because literals end with a NUL.
func cText(_ literal: StaticString) -> UnsafePointer<CChar> {
  UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
}

/// Puts a text of the engine into an out-parameter.
func store(_ text: consuming CString, to out: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) {
  out.pointee = text.take()
}
