import Testing

@testable import FWProcess
@testable import FuzzReaders

@Suite struct SyscallFilterTests {
  private static let alone = #"{"network": "host", "private_tmp": false, "processes": "host"}"#

  private static let refused: Set = [
    "mount", "umount2", "pivot_root", "chroot", "setns", "unshare", "open_tree", "open_tree_attr", "move_mount",
    "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "swapon", "swapoff", "reboot", "kexec_load",
    "kexec_file_load", "init_module", "finit_module", "delete_module", "bpf", "perf_event_open", "add_key",
    "request_key", "keyctl", "userfaultfd", "open_by_handle_at", "quotactl", "quotactl_fd", "acct", "iopl", "ioperm",
  ]
  private static let missing: Set = ["clone3", "io_uring_setup", "io_uring_enter", "io_uring_register"]
  private static let tracing: Set = ["ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd"]

  private static let allow = SyscallFilter.Answer.allow
  private static let (permission, absent) = (SyscallFilter.Answer.error(1), SyscallFilter.Answer.error(38))
  private static let (family, unsupported) = (SyscallFilter.Answer.error(97), SyscallFilter.Answer.error(95))

  /// The answer to a call of a machine.
  private func answer(
    _ kind: SyscallFilter.Kind, _ options: SandboxOptions, _ machine: SyscallMachine, _ name: String,
    _ arguments: UInt64...
  ) throws -> UInt32 {
    let number = try #require(machine.numbers[name])
    let filter = SyscallFilter(kind, options, of: machine)
    return try FilterRun.answer(filter.program, machine.audit, number, arguments)
  }

  @Test("each number has its answer", arguments: SyscallFilter.Kind.allCases, SyscallMachine.allCases)
  func numbers(_ kind: SyscallFilter.Kind, _ machine: SyscallMachine) throws {
    let refuses = ["read", "getpid", "clone", "clone3", "mseal", "io_setup"]
    let list = #"{"syscalls": {"refuse": ["read", "getpid", "clone", "clone3", "mseal", "io_setup"]}}"#
    for (document, more) in [("true", []), (list, refuses)] {
      let program = SyscallFilter(kind, try sandbox(document), of: machine).program
      let names = Dictionary(
        SyscallNumbers.allNames.compactMap { name in machine.numbers[name].map { ($0, name) } },
        uniquingKeysWith: { $1 })
      for number in 0...UInt32(600) {
        let name = names[number] ?? ""
        // With arguments of 0 a call that is looked at is allowed, but a socket, whose family is none.
        let expected =
          Self.missing.contains(name)
          ? Self.absent
          : Self.refused.contains(name) || more.contains(name) || kind == .alone && Self.tracing.contains(name)
            ? Self.permission
            : name == "socket" || name == "socketpair" ? Self.family : Self.allow
        let got = try FilterRun.answer(program, machine.audit, number, [])
        #expect(got == expected, "\(name) \(number)")
        // The numbers of another machine are other calls.
        #expect(try FilterRun.answer(program, machine.audit ^ 0x8000_0000, number, []) == Self.absent)
        #expect(try FilterRun.answer(program, machine.audit, number | 0x4000_0000, []) == Self.absent)
      }
      // The kernel takes the longer to install a filter the longer it is.
      let answers = program.filter { $0.code == FilterProgram.Code.answer }.map(\.value)
      #expect(Set(answers).count == answers.count)
    }
  }

  @Test("clone is refused with the flag of a namespace alone", arguments: SyscallMachine.allCases)
  func clone(_ machine: SyscallMachine) throws {
    let options = try sandbox()
    for bit in 0..<32 {
      // CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET.
      let isNamespace = [17, 25, 26, 27, 28, 29, 30].contains(bit)
      let got = try answer(.namespaces, options, machine, "clone", UInt64(1) << UInt64(bit) | 17)
      #expect(got == (isNamespace ? Self.permission : Self.allow), "flag \(bit)")
    }
  }

  @Test("a terminal cannot be given input, whatever is in the upper half of the request")
  func terminal() throws {
    let options = try sandbox()
    for (request, isRefused) in [(UInt64(0x5412), true), (0x541C, true), (0x5413, false), (0x1_0000_5412, true)] {
      let got = try answer(.landlock, options, .own, "ioctl", 0, request)
      #expect(got == (isRefused ? Self.permission : Self.allow), "\(request)")
    }
  }

