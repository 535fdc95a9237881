/// The outputs of a step in a workflow. What one attempt has left must not be taken for an output of the next one.
package protocol AttemptOutputs: AnyObject {
  /// Records the outputs that exist, before the next attempt begins.
  func beginAgain()

  /// The seconds until a change since the record can be seen; `nil` if it can be seen now.
  var unsettled: Double? { get }
}
