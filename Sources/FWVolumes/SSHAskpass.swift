internal import CSystem
internal import FWBase
internal import FWSystem
internal import Glibc

/// The program that ssh starts to ask for a password or a passphrase: a script in a directory of its own, which exists
/// until the session has begun.
///
/// The script has no secret. Its standard input is that of ssh, which is the connection to the library, and ssh reads
/// nothing from it before the session begins. The script writes its question there and reads the answer. So a secret
/// goes from process to process, and is in no file, no argument and no environment, which other programs inherit. Each
/// line has a random word in it: a server cannot ask, and the ssh of a jump host, which has another standard input,
/// gets no answer.
final class SSHAskpass {
  enum Kind: String {
    case password
    case passphrase
  }

  let path: String
  private let directory: String
  private let word = uniqueIdentifier()

  init() throws(StepFailure) {
    let parent = Environment.value("TMPDIR") ?? "/tmp"
    var template = Array("\(parent)/flowworker-askpass-XXXXXX".utf8CString)
    guard template.withUnsafeMutableBufferPointer({ $0.baseAddress.flatMap { mkdtemp($0) } }) != nil else {
      throw StepFailure("a directory for the program that ssh asks for a password cannot be created", errno)
    }
    directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    path = directory + "/askpass"
    // What was sent to the session before comes first in the line, without its NULs.
    var text = ByteBuffer()
    text.append(
      """
      #!/bin/sh
      case $1 in "Enter passphrase for "*) kind=passphrase ;; *) kind=password ;; esac
      printf '%s %s\\n' \(word) "$kind" >&0
      IFS= read -r line
      case $line in *"\(word) "*) printf '%s\\n' "${line#*"\(word) "}" ;; *) exit 1 ;; esac

      """)
    var error: Int32 = 0
    let fd = fws_create_file(path)
    if fd < 0 {
      error = -fd
    } else {
      if let start = text.start, fws_write_file(fd, start, text.count) != text.count { error = errno }
      if error == 0, fchmod(fd, 0o700) != 0 { error = errno }
      close(fd)
    }
    // The directory is removed by `deinit`, which runs when all properties are set.
    if error != 0 { throw StepFailure("the program that ssh asks for a password cannot be written", error) }
  }

  deinit { Files.removeOwn(directory, depth: 1) }

  /// The question at the beginning of what has arrived; `nil` if there is none. Its size is 0 if it is not complete.
  func question(_ bytes: UnsafeRawBufferPointer) -> (kind: Kind, size: Int)? { SSHAskpass.question(bytes, with: word) }

  static func question(_ bytes: UnsafeRawBufferPointer, with word: String) -> (kind: Kind, size: Int)? {
    for kind in [Kind.password, .passphrase] {
      let line = Array("\(word) \(kind.rawValue)\n".utf8)
      if bytes.starts(with: line) { return (kind, line.count) }
    }
    let begin = Array(word.utf8)
    let isBeginning = !bytes.isEmpty && bytes.prefix(begin.count).elementsEqual(begin.prefix(bytes.count))
    return isBeginning && bytes.count < 64 ? (.password, 0) : nil
  }

  /// The line that answers a question. Without the word in it, ssh gets no answer. A secret ends with its line, as
  /// if a person had typed it.
  func answer(_ kind: Kind, _ server: SSHServer) -> String {
    let secret = kind == .password ? server.password : server.passphrase
    return secret.map { "\(word) \($0.cut(at: "\n")?.before ?? $0[...])\n" } ?? "\n"
  }
}
