package import FWBase
internal import FWModel

/// What a sandbox promises about a command: the option `sandbox` of a worker, with its defaults.
package struct SandboxOptions: Sendable {
  package enum Network {
    case host
    case none
    /// TCP to these ports, and nothing else.
    case connect([UInt16])
  }

  enum Processes: String, CaseIterable {
    case own
    case host
  }

  private static let keys = ["write", "read", "network", "private_tmp", "processes", "syscalls", "required"]
  private static let mostWrites = 1000
  private static let mostReads = 10_000
  private static let mostCalls = 200
  /// The most bytes of all paths together.
  private static let mostBytes = 3 << 20

  /// The paths below which a command may write, beside its run directory.
  package private(set) var writes: [String] = []
  /// The paths below which a command may read, beside those where it may write; `nil`: everywhere.
  package private(set) var reads: [String]?
  /// So many of `reads`, the last ones, need not exist.
  private(set) var optionalReads = 0
  package private(set) var network = Network.none
  package private(set) var hasPrivateTmp = true
  private(set) var processes = Processes.own
  /// The names of the system calls that are refused besides those that always are.
  private(set) var refusedCalls: [String] = []
  /// Whether a command is not started without all that is promised.
  package private(set) var isRequired = true

  package var hasOwnProcesses: Bool { processes == .own }

  /// The sandbox of `true`.
  init() {}

  /// Reads the option. Gives `nil` for false.
  package static func read(_ json: JSONRef) throws(ValidationError) -> SandboxOptions? {
    if let boolean = json.boolean { return boolean ? SandboxOptions() : nil }
    guard json.kind == .object else {
      throw ValidationError("expected true, false or an object with the promises of a sandbox, found \(json.shown)")
    }
    return try SandboxOptions(reading: json)
  }

  private init(reading json: JSONRef) throws(ValidationError) {
    var (write, read) = (SandboxPaths(), SandboxPaths())
    try json.readMembers { (key, value) throws(ValidationError) in
      if key == "write" {
        write = try SandboxPaths(reading: value, isWritable: true, most: SandboxOptions.mostWrites)
        writes = write.sorted
      } else if key == "read" {
        if value.string?.isSame(as: "all") == true { return }
        read = try SandboxPaths(reading: value, isWritable: false, most: SandboxOptions.mostReads)
        let system = read.systemPaths
        // Below the root is everything, but what a sandbox hides is there again only if it is named.
        reads = read.isEverything ? nil : read.sorted + system
        optionalReads = reads == nil ? 0 : system.count
      } else if key == "network" {
        network = try Network(reading: value)
      } else if key == "private_tmp" {
        hasPrivateTmp = try value.requireBoolean()
      } else if key == "processes" {
        processes = try value.requireChoice("a value of \"processes\"")
      } else if key == "syscalls" {
        refusedCalls = try SandboxOptions.calls(value)
      } else if key == "required" {
        isRequired = try value.requireBoolean()
      } else {
        throw .unknownKey(key, of: "\"sandbox\"", known: SandboxOptions.keys)
      }
    }
    try checkTogether(write, read)
  }

  /// What no member says by itself.
  private func checkTogether(_ write: SandboxPaths, _ read: SandboxPaths) throws(ValidationError) {
    if hasOwnProcesses, !hasPrivateTmp {
      throw ValidationError(
        "a sandbox with processes of its own has a /tmp of its own: the numbers of its processes begin anew, so files "
          + "that are named after them would collide; write \"processes\": \"host\" as well"
      ).inside("private_tmp")
    }
    if !hasOwnProcesses, hasPrivateTmp {
      throw ValidationError(
        "a sandbox with the processes of the host has the host's /tmp, because both are kept by namespaces that come "
          + "together; write \"private_tmp\": false as well"
      ).inside("processes")
    }
    for (key, paths) in [("write", write), ("read", read)] where hasPrivateTmp {
      guard let (index, path) = paths.temporary else { continue }
      throw ValidationError(
        "\(path) is empty and writable in the sandbox: name a directory in it, or write \"private_tmp\": false"
      ).inside(index).inside(key)
    }
    let bytes = (writes + (reads ?? [])).reduce(0) { $0 + $1.utf8.count + 1 }
    guard bytes <= SandboxOptions.mostBytes else {
      throw ValidationError(
        "the paths have \(bytes) bytes together, at most \(SandboxOptions.mostBytes): name directories above them")
    }
  }

  private static func calls(_ json: JSONRef) throws(ValidationError) -> [String] {
    if json.string?.isSame(as: "default") == true { return [] }
    guard json.kind == .object else {
      throw ValidationError("expected \"default\" or an object with \"refuse\", found \(json.shown)")
    }
    var names: Set<Name>?
    try json.readMembers { (key, value) throws(ValidationError) in
      guard key == "refuse" else { throw .unknownKey(key, of: "\"syscalls\"", known: ["refuse"]) }
      guard value.kind == .array else {
        throw ValidationError("expected an array of names of system calls, found \(value.shown)")
      }
      guard value.count <= mostCalls else {
        throw ValidationError("\"refuse\" has \(value.count) system calls, at most \(mostCalls)")
      }
      var found: Set<Name> = []
      try value.forEachElement { (index, element) throws(ValidationError) in
        do throws(ValidationError) { found.insert(Name(try call(element))) } catch { throw error.inside(index) }
      }
      names = found
    }
    guard let names else { throw .missingKey("refuse", of: "\"syscalls\"") }
    return names.sorted().map(\.text)
  }

  private static func call(_ json: JSONRef) throws(ValidationError) -> String {
    let name = try json.requireName("the name of a system call")
    guard SyscallNumbers.isKnown(name) else {
      throw ValidationError(
        "\(MessageFormat.quoted(name)) is no system call of Linux"
          + MessageFormat.hint(for: name, among: SyscallNumbers.allNames))
    }
    let use: String? =
      switch name {
      case "execve": "started"
      case "exit", "exit_group": "ended"
      default: nil
      }
    if let use {
      throw ValidationError("\(MessageFormat.quoted(name)) cannot be refused: the command itself is \(use) by it")
    }
    return name
  }
}

