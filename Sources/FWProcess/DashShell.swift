internal import FWBase
internal import Glibc

/// What dash, the /bin/sh of Debian and its relatives, would give to the program of a simple command: its environment,
/// the paths at which it looks for the program, and what it writes after a signal.
///
/// With this knowledge a simple command runs without the shell, which saves one process and one exec: dash forks for a
/// simple command even if it is the only one. Other shells execute a single command in their own place, so nothing is
/// gained for them.
enum DashShell {
  /// Whether a shell is dash.
  static func isDash(_ shell: String) -> Bool { shell == "/bin/sh" && isSystems }

  /// Whether /bin/sh of this system is dash. This is looked at once in a process.
  private static let isSystems: Bool = {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { room in
      guard let start = room.baseAddress else { return false }
      let count = readlink("/bin/sh", start, room.count)
      guard count > 0 else { return false }
      let target = String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
      return target.isSame(as: "dash") || target.ends(with: "/dash")
    }
  }()

  /// The variables that dash overwrites where the environment has them.
  private static let reset: [StaticString] = ["IFS", "OPTIND", "LINENO", "PPID"]
  /// The variables that dash defines at its start. They come before others in the same slot of its table.
  private static let predefined: [StaticString] = [
    "PATH", "TERM", "HISTSIZE", "MAIL", "MAILPATH", "PS1", "PS2", "PS4", "ATTY",
  ]
  static let pwdName: StaticString = "PWD"
  /// The lists of the table are searched linearly, as in dash. An environment with more variables is left to the shell.
  private static let mostVariables = 1000
  /// The number of slots in dash's table of variables: VTABSIZE in its var.c.
  private static let buckets = 39

  /// The environment that dash gives to its commands: each variable with a name that a shell can have, once, and PWD.
  /// The order is that of dash's table of variables, because programs may show it.
  ///
  /// - Parameter shown: the value of PWD.
  /// - Returns: `nil` if only dash knows the environment.
  static func environment(_ environment: borrowing TextBlock, pwd shown: String) -> TextBlock? {
    if environment.texts.isExhausted || environment.count > mostVariables { return nil }
    var table = [[Variable]](repeating: [], count: buckets)
    var pwd = Variable(text: nil, length: 3, hash: pwdName.withUTF8Buffer { hash(UnsafeRawBufferPointer($0)) })
    for index in 0..<environment.count {
      let text = environment.text(index)
      guard let length = nameLength(text) else { continue }
      let name = UnsafeRawBufferPointer(rebasing: text[..<length])
      if reset.contains(where: { $0 == name }) { return nil }
      let variable = Variable(text: index, length: length, hash: hash(name))
      if pwdName == name { pwd.text = index }
      let same = table[variable.hash].firstIndex {
        environment.text($0.text ?? 0).prefix(length + 1).elementsEqual(text.prefix(length + 1))
      }
      if let same {
        table[variable.hash][same] = variable
      } else {
        let isKnown = predefined.contains { $0 == name }
        table[variable.hash].insert(variable, at: isKnown ? 0 : table[variable.hash].count)
      }
    }
    if pwd.text == nil { table[pwd.hash].append(pwd) }
    var result = TextBlock()
    for variable in table.joined() {
      if let text = variable.text, text != pwd.text {
        result.add(environment.text(text))
      } else {
        result.add("PWD=" + shown)
      }
    }
    if result.texts.isExhausted { return nil }
    return result
  }

  private struct Variable {
    /// The index in the environment; `nil` for PWD where the environment does not have it.
    var text: Int?
    /// The number of bytes of the name.
    let length: Int
    let hash: Int
  }

  /// The slot of a name: `hashvar` in dash's var.c.
  private static func hash(_ name: UnsafeRawBufferPointer) -> Int {
    var value = name.first.map { Int($0) << 4 } ?? 0
    for byte in name { value += Int(byte) }
    return value % buckets
  }

  /// The number of bytes of an entry's name; `nil` if a shell can have no variable of this name.
  private static func nameLength(_ entry: UnsafeRawBufferPointer) -> Int? {
    guard let end = entry.firstIndex(of: UInt8(ascii: "=")), end > 0 else { return nil }
    for (index, byte) in entry[..<end].enumerated() {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): break
      case UInt8(ascii: "0")...UInt8(ascii: "9") where index > 0: break
      default: return nil
      }
    }
    return end
  }

  /// The paths at which dash looks for a program, in this order; `nil` if only dash knows them.
  static func paths(_ program: UnsafeRawBufferPointer, _ environment: borrowing TextBlock) -> TextBlock? {
    if program.contains(UInt8(ascii: "/")) {
      var path = TextBlock()
      path.add(program)
      return path
    }
    // By `%` an element of dash's PATH names functions and builtins.
    guard let path = environment.value(of: "PATH"), !path.contains(UInt8(ascii: "%")) else { return nil }
    let candidates = ProgramSearch.candidates(program, in: path)
    if candidates.texts.isExhausted { return nil }
    return candidates
  }

  /// The line that dash writes when a signal has ended a command. It is empty for the signals that dash does not
  /// report.
  static func words(signal: Int32, hasCore: Bool) -> String {
    if signal == SIGINT || signal == SIGPIPE { return "" }
    let first: Int32 = 34
    let text =
      signals.indices.contains(Int(signal)) && !signals[Int(signal)].isEmpty
      ? signals[Int(signal)] : signal >= first ? "Real-time signal \(signal - first)" : "Unknown signal \(signal)"
    return text + (hasCore ? " (core dumped)\n" : "\n")
  }

  /// The texts of strsignal(3) in the C locale.
  private static let signals = [
    "", "Hangup", "Interrupt", "Quit", "Illegal instruction", "Trace/breakpoint trap", "Aborted", "Bus error",
    "Floating point exception", "Killed", "User defined signal 1", "Segmentation fault", "User defined signal 2",
    "Broken pipe", "Alarm clock", "Terminated", "Stack fault", "Child exited", "Continued", "Stopped (signal)",
    "Stopped",
    "Stopped (tty input)", "Stopped (tty output)", "Urgent I/O condition", "CPU time limit exceeded",
    "File size limit exceeded", "Virtual timer expired", "Profiling timer expired", "Window changed", "I/O possible",
    "Power failure", "Bad system call",
  ]
}

extension StaticString {
  fileprivate static func == (text: StaticString, bytes: UnsafeRawBufferPointer) -> Bool {
    text.withUTF8Buffer { $0.count == bytes.count && $0.elementsEqual(bytes) }
  }
}
