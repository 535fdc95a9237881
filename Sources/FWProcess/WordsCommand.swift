internal import FWBase
internal import FWModel

/// A command of words, which runs without a shell: the program is searched in the step's PATH and executed with exactly
/// the environment of the step.
///
/// A shell stands behind it and is started only if the program cannot be executed. It handles every case that is left,
/// as `exec` of the shell does: it runs a script without `#!`, and it reports what is wrong in its own words, with 126
/// or 127.
enum WordsCommand {
  static let shell = "/bin/sh"
  /// The PATH of dash and bash where the environment has none.
  private static let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

  /// The lists of a request with `is_direct` (supervisor.h).
  static func arguments(_ command: Command, _ environment: borrowing TextBlock) -> TextBlock {
    let words = command.words
    var arguments = TextBlock()
    guard let program = words.first else { return arguments }
    if program.contains(UInt8(ascii: "/")) {
      arguments.add(program)
      arguments.endList()
    } else {
      arguments.add(list: candidates(program, environment))
    }
    for word in words { arguments.add(word) }
    arguments.endList()
    arguments.add(shell)
    arguments.add(shell)
    arguments.add("-c")
    // A program of this name is no option of `exec`, and no shell has a builtin of this name.
    arguments.add(program.first == UInt8(ascii: "-") ? "\"$@\"" : "exec \"$@\"")
    arguments.add(shell)
    for word in words { arguments.add(word) }
    return arguments
  }

  private static func candidates(_ program: UnsafeRawBufferPointer, _ environment: borrowing TextBlock) -> TextBlock {
    if let path = environment.value(of: "PATH") { return ProgramSearch.candidates(program, in: path) }
    var bytes = ByteBuffer()
    bytes.append(path)
    return ProgramSearch.candidates(program, in: bytes.bytes)
  }
}
