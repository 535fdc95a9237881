/// Which processes of a command get a signal. The raw values are the numbers of the header.
package enum SignalTarget: Int32, Sendable {
  /// The main process.
  case main = 1
  /// All processes of the command.
  case tree = 2
}
