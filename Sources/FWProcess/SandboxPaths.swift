internal import FWBase

/// The paths of a sandbox, as a document has them.
struct SandboxPaths {
  /// What programs need to start: the system's programs and libraries, and what the C library, shells and interpreters
  /// read when they begin. No system has all of it.
  private static let system: [String] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"]
    + ([
      "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "passwd", "group", "nsswitch.conf", "hosts", "resolv.conf", "ssl",
      "pki", "ca-certificates", "localtime", "alternatives", "python3",
    ] + (6...20).map { "python3.\($0)" }).map { "/etc/" + $0 }

  /// The most bytes of a path, without its NUL (PATH_MAX).
  private static let longest = 4095

  private(set) var names: Set<Name> = []
  private(set) var hasSystem = false
  /// Whether the root is among the paths.
  private var hasRoot = false
  /// The index of the first path that is a directory for temporary files itself.
  private(set) var temporary: (index: Int, path: String)?

  /// - Parameters:
  ///   - isWritable: whether they are those of `write`, and not of `read`.
  ///   - most: the largest number of paths.
  init(reading json: JSONRef, isWritable: Bool, most: Int) throws(ValidationError) {
    guard json.kind == .array else {
      throw ValidationError(
        "expected \(isWritable ? "an array" : "\"all\" or an array") of absolute paths, found \(json.shown)")
    }
    guard json.count <= most else {
      throw ValidationError(
        "\"\(isWritable ? "write" : "read")\" has \(json.count) paths, at most \(most): name a directory above them")
    }
    try json.forEachElement { (index, element) throws(ValidationError) in
      do throws(ValidationError) {
        if !isWritable, element.string?.isSame(as: "system") == true {
          hasSystem = true
          return
        }
        let path = try SandboxPaths.path(element, isWritable: isWritable)
        if path.isSame(as: "/") { hasRoot = true }
        if temporary == nil, path.isSame(as: "/tmp") || path.isSame(as: "/var/tmp") { temporary = (index, path) }
        names.insert(Name(path))
      } catch { throw error.inside(index) }
    }
  }

  init() {}

  /// A path with one `/` before each name.
  private static func path(_ json: JSONRef, isWritable: Bool) throws(ValidationError) -> String {
    guard json.kind == .string, let text = json.string, text.utf8.first == UInt8(ascii: "/") else {
      throw ValidationError(
        "expected an absolute path, such as \"/data\"\(isWritable ? "" : ", or \"system\""), found \(json.shown)")
    }
    let path = "/" + (try json.requireString()).pieces(at: "/").joined(separator: "/")
    guard path.utf8.count <= longest else {
      throw ValidationError("the path has \(path.utf8.count) bytes: Linux takes at most \(longest)")
    }
    for name in path.pieces(at: "/") where name.isSame(as: ".") || name.isSame(as: "..") {
      throw ValidationError(
        "the path \(MessageFormat.quoted(path)) has the component \"\(name)\": write where it leads")
    }
    guard isWritable else { return path }
    if path.isSame(as: "/") {
      throw ValidationError(
        "\"/\" would make every file writable: name directories, or leave the sandbox out")
    }
    for system in ["/proc", "/sys"] where path.isSame(as: system) || path.begins(with: system + "/") {
      throw ValidationError(
        "\(MessageFormat.quoted(path)) cannot be writable: what is in /proc and /sys belongs to the kernel")
    }
    return path
  }

  /// The paths of the document in the order of their bytes, so that a directory is before what is in it.
  var sorted: [String] { names.sorted().map(\.text) }

  /// Whether the paths say that everything is meant, and nothing else.
  var isEverything: Bool { hasRoot && names.count == 1 }

  /// The paths of `"system"` that the document does not name itself.
  var systemPaths: [String] {
    hasSystem ? SandboxPaths.system.filter { !names.contains(Name($0)) } : []
  }
}
