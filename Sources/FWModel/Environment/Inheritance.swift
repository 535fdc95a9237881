package import FWBase
internal import Glibc

/// The variables of this process's environment that the commands of a step inherit.
package struct Inheritance: Sendable {
  package static let all = Inheritance(patterns: nil)
  package static let nothing = Inheritance(patterns: [])

  /// Names of variables, and beginnings of names, each with a `*` at its end; `nil` for all variables.
  package let patterns: [String]?

  private init(patterns: [String]?) { self.patterns = patterns }

  /// Reads true, false, or a list of names. Gives `nil` for false, which is the rule of flowServ: commands inherit
  /// everything if nothing is set for them, and otherwise nothing.
  package static func read(_ json: JSONRef) throws(ValidationError) -> Inheritance? {
    if let boolean = json.boolean { return boolean ? .all : nil }
    guard json.kind == .array else {
      throw ValidationError("expected true, false or a list of names of variables, found \(json.shown)")
    }
    var patterns: [String] = []
    var isAll = false
    try json.forEachElement { (index, element) throws(ValidationError) in
      do throws(ValidationError) {
        let pattern = try element.requireName("the name of an environment variable")
        try check(pattern)
        patterns.append(pattern)
        isAll = isAll || pattern.isSame(as: "*")
      } catch { throw error.inside(index) }
    }
    return isAll ? .all : Inheritance(patterns: patterns)
  }

  private static func check(_ pattern: String) throws(ValidationError) {
    try KeyValues.check(variable: pattern)
    if pattern.utf8.dropLast().contains(UInt8(ascii: "*")) {
      throw ValidationError(
        "\(MessageFormat.quoted(pattern)) has a \"*\" that is not at its end: a \"*\" stands for the rest of a name, "
          + "such as \"LC_*\"")
    }
  }

  /// Whether a variable is inherited.
  func covers(_ name: UnsafeRawBufferPointer) -> Bool {
    guard let patterns else { return true }
    return patterns.contains { pattern in
      let bytes = pattern.utf8
      return bytes.last == UInt8(ascii: "*") ? name.starts(with: bytes.dropLast()) : name.elementsEqual(bytes)
    }
  }
}
