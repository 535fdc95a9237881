package import FWModel
internal import Glibc

/// How long a command is, for the message that it is longer than the system allows.
package struct CommandSize {
  private let bytes: Int
  /// The number of words; `nil` for the text of a shell.
  private var words: Int?
  /// The first word that is longer than the system allows: its number from 1, and its bytes.
  private var tooLong: (number: Int, bytes: Int)?

  package init(_ command: Command) {
    bytes = command.bytes.count
    guard command.isWords else { return }
    let words = command.words
    self.words = words.count
    guard bytes > CommandSize.mostOfWord, let index = words.firstIndex(where: { $0.count > CommandSize.mostOfWord })
    else { return }
    tooLong = (index + 1, words[index].count)
  }

  var isWords: Bool { words != nil }

  /// The most bytes of one word: 32 pages with the NUL (MAX_ARG_STRLEN of Linux).
  private static let mostOfWord = Int(getpagesize()) * 32 - 1

  /// Why the system has refused the command with E2BIG.
  var complaint: String {
    if let tooLong {
      return "word \(tooLong.number) of the command has \(tooLong.bytes) bytes, and the system takes at most "
        + "\(CommandSize.mostOfWord) in one word"
    }
    let what = words.map { "\($0) words, \(bytes) bytes" } ?? "\(bytes) bytes"
    return "the command (\(what)) and its environment are longer than the system allows, or one environment variable "
      + "is longer than 128 KiB"
  }
}