extension SandboxOptions.Network {
  private static let mostPorts = 1000

  fileprivate init(reading json: JSONRef) throws(ValidationError) {
    if let word = json.string {
      if word.isSame(as: "host") {
        self = .host
      } else if word.isSame(as: "none") {
        self = .none
      } else {
        throw ValidationError(
          "\(MessageFormat.quoted(word)) is not a value of \"network\": use \"host\", \"none\" or an object with "
            + "\"tcp_connect\"" + MessageFormat.hint(for: word, among: ["host", "none"]))
      }
      return
    }
    guard json.kind == .object else {
      throw ValidationError("expected \"host\", \"none\" or an object with \"tcp_connect\", found \(json.shown)")
    }
    var ports: Set<UInt16>?
    try json.readMembers { (key, value) throws(ValidationError) in
      guard key == "tcp_connect" else { throw .unknownKey(key, of: "\"network\"", known: ["tcp_connect"]) }
      ports = try Self.ports(value)
    }
    guard let ports else { throw .missingKey("tcp_connect", of: "\"network\"") }
    self = .connect(ports.sorted())
  }

  private static func ports(_ json: JSONRef) throws(ValidationError) -> Set<UInt16> {
    guard json.kind == .array else { throw ValidationError("expected an array of ports, found \(json.shown)") }
    guard json.count > 0 else {
      throw ValidationError("an empty \"tcp_connect\" allows no connection: write \"network\": \"none\"")
    }
    guard json.count <= mostPorts else {
      throw ValidationError("\"tcp_connect\" has \(json.count) ports, at most \(mostPorts)")
    }
    var ports: Set<UInt16> = []
    try json.forEachElement { (index, element) throws(ValidationError) in
      guard let number = element.integer, let port = UInt16(exactly: number), port > 0 else {
        throw ValidationError("expected a port, an integer from 1 to 65535, found \(element.shown)").inside(index)
      }
      ports.insert(port)
    }
    return ports
  }
}
