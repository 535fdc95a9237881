internal import FWBase
internal import Glibc

/// A filter of system calls: a program of classic BPF that the kernel runs for each call of a command (seccomp(2)).
///
/// The kernel runs it for each number when it is installed, so the numbers are found by a tree of comparisons, and not
/// one after the other. What is not named is allowed. A refused call gives an error and does not end the process,
/// because programs try calls to find out whether the kernel has them.
struct SyscallFilter {
  /// The layers that hold beside the filter decide what it has to refuse. The order is that of `FWSV_FILTERS`.
  enum Kind: CaseIterable {
    case namespaces
    case landlock
    case alone
  }

  /// The kernel's `struct sock_filter`.
  struct Instruction: Equatable {
    let code: UInt16
    var ifTrue: UInt8 = 0
    var ifFalse: UInt8 = 0
    var value: UInt32
  }

  enum Code {
    static let load: UInt16 = 0x20
    static let and: UInt16 = 0x54
    static let jump: UInt16 = 0x05
    static let isEqual: UInt16 = 0x15
    static let isAtLeast: UInt16 = 0x35
    static let hasAny: UInt16 = 0x45
    static let answer: UInt16 = 0x06
  }

  /// What a program answers, as `SECCOMP_RET_…`.
  enum Answer {
    static let allow: UInt32 = 0x7FFF_0000
    static func error(_ number: Int32) -> UInt32 { 0x0005_0000 | UInt32(truncatingIfNeeded: number) }
  }

  /// What decides about a call.
  private enum Rule: Hashable {
    case answer(UInt32)
    case newProcess
    case terminal
    case socket
    case socketPair
    /// The flags of a message are this argument.
    case message(flags: Int)
  }

  private static let refused = Rule.answer(Answer.error(EPERM))
  /// A program that finds this does what it does on a kernel without the call.
  private static let missing = Rule.answer(Answer.error(ENOSYS))

  private(set) var program: [Instruction] = []
  /// The jumps to the code of rules, which is behind the tree.
  private var jumps: [(at: Int, to: Rule)] = []
  private let sockets: Sockets

  init(_ kind: Kind, _ options: SandboxOptions, of machine: SyscallMachine = .own) {
    sockets = Sockets(kind, options.network)
    var rules = SyscallFilter.rules(kind, sockets, machine.numbers)
    for name in options.refusedCalls {
      // What is missing stays so: threads need a clone3 that is missing rather than refused.
      if let number = machine.numbers[name], rules[number] != SyscallFilter.missing {
        rules[number] = SyscallFilter.refused
      }
    }
    add(Code.load, Field.machine)
    program.append(Instruction(code: Code.isEqual, ifTrue: 1, value: machine.audit))
    add(Code.answer, Answer.error(ENOSYS))
    add(Code.load, Field.number)
    let pieces = SyscallFilter.pieces(rules)
    addTree(pieces[...])
    var places: [Rule: Int] = [:]
    for (at, rule) in jumps {
      let place = places[rule] ?? program.count
      if places[rule] == nil {
        places[rule] = place
        addCode(of: rule)
      }
      program[at].value = UInt32(clamping: place - at - 1)
    }
  }

  // MARK: The calls

  /// What acts on the whole system, makes namespaces and mounts, or reaches things that no namespace and no Landlock
  /// bounds.
  private static let refusedCalls = [
    "mount", "umount2", "pivot_root", "chroot", "setns", "unshare", "open_tree", "open_tree_attr", "move_mount",
    "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "swapon", "swapoff", "reboot", "kexec_load",
    "kexec_file_load", "init_module", "finit_module", "delete_module", "bpf", "perf_event_open", "add_key",
    "request_key", "keyctl", "userfaultfd", "open_by_handle_at", "quotactl", "quotactl_fd", "acct", "iopl", "ioperm",
  ]

  /// A filter cannot see what these do: their arguments are in memory.
  private static let missingCalls = ["clone3", "io_uring_setup", "io_uring_enter", "io_uring_register"]

  /// What reaches into other processes. A namespace of processes and Landlock bound it themselves, and debuggers and
  /// sanitizers need it.
  private static let tracingCalls = ["ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd"]

  private static func rules(_ kind: Kind, _ sockets: Sockets, _ numbers: SyscallNumbers) -> [UInt32: Rule] {
    var rules: [UInt32: Rule] = [:]
    func set(_ names: [String], _ rule: Rule) {
      for name in names { if let number = numbers[name] { rules[number] = rule } }
    }
    set(refusedCalls, refused)
    set(missingCalls, missing)
    if kind == .alone { set(tracingCalls, refused) }
    set(["clone"], .newProcess)
    set(["ioctl"], .terminal)
    set(["socket"], .socket)
    set(["socketpair"], .socketPair)
    if sockets.isTCP {
      set(["sendto", "sendmmsg"], .message(flags: 3))
      set(["sendmsg"], .message(flags: 2))
    }
    return rules
  }

  // MARK: The tree

  /// The numbers from one on, up to the next piece, which have one rule.
  private typealias Piece = (from: UInt32, rule: Rule)

  /// From this number on there are the calls of x32, which no machine needs.
  private static let firstForeign: UInt32 = 0x4000_0000

  private static func pieces(_ rules: [UInt32: Rule]) -> [Piece] {
    var pieces: [Piece] = []
    func add(_ from: UInt32, _ rule: Rule) {
      if pieces.last?.from == from { pieces.removeLast() }
      if pieces.last?.rule != rule { pieces.append((from, rule)) }
    }
    add(0, .answer(Answer.allow))
    for (number, rule) in rules.sorted(by: { $0.key < $1.key }) {
      add(number, rule)
      add(number + 1, .answer(Answer.allow))
    }
    add(firstForeign, missing)
    return pieces
  }

