import CSupervisorClient

@testable import FWBase
@testable import FWProcess

// The option `sandbox`, and the filters and requests that are made of it.

extension Reader {
  static let sandboxes: [Reader] = [
    Reader("sandbox", longest: 512, { try sandbox($0) }),
    Reader("filter", longest: 128, { try filter($0) }),
  ]

  private static func sandbox(_ bytes: UnsafeRawBufferPointer) throws {
    let read = try document(bytes) { (text) throws(FlowError) in
      try JSONText.read(text) { (json) throws(ValidationError) in [try SandboxOptions.read(json)] }
    }
    guard let options = read?.first ?? nil else { return }
    try holdMessage(options.summary)
    try holdSorted(options.writes)
    try holdSorted(Array((options.reads ?? []).dropLast(options.optionalReads)))
    for path in options.writes + (options.reads ?? []) {
      let names = path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
      try hold(path.utf8.first == UInt8(ascii: "/"), "a path that is not absolute: \(path)")
      let isPlain = names.allSatisfy { !$0.isEmpty && !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8) }
      // The root may be read, beside what a sandbox hides otherwise.
      try hold(isPlain || path == "/", "a path that is not plain: \(path)")
    }
    try holdRequest(of: options)
    // A plan has the promises and the layers that they need.
    var writer = JSONWriter()
    options.write(to: &writer)
    let plan = writer.buffer()
    let needs = try JSONText.parse(plan.bytes).read { $0["needs"]?.element(0)?.string }
    try hold(needs != nil, "a sandbox that needs nothing")
  }

  private static func holdSorted(_ paths: [String]) throws {
    for (one, other) in zip(paths, paths.dropFirst()) {
      try hold(one.utf8.lexicographicallyPrecedes(other.utf8), "paths out of order: \(one), \(other)")
    }
  }

  /// All places of the request lead into it.
  private static func holdRequest(of options: SandboxOptions) throws {
    var texts = ByteBuffer()
    texts.append("abc" as StaticString)
    var request = fwsv_request()
    try SandboxRequest(options).append(to: &texts, &request)
    let start = Int(request.sandbox)
    let block = UnsafeRawBufferPointer(rebasing: texts.bytes[start...])
    let head = block.loadUnaligned(as: fwsv_sandbox.self)
    try hold(start % 8 == 0 && block.last == 0, "a request that is not aligned, or has no end")
    let reads = options.reads?.count
    try hold(head.reads == reads.map { UInt32($0) } ?? UInt32.max, "\(head.reads) reads")
    var paths: [String] = []
    for index in 0..<(Int(head.writes) + (reads ?? 0)) {
      let place = block.loadUnaligned(fromByteOffset: Int(head.paths) + 4 * index, as: UInt32.self)
      paths.append(String(decoding: block[Int(place)...].prefix { $0 != 0 }, as: UTF8.self))
    }
    let wanted = options.writes + (options.reads ?? [])
    try hold(paths.elementsEqual(wanted) { $0.isSame(as: $1) }, "other paths: \(paths)")
    let filters = SyscallFilter.Kind.allCases.map { SyscallFilter($0, options).program }
    let places = [head.filters.0, head.filters.1, head.filters.2]
    let lengths = [head.lengths.0, head.lengths.1, head.lengths.2]
    for (index, filter) in filters.enumerated() {
      try hold(Int(lengths[index]) == filter.count && places[index] % 8 == 0, "a filter of another length")
      for (at, instruction) in filter.enumerated() {
        let word = block.loadUnaligned(fromByteOffset: Int(places[index]) + 8 * at, as: UInt64.self)
        try hold(word == instruction.word, "another instruction \(at) in filter \(index)")
      }
    }
  }

  /// Each byte is a system call to refuse, or one of the first three chooses what else is promised.
  private static func filter(_ bytes: UnsafeRawBufferPointer) throws {
    var choices = Choices(bytes)
    let network = [#""host""#, #""none""#, #"{"tcp_connect": [80]}"#][choices.next(below: 3)]
    let isOwn = choices.next(below: 2) == 0
    let names = SyscallNumbers.allNames
    let refused = Set(choices.rest.map { names[Int($0) * 3 % names.count] }).subtracting([
      "execve", "exit", "exit_group",
    ])
    let list = refused.sorted().map { "\"\($0)\"" }.joined(separator: ",")
    let document =
      #"{"network": \#(network), "processes": "\#(isOwn ? "own" : "host")", "private_tmp": \#(isOwn), "#
      + #""syscalls": {"refuse": [\#(list)]}}"#
    let options = try lend(document) { text in
      try JSONText.read(text) { (json) throws(ValidationError) in try SandboxOptions.read(json) }
    }
    guard let options else { throw Broken(description: "no sandbox") }
    for machine in SyscallMachine.allCases {
      for kind in SyscallFilter.Kind.allCases {
        let filter = SyscallFilter(kind, options, of: machine)
        try FilterRun.check(filter.program)
        for name in refused {
          guard let number = machine.numbers[name] else { continue }
          let answer = try FilterRun.answer(filter.program, machine.audit, number, [0, 0, 0])
          try hold(answer != SyscallFilter.Answer.allow, "\(name) is not refused on \(machine)")
        }
      }
    }
  }
}

