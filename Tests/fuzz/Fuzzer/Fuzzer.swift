import FuzzReaders
import Glibc

// The program of `make fuzz`. libFuzzer has the `main` function, makes the inputs, and calls the functions here.

/// The reader that the environment names.
private let reader: Reader = {
  let name = getenv("FUZZ_READER").map { String(cString: $0) } ?? ""
  guard let reader = Reader.named(name) else {
    say("FUZZ_READER names no reader: \(Reader.all.map(\.name).joined(separator: " "))")
    exit(2)
  }
  return reader
}()

private func say(_ text: String) {
  let line = Array((text + "\n").utf8)
  _ = write(STDERR_FILENO, line, line.count)
}

/// Prints the readers, with the longest input of each, if that is all that is asked for.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ count: UnsafeMutableRawPointer?, _ arguments: UnsafeMutableRawPointer?) -> Int32 {
  if getenv("FUZZ_LIST") != nil {
    for reader in Reader.all { print(reader.name, reader.longest) }
    exit(0)
  }
  return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
  // The first input is empty and has no address.
  do { try reader.read(UnsafeRawBufferPointer(start: data, count: data == nil ? 0 : size)) } catch {
    say("broken: \(error)")
    abort()
  }
  return 0
}