  /// The depth of the recursion is the logarithm of the number of pieces.
  private mutating func addTree(_ pieces: ArraySlice<Piece>) {
    guard pieces.count > 1 else {
      guard let rule = pieces.first?.rule else { return }
      if case .answer(let answer) = rule { return add(Code.answer, answer) }
      jumps.append((program.count, rule))
      return add(Code.jump, 0)
    }
    let middle = pieces.startIndex + pieces.count / 2
    let distance = SyscallFilter.size(middle - pieces.startIndex)
    // A comparison leads at most 255 instructions further, and a jump as far as it has to.
    if let near = UInt8(exactly: distance) {
      program.append(Instruction(code: Code.isAtLeast, ifTrue: near, value: pieces[middle].from))
    } else {
      program.append(Instruction(code: Code.isAtLeast, ifFalse: 1, value: pieces[middle].from))
      add(Code.jump, UInt32(clamping: distance))
    }
    addTree(pieces[..<middle])
    addTree(pieces[middle...])
  }

  /// The number of instructions of a tree.
  private static func size(_ pieces: Int) -> Int {
    if pieces < 2 { return pieces }
    let left = size(pieces / 2)
    return left + size(pieces - pieces / 2) + (left > Int(UInt8.max) ? 2 : 1)
  }

  // MARK: The rules

  private enum Field {
    static let number: UInt32 = 0
    static let machine: UInt32 = 4
    /// The low 32 bits of an argument. The kernel takes no more of those that the rules look at.
    static func argument(_ index: Int) -> UInt32 { 16 + 8 * UInt32(clamping: index) }
  }

  /// The flags of clone(2) that make namespaces.
  private static let namespaceFlags: UInt32 = 0x7E02_0000
  private static let terminalRequests: [UInt32] = [0x5412, 0x541C]  // TIOCSTI, TIOCLINUX
  private static let fastOpen: UInt32 = 0x2000_0000
  private static let typeMask: UInt32 = 0xF

  private mutating func addCode(of rule: Rule) {
    switch rule {
    case .answer(let answer): return add(Code.answer, answer)
    case .newProcess: refuse(argument: 0, withAny: SyscallFilter.namespaceFlags, EPERM)
    case .message(let flags): refuse(argument: flags, withAny: SyscallFilter.fastOpen, EOPNOTSUPP)
    case .terminal:
      add(Code.load, Field.argument(1))
      for request in SyscallFilter.terminalRequests {
        program.append(Instruction(code: Code.isEqual, ifFalse: 1, value: request))
        add(Code.answer, Answer.error(EPERM))
      }
    case .socketPair:
      require(argument: 0, among: [Sockets.local])
      // A pair of datagram sockets can send to the sockets of others, too.
      if !sockets.hasLocal { require(argument: 1, mask: SyscallFilter.typeMask, among: [1, 5]) }
    case .socket:
      switch sockets {
      case .nothing: return add(Code.answer, Answer.error(EAFNOSUPPORT))
      case .families(let families): require(argument: 0, among: families)
      case .tcp(let hasLocal):
        if hasLocal {
          add(Code.load, Field.argument(0))
          program.append(Instruction(code: Code.isEqual, ifFalse: 1, value: Sockets.local))
          add(Code.answer, Answer.allow)
        }
        require(argument: 0, among: Sockets.internet)
        require(argument: 1, mask: SyscallFilter.typeMask, among: [1])
        require(argument: 2, among: [0, 6])
      }
    }
    add(Code.answer, Answer.allow)
  }

  /// Goes on if an argument has one of the values.
  private mutating func require(argument: Int, mask: UInt32? = nil, among values: [UInt32]) {
    add(Code.load, Field.argument(argument))
    if let mask { add(Code.and, mask) }
    for (index, value) in values.enumerated() {
      program.append(Instruction(code: Code.isEqual, ifTrue: UInt8(clamping: values.count - index), value: value))
    }
    add(Code.answer, Answer.error(EAFNOSUPPORT))
  }

  /// Goes on if an argument has none of the bits.
  private mutating func refuse(argument: Int, withAny bits: UInt32, _ error: Int32) {
    add(Code.load, Field.argument(argument))
    program.append(Instruction(code: Code.hasAny, ifFalse: 1, value: bits))
    add(Code.answer, Answer.error(error))
  }

  private mutating func add(_ code: UInt16, _ value: UInt32) {
    program.append(Instruction(code: code, value: value))
  }
}

/// The sockets that a command may make.
private enum Sockets {
  /// A network namespace bounds these. Others, such as vsock, reach the host from any namespace.
  case families([UInt32])
  /// TCP alone, because ports are told for nothing else, and local sockets where the view has covered those of others.
  case tcp(hasLocal: Bool)
  case nothing

  static let local: UInt32 = 1
  static let internet: [UInt32] = [2, 10]
  private static let netlink: UInt32 = 16

  init(_ kind: SyscallFilter.Kind, _ network: SandboxOptions.Network) {
    switch network {
    case .none where kind != .namespaces: self = .nothing
    case .none, .host: self = .families([Sockets.local] + Sockets.internet + [Sockets.netlink])
    case .connect: self = .tcp(hasLocal: kind == .namespaces)
    }
  }

  var isTCP: Bool { if case .tcp = self { true } else { false } }

  var hasLocal: Bool {
    switch self {
    case .families: true
    case .tcp(let hasLocal): hasLocal
    case .nothing: false
    }
  }
}