extension FilterProgram.Instruction {
  /// The instruction as it is in memory.
  fileprivate var word: UInt64 {
    UInt64(code) | UInt64(ifTrue) << 16 | UInt64(ifFalse) << 24 | UInt64(value) << 32
  }
}

/// What the kernel does with a filter, for the instructions that the library uses.
enum FilterRun {
  typealias Code = FilterProgram.Code

  /// Throws unless the kernel takes the program: each jump leads forward to an instruction, and no path runs out.
  static func check(_ program: [FilterProgram.Instruction]) throws {
    try hold((1...4096).contains(program.count), "\(program.count) instructions")
    for (at, instruction) in program.enumerated() {
      switch instruction.code {
      case Code.load: try hold(instruction.value < 64 && instruction.value % 4 == 0, "a load outside of the data")
      case Code.and, Code.answer: break
      case Code.jump: try hold(at + 1 + Int(instruction.value) < program.count, "a jump to nowhere at \(at)")
      case Code.isEqual, Code.isAtLeast, Code.hasAny:
        let farthest = max(instruction.ifTrue, instruction.ifFalse)
        try hold(at + 1 + Int(farthest) < program.count, "a jump to nowhere at \(at)")
      default: throw Broken(description: "an unknown instruction at \(at)")
      }
    }
    try hold(program.last?.code == Code.answer, "a program without an end")
  }

  /// What a program answers to a call.
  static func answer(
    _ program: [FilterProgram.Instruction], _ machine: UInt32, _ number: UInt32, _ arguments: [UInt64]
  ) throws -> UInt32 {
    var words = [number, machine, 0, 0]
    for argument in arguments + Array(repeating: 0, count: 6 - arguments.count) {
      words += [UInt32(truncatingIfNeeded: argument), UInt32(truncatingIfNeeded: argument >> 32)]
    }
    var (at, value) = (0, UInt32(0))
    while program.indices.contains(at) {
      let instruction = program[at]
      at += 1
      switch instruction.code {
      case Code.load: value = words[Int(instruction.value) / 4]
      case Code.and: value &= instruction.value
      case Code.jump: at += Int(instruction.value)
      case Code.isEqual: at += Int(value == instruction.value ? instruction.ifTrue : instruction.ifFalse)
      case Code.isAtLeast: at += Int(value >= instruction.value ? instruction.ifTrue : instruction.ifFalse)
      case Code.hasAny: at += Int(value & instruction.value != 0 ? instruction.ifTrue : instruction.ifFalse)
      case Code.answer: return instruction.value
      default: throw Broken(description: "an unknown instruction at \(at - 1)")
      }
    }
    throw Broken(description: "a program without an answer")
  }
}
