internal import CFlowShims

// What the standard library has for texts only with its regular expressions, which are a megabyte.

extension StringProtocol {
  /// Whether the bytes of another text are in this one.
  func contains(_ part: String) -> Bool {
    var own = String(self)
    var part = part
    return own.withUTF8 { own in
      part.withUTF8 { part in
        guard let start = own.baseAddress, let wanted = part.baseAddress, !part.isEmpty else { return part.isEmpty }
        return fws_contains(start, own.count, wanted, part.count)
      }
    }
  }
}
