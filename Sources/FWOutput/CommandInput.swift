internal import CSystem
package import FWBase
package import FWModel
package import FWSystem
internal import Glibc

/// The standard input of one command: a file that is read from its beginning, or what the host writes meanwhile. Every
/// kind of command gets its input from here.
package final class CommandInput {
  /// A regular file, or text in memory, at its beginning; `nil`: the host writes the input.
  package let file: Descriptor?
  /// The input as a message names it.
  package let name: String
  /// What the file was when it was opened; `nil` if it cannot change.
  private let facts: fws_file?

  /// Makes the input that the host writes.
  package init() {
    file = nil
    name = "the standard input"
    facts = nil
  }

  /// Makes an input that gives these bytes.
  package init(_ bytes: UnsafeRawBufferPointer) throws(StepFailure) {
    name = "the standard input"
    facts = nil
    let number = fws_input_file(bytes.baseAddress, bytes.count)
    guard number >= 0 else {
      throw StepFailure("a file in memory for the standard input could not be created", 0 - number)
    }
    file = Descriptor(number)
  }

  /// Opens a file of the run directory. Symbolic links are followed, as by a shell.
  package init(_ key: VolumeKey, in rundir: CText) throws(StepFailure) {
    let shown = MessageFormat.quoted(bytes: key.bytes)
    name = "the standard input \(shown)"
    var path = ByteBuffer()
    path.append(UnsafeRawBufferPointer(start: rundir.start, count: strlen(rundir.start)))
    path.append(byte: UInt8(ascii: "/"))
    key.bytes.withUnsafeBytes { path.append($0) }
    path.append(byte: 0)
    guard !path.isExhausted, let start = path.start else { throw .noMemory }
    var facts = fws_file()
    let number = UnsafeRawPointer(start).withMemoryRebound(to: CChar.self, capacity: path.count) {
      fws_open_regular($0, &facts)
    }
    guard number >= 0 else { throw CommandInput.failure(shown, 0 - number, facts.kind) }
    file = Descriptor(number)
    self.facts = facts
  }

  private static func failure(_ shown: String, _ error: Int32, _ kind: CChar) -> StepFailure {
    let what: String? =
      switch UInt8(bitPattern: kind) {
      case UInt8(ascii: "d"): "a directory"
      case UInt8(ascii: "p"): "a named pipe"
      case UInt8(ascii: "s"): "a socket"
      case UInt8(ascii: "c"): "a device"
      default: nil
      }
    if let what { return StepFailure("the standard input \(shown) is \(what): expected a regular file") }
    if error == ENOENT {
      return StepFailure("the standard input \(shown) does not exist in the run directory")
    }
    return StepFailure("the standard input \(shown) cannot be opened", error)
  }

  /// Says that the file was changed since it was opened; `nil`: it was not.
  package var change: String? {
    guard let facts, let file else { return nil }
    var present = fws_file()
    guard fws_file_facts(file.number, &present) == 0 else { return nil }
    if present.size == facts.size, present.changed == facts.changed { return nil }
    return "\(name) was changed while the command ran, so the command may have read a mixture of old and new content"
  }
}
