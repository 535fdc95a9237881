internal import FWBase

/// A machine that has its own numbers of system calls.
enum SyscallMachine: CaseIterable {
  case x86_64
  case aarch64

  #if arch(x86_64)
    static let own = SyscallMachine.x86_64
  #else
    static let own = SyscallMachine.aarch64
  #endif

  /// The number of the machine in seccomp(2), `AUDIT_ARCH_…`.
  var audit: UInt32 { self == .x86_64 ? 0xC000_003E : 0xC000_00B7 }

  var numbers: SyscallNumbers { self == .x86_64 ? SyscallNumbers.ofX86_64 : SyscallNumbers.ofAArch64 }
}

/// The numbers of a machine's system calls by their names.
///
/// The tables are text: a number is that of the name behind it, and each further name has the next number.
/// `Tests/lint/syscalls.py` compares them with the headers of Linux.
struct SyscallNumbers: Sendable {
  fileprivate static let ofX86_64 = SyscallNumbers(x86_64)
  fileprivate static let ofAArch64 = SyscallNumbers(aarch64)

  private let numbers: [Name: UInt32]

  private init(_ table: StaticString) {
    var numbers: [Name: UInt32] = [:]
    var next: UInt32 = 0
    for word in "\(table)".utf8.split(whereSeparator: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }) {
      let text = String(word) ?? ""
      if let number = UInt32(text) {
        next = number
      } else {
        numbers[Name(text)] = next
        next += 1
      }
    }
    self.numbers = numbers
  }

  /// `nil` if the machine has no such call.
  subscript(name: String) -> UInt32? { numbers[Name(name)] }

  /// Whether any of the machines has the call.
  static func isKnown(_ name: String) -> Bool { SyscallMachine.allCases.contains { $0.numbers[name] != nil } }

  static var allNames: [String] {
    Set(SyscallMachine.allCases.flatMap { $0.numbers.numbers.keys }).sorted().map(\.text)
  }
}
