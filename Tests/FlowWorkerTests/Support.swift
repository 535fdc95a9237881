@testable import FWBase
@testable import FWModel
@testable import FlowWorker

/// Lends the bytes of a text.
func withBytes<Result>(_ text: String, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
  var text = text
  return try text.withUTF8 { try body(UnsafeRawBufferPointer($0)) }
}

/// The error of a call that must fail.
func failure(_ body: () throws -> Void) -> FlowError? {
  do {
    try body()
    return nil
  } catch {
    return error as? FlowError
  }
}

func text(_ buffer: borrowing ByteBuffer, _ range: Range<Int>? = nil) -> String {
  String(decoding: UnsafeRawBufferPointer(rebasing: buffer.bytes[range ?? 0..<buffer.count]), as: UTF8.self)
}

func pool(_ config: String) throws -> Pool { try withBytes(config) { try Pool($0) } }

func step(_ document: String) throws -> Step { try withBytes(document) { try Step($0) } }

func containerStep(_ name: String, _ commands: [String] = []) throws -> Step {
  let list = commands.map { "\"\($0)\"" }.joined(separator: ",")
  return try step(#"{"name": "\#(name)", "action": {"environment": "", "commands": [\#(list)]}}"#)
}