  @Test("sockets by family, type and protocol", arguments: SyscallMachine.allCases)
  func sockets(_ machine: SyscallMachine) throws {
    let host = try sandbox(Self.alone)
    let tcp = try sandbox(#"{"network": {"tcp_connect": [80]}}"#)
    let none = try sandbox()
    func families(_ kind: SyscallFilter.Kind, _ options: SandboxOptions, _ type: UInt64, _ number: UInt64) throws
      -> [UInt64]
    {
      try (0...45).filter { try answer(kind, options, machine, "socket", $0, type, number) == Self.allow }
    }
    for kind in SyscallFilter.Kind.allCases {
      #expect(try families(kind, host, 2, 17) == [1, 2, 10, 16])
      #expect(try families(kind, none, 1, 0) == (kind == .namespaces ? [1, 2, 10, 16] : []))
      let local: [UInt64] = kind == .namespaces ? [1] : []
      // SOCK_CLOEXEC and SOCK_NONBLOCK are other bits of the type.
      #expect(try families(kind, tcp, 1 | 0o2004000, 6) == local + [2, 10])
      #expect(try families(kind, tcp, 1, 0) == local + [2, 10])
      for (type, number) in [(UInt64(2), UInt64(0)), (2, 17), (3, 6), (1, 132), (1, 262), (5, 132)] {
        #expect(try families(kind, tcp, type, number) == local, "\(type), \(number)")
      }
    }
  }

  @Test("where local sockets are refused, a pair cannot reach others")
  func pairs() throws {
    let tcp = try sandbox(#"{"network": {"tcp_connect": [80]}}"#)
    for (type, isAllowed) in [(UInt64(1), true), (5, true), (2, false), (3, false), (1 | 0o2000000, true)] {
      let got = try answer(.landlock, tcp, .own, "socketpair", 1, type, 0)
      #expect(got == (isAllowed ? Self.allow : Self.family), "\(type)")
      #expect(try answer(.namespaces, tcp, .own, "socketpair", 1, type, 0) == Self.allow)
    }
    for kind in SyscallFilter.Kind.allCases {
      // A pair is of local sockets: TIPC has pairs, too, whose sockets could send to others.
      for document in ["true", #"{"network": "host"}"#, #"{"network": {"tcp_connect": [80]}}"#] {
        #expect(try answer(kind, try sandbox(document), .own, "socketpair", 30, 1, 0) == Self.family)
      }
    }
  }

  @Test("with ports no message opens a connection", arguments: SyscallMachine.allCases)
  func messages(_ machine: SyscallMachine) throws {
    let tcp = try sandbox(#"{"network": {"tcp_connect": [80]}}"#)
    let flag: UInt64 = 0x2000_0000
    for (name, arguments) in [("sendto", [0, 0, 0, flag]), ("sendmmsg", [0, 0, 0, flag]), ("sendmsg", [0, 0, flag])] {
      let number = try #require(machine.numbers[name])
      let program = SyscallFilter(.namespaces, tcp, of: machine).program
      #expect(try FilterRun.answer(program, machine.audit, number, arguments) == Self.unsupported)
      #expect(try FilterRun.answer(program, machine.audit, number, arguments.map { $0 >> 1 }) == Self.allow)
      let free = SyscallFilter(.namespaces, try sandbox(), of: machine).program
      #expect(try FilterRun.answer(free, machine.audit, number, arguments) == Self.allow)
    }
  }

  @Test("tracing is left to the layer that bounds it, and refused where none does")
  func tracing() throws {
    for document in ["true", Self.alone, #"{"processes": "host", "private_tmp": false}"#] {
      for kind in SyscallFilter.Kind.allCases {
        for name in Self.tracing {
          let got = try answer(kind, try sandbox(document), .own, name)
          #expect(got == (kind == .alone ? Self.permission : Self.allow), "\(kind) \(document) \(name)")
        }
      }
    }
  }

  @Test("a filter that refuses many calls is one that the kernel takes", arguments: SyscallFilter.Kind.allCases)
  func long(_ kind: SyscallFilter.Kind) throws {
    // Every other number makes the most pieces.
    let machine = SyscallMachine.own
    let never: Set = ["execve", "exit", "exit_group"]
    let names = SyscallNumbers.allNames.filter { name in
      machine.numbers[name].map { $0 % 2 == 0 } == true && !never.contains(name)
    }
    #expect(names.count > 150)
    let list = names.map { "\"\($0)\"" }.joined(separator: ",")
    let options = try sandbox(#"{"syscalls": {"refuse": [\#(list)]}}"#)
    let program = SyscallFilter(kind, options).program
    #expect(program.count < 4096)
    try FilterRun.check(program)
    for name in names where !Self.missing.contains(name) {
      let number = try #require(machine.numbers[name])
      #expect(try FilterRun.answer(program, machine.audit, number, []) == Self.permission, "\(name)")
    }
    let plain = try #require(machine.numbers["exit_group"])
    #expect(try FilterRun.answer(program, machine.audit, plain, []) == Self.allow)
  }

  @Test("a comparison reaches what is far away", arguments: [0, 250, 251, 252, 253, 254, 255, 256, 257, 300, 600])
  func far(_ distance: Int) throws {
    var program = FilterProgram()
    let (refused, missing) = (program.answer(Self.permission), program.answer(Self.absent))
    var next = program.answer(Self.allow)
    for value in 0..<UInt32(distance) {
      next = program.compare(FilterProgram.Code.isEqual, 1000 + value, ifTrue: next, ifFalse: next)
    }
    _ = program.compare(FilterProgram.Code.isEqual, 7, ifTrue: refused, ifFalse: missing)
    _ = program.load(0)
    try FilterRun.check(program.instructions)
    #expect(try FilterRun.answer(program.instructions, 0, 7, []) == Self.permission)
    #expect(try FilterRun.answer(program.instructions, 0, 8, []) == Self.absent)
    #expect(program.instructions.contains { $0.code == FilterProgram.Code.jump } == (distance > 252))
  }
}
