internal import FWBase

/// Which variables of the host a command does not inherit, because they lead to places that its sandbox hides.
extension SandboxOptions {
  /// The sockets and directories of a session are in /run, which is empty in the view.
  private static let ofSession: [StaticString] = [
    "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK", "WAYLAND_DISPLAY",
  ]
  private static let ofTemporary: [StaticString] = ["TMPDIR", "TMP", "TEMP"]

  /// Whether a variable is not inherited. What the worker or a step sets itself stays.
  package func hides(_ name: UnsafeRawBufferPointer) -> Bool {
    func isAmong(_ names: [StaticString]) -> Bool {
      names.contains { $0.utf8CodeUnitCount == name.count && $0.withUTF8Buffer(name.elementsEqual) }
    }
    return hasView && isAmong(SandboxOptions.ofSession) || hasPrivateTmp && isAmong(SandboxOptions.ofTemporary)
  }
}
