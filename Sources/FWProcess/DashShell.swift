internal import FWBase
internal import Glibc

/// What a program gets from dash, the /bin/sh of Debian and its kin, when that runs it for a simple command: it starts
/// another process for it even where it is the only one, and then both are executed. Other shells are asked themselves.
enum DashShell {
  /// Whether this shell is one.
  static func isDash(_ shell: String) -> Bool { shell == "/bin/sh" && isSystems }

  /// Looked at once: a system that changes its shell while it runs has changed more than that.
  private static let isSystems: Bool = {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { room in
      guard let start = room.baseAddress else { return false }
      let count = readlink("/bin/sh", start, room.count)
      guard count > 0 else { return false }
      let target = String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
      return target.isSame(as: "dash") || target.ends(with: "/dash")
    }
  }()

  /// The variables that it sets to something of its own where the environment has them.
  private static let reset: [StaticString] = ["IFS", "OPTIND", "LINENO", "PPID"]
  /// Those that it has had from the beginning: they come first of those with the same place.
  private static let known: [StaticString] = [
    "PATH", "TERM", "HISTSIZE", "MAIL", "MAILPATH", "PS1", "PS2", "PS4", "ATTY",
  ]
  private static let pwdName: StaticString = "PWD"
  /// The table's lists are searched one by one, as dash does: more variables are left to it.
  private static let mostVariables = 1000
  /// VTABSIZE in its var.c.
  private static let buckets = 39

  /// The environment that its commands have: only names that a shell can have, each once, and PWD; in the order of its
  /// table of variables, for programs that show it.
  ///
  /// - Parameter directory: what PWD is then.
  /// - Returns: `nil` if it is not known here.
  static func environment(_ environment: borrowing TextBlock, in directory: WorkingDirectory) -> TextBlock? {
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
        let isKnown = known.contains { $0 == name }
        table[variable.hash].insert(variable, at: isKnown ? 0 : table[variable.hash].count)
      }
    }
    if pwd.text == nil { table[pwd.hash].append(pwd) }
    let given = pwd.text.map { UnsafeRawBufferPointer(rebasing: environment.text($0).dropFirst(pwd.length + 1)) }
    guard let shown = directory.shown(as: given) else { return nil }
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
    /// Which of the environment's; `nil`: it is not there.
    var text: Int?
    /// Of its name.
    let length: Int
    let hash: Int
  }

  /// `hashvar` in its var.c.
  private static func hash(_ name: UnsafeRawBufferPointer) -> Int {
    var value = name.first.map { Int($0) << 4 } ?? 0
    for byte in name { value += Int(byte) }
    return value % buckets
  }

  /// Bytes of an entry's name; `nil` if it is none that a shell knows.
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

  /// Where it looks for a program, in this order; `nil` if only it knows.
  static func paths(_ program: UnsafeRawBufferPointer, _ environment: borrowing TextBlock) -> TextBlock? {
    var paths = TextBlock()
    if program.contains(UInt8(ascii: "/")) {
      paths.add(program)
      return paths
    }
    let name: StaticString = "PATH="
    for index in 0..<environment.count {
      let entry = environment.text(index)
      guard entry.count >= name.utf8CodeUnitCount,
        name == UnsafeRawBufferPointer(rebasing: entry[..<name.utf8CodeUnitCount])
      else { continue }
      let value = entry[name.utf8CodeUnitCount...]
      // It has builtins there, by `%`.
      if value.contains(UInt8(ascii: "%")) { return nil }
      for directory in value.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
        var path = ByteBuffer()
        if !directory.isEmpty {
          path.append(UnsafeRawBufferPointer(rebasing: directory))
          path.append(byte: UInt8(ascii: "/"))
        }
        path.append(program)
        paths.add(path.bytes)
      }
      if paths.texts.isExhausted { return nil }
      return paths
    }
    return nil
  }

  /// The line that it writes when a command was ended by a signal; the empty text for those it does not speak of.
  static func words(signal: Int32, hasCore: Bool) -> String {
    if signal == SIGINT || signal == SIGPIPE { return "" }
    let first: Int32 = 34
    let text =
      signals.indices.contains(Int(signal)) && !signals[Int(signal)].isEmpty
      ? signals[Int(signal)] : signal >= first ? "Real-time signal \(signal - first)" : "Unknown signal \(signal)"
    return text + (hasCore ? " (core dumped)\n" : "\n")
  }

  /// strsignal(3) in the C locale.
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
