internal import FWBase
internal import Glibc

/// A filter of system calls: what the kernel asks for each call of a command (seccomp(2)).
///
/// What is not named is allowed. A refused call gives an error and does not end the process, because programs try calls
/// to find out whether the kernel has them.
struct SyscallFilter {
  /// The layers that hold beside the filter decide what it has to refuse. The order is that of `FWSV_FILTERS`.
  enum Kind: CaseIterable {
    case namespaces
    case landlock
    case alone
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

  private typealias Code = FilterProgram.Code
  private typealias Place = FilterProgram.Place

  private var written = FilterProgram()
  private var places: [Rule: Place] = [:]
  private let sockets: Sockets

  var program: [FilterProgram.Instruction] { written.instructions }

  init(_ kind: Kind, _ options: SandboxOptions, of machine: SyscallMachine = .own) {
    sockets = Sockets(kind, options.network)
    var rules = SyscallFilter.rules(kind, sockets, machine.numbers)
    for name in options.refusedCalls {
      // What is missing stays so: threads need a clone3 that is missing rather than refused.
      if let number = machine.numbers[name], rules[number] != SyscallFilter.missing {
        rules[number] = SyscallFilter.refused
      }
    }
    let pieces = SyscallFilter.pieces(rules)
    for piece in pieces { _ = place(of: piece.rule) }
    _ = writeTree(pieces[...])
    let isOwn = written.load(Field.number)
    let isForeign = place(of: SyscallFilter.missing)
    _ = written.compare(Code.isEqual, machine.audit, ifTrue: isOwn, ifFalse: isForeign)
    _ = written.load(Field.machine)
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

  /// The kernel also runs a program for each number when it is installed, so the numbers are found by halves, until a
  /// few comparisons are enough. The depth of the recursion is the logarithm of the number of pieces.
  private mutating func writeTree(_ pieces: ArraySlice<Piece>) -> Place {
    if let place = writeList(pieces) { return place }
    let middle = pieces.startIndex + pieces.count / 2
    let high = writeTree(pieces[middle...])
    let low = writeTree(pieces[..<middle])
    return written.compare(Code.isAtLeast, pieces[middle].from, ifTrue: high, ifFalse: low)
  }

  /// The most pieces of a list. A longer list makes a shorter program, in which most numbers take longer.
  private static let listLength = 7

  /// Some numbers that have rules of their own among others that share one, and a piece at the end.
  private mutating func writeList(_ pieces: ArraySlice<Piece>) -> Place? {
    guard pieces.count <= SyscallFilter.listLength, let others = pieces.first?.rule else { return nil }
    var own: [(code: UInt16, piece: Piece)] = []
    var rest = pieces.dropFirst()
    while let piece = rest.popFirst() {
      guard let after = rest.popFirst() else {
        own.append((Code.isAtLeast, piece))
        break
      }
      guard after.from == piece.from + 1, after.rule == others else { return nil }
      own.append((Code.isEqual, piece))
    }
    var next = place(of: others)
    for (code, piece) in own.reversed() {
      next = written.compare(code, piece.from, ifTrue: place(of: piece.rule), ifFalse: next)
    }
    return next
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

  private mutating func place(of rule: Rule) -> Place {
    if let place = places[rule] { return place }
    let place = write(rule)
    places[rule] = place
    return place
  }

  private mutating func write(_ rule: Rule) -> Place {
    let allowed = written.answer(Answer.allow)
    switch rule {
    case .answer(let answer): return written.answer(answer)
    case .newProcess: return refuse(argument: 0, withAny: SyscallFilter.namespaceFlags, EPERM)
    case .message(let flags): return refuse(argument: flags, withAny: SyscallFilter.fastOpen, EOPNOTSUPP)
    case .terminal:
      let refused = written.answer(Answer.error(EPERM))
      return find(argument: 1, among: SyscallFilter.terminalRequests, ifTrue: refused, ifFalse: allowed)
    case .socketPair:
      // A pair of datagram sockets can send to the sockets of others, too.
      let type =
        sockets.hasLocal ? allowed : require(argument: 1, mask: SyscallFilter.typeMask, among: [1, 5], allowed)
      return require(argument: 0, among: [Sockets.local], type)
    case .socket:
      switch sockets {
      case .nothing: return written.answer(Answer.error(EAFNOSUPPORT))
      case .families(let families): return require(argument: 0, among: families, allowed)
      case .tcp(let hasLocal):
        let number = require(argument: 2, among: [0, 6], allowed)
        let type = require(argument: 1, mask: SyscallFilter.typeMask, among: [1], number)
        let internet = require(argument: 0, among: Sockets.internet, type)
        return hasLocal
          ? find(argument: 0, among: [Sockets.local], ifTrue: allowed, ifFalse: internet) : internet
      }
    }
  }

  /// Goes on if an argument has one of the values.
  private mutating func require(argument: Int, mask: UInt32? = nil, among values: [UInt32], _ next: Place) -> Place {
    let refused = written.answer(Answer.error(EAFNOSUPPORT))
    return find(argument: argument, mask: mask, among: values, ifTrue: next, ifFalse: refused)
  }

  private mutating func find(
    argument: Int, mask: UInt32? = nil, among values: [UInt32], ifTrue: Place, ifFalse: Place
  ) -> Place {
    var next = ifFalse
    for value in values.reversed() { next = written.compare(Code.isEqual, value, ifTrue: ifTrue, ifFalse: next) }
    if let mask { written.keep(mask) }
    return written.load(Field.argument(argument))
  }

  private mutating func refuse(argument: Int, withAny bits: UInt32, _ error: Int32) -> Place {
    let refused = written.answer(Answer.error(error))
    let allowed = written.answer(Answer.allow)
    _ = written.compare(Code.hasAny, bits, ifTrue: refused, ifFalse: allowed)
    return written.load(Field.argument(argument))
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
