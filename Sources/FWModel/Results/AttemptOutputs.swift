/// The outputs of a step in a workflow: what an attempt has left must not be taken for the output of the next one.
package protocol AttemptOutputs: AnyObject {
  /// Notes what there is, before the next attempt begins.
  func beginAgain()

  /// Seconds until a change of what was noted can be seen; `nil`: it can be seen now.
  var unsettled: Double? { get }
}
