internal import FWBase
internal import FWProcess
internal import FWSystem
internal import Glibc

/// The configuration file of the docker CLI, as the CLI reads it (cli/config/configfile/file.go, docker 28). A file
/// that cannot be read is ignored with a warning. Of a file with a wrong part, the CLI ignores more or less depending
/// on the part. Here the wrong part is ignored, and everything else counts.
struct DockerConfig {
  /// The credentials that the file has for a registry.
  struct Entry {
    /// The name or the URL of the registry.
    var registry: String
    var user = ""
    var password = ""
    var identityToken = ""
    var registryToken = ""

    /// The host in a key with a scheme or a path, as older versions of the CLI wrote it.
    var host: Substring {
      let rest = registry.without(prefix: "https://") ?? registry.without(prefix: "http://") ?? registry[...]
      return rest.cut(at: "/")?.before ?? rest
    }
  }

  private(set) var currentContext: String?
  /// What was ignored and why, as sentences for the user.
  private(set) var warnings: [String] = []
  private var entries: [Entry] = []
  private var store = ""
  private var helpers: [(registry: String, name: String)] = []

  static var directory: String { Environment.value("DOCKER_CONFIG") ?? "\(home)/.docker" }

  static var path: String { "\(directory)/config.json" }

  /// The home directory: HOME, or else the directory of the user's account.
  private static var home: String {
    if let home = Environment.value("HOME") { return home }
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    var room = [CChar](repeating: 0, count: 16 << 10)
    guard getpwuid_r(getuid(), &entry, &room, room.count, &found) == 0, found != nil, let home = entry.pw_dir else {
      return ""
    }
    return String(cString: home)
  }

  /// The most warnings that are kept.
  private static let maxWarnings = 8

  static func read() -> DockerConfig {
    if let text = Files.read(path) { return DockerConfig(text.bytes) }
    let error = errno
    var config = DockerConfig(UnsafeRawBufferPointer(start: nil, count: 0))
    if error != ENOENT { config.warnings.append("\(shown) was ignored: it cannot be read: \(errorText(error))") }
    return config
  }

  /// Reads the text of the file. An empty one is an empty configuration.
  init(_ text: UnsafeRawBufferPointer) {
    let spaces: [UInt8] = [0x20, 0x09, 0x0A, 0x0D]
    if text.allSatisfy({ spaces.contains($0) }) { return }
    var plain = ByteBuffer()
    if UTF8Text.repair(text, into: &plain) > 0 { plain.append("\u{FFFD}" as StaticString) }
    do throws(FlowError) {
      let value = try JSONText.parse(foreign: plain.bytes)
      value.read { json in members(of: json, "the file") { $0.read($1, $2) } }
    } catch {
      let place = error.position.map { " (line \($0.line), column \($0.column))" } ?? ""
      warnings.append("\(DockerConfig.shown) was ignored: \(error.message)\(place)")
    }
  }

  private static var shown: String { "the docker CLI's configuration \(MessageFormat.path(path))" }

  private mutating func read(_ key: String, _ value: JSONRef) {
    switch key {
    case "auths":
      members(of: value, "\"auths\"", isFolded: false) { config, registry, value in
        config.entries.append(config.entry(registry, value))
      }
    case "credhelpers":
      members(of: value, "\"credHelpers\"", isFolded: false) { config, registry, value in
        let place = "the helper for \(MessageFormat.quoted(registry)) in \"credHelpers\""
        if let name = config.string(value, place) { config.helpers.append((registry, name)) }
      }
    case "credsstore": store = string(value, "\"credsStore\"") ?? store
    case "currentcontext":
      let name = string(value, "\"currentContext\"") ?? ""
      currentContext = name.isEmpty ? nil : name
    default: break
    }
  }

  private mutating func entry(_ registry: String, _ json: JSONRef) -> Entry {
    let place = "the entry for \(MessageFormat.quoted(registry)) in \"auths\""
    var entry = Entry(registry: registry)
    var auth = ""
    members(of: json, place) { config, key, value in
      func read(_ text: inout String) { text = config.string(value, "\"\(key)\" of \(place)") ?? text }
      switch key {
      case "auth": read(&auth)
      case "username": read(&entry.user)
      case "password": read(&entry.password)
      case "identitytoken": read(&entry.identityToken)
      case "registrytoken": read(&entry.registryToken)
      default: break
      }
    }
    if auth.isEmpty { return entry }
    guard let (user, password) = Base64.decoded(auth)?.cut(at: ":"), !user.isEmpty else {
      warn("\"auth\" of \(place)", "it is not USER:PASSWORD in Base64")
      return entry
    }
    entry.user = String(user)
    // The CLI takes off NUL characters at both ends, which old versions wrote.
    entry.password = String(String.UnicodeScalarView(password.unicodeScalars.drop { $0.value == 0 }))
    while let shorter = entry.password.without(suffix: "\0") { entry.password = String(shorter) }
    return entry
  }

  /// Calls `body` for each member of an object. A member that is null counts as missing.
  ///
  /// - Parameter isFolded: whether the keys are words of the CLI. It reads them with small and capital letters alike.
  private mutating func members(
    of json: JSONRef, _ place: String, isFolded: Bool = true, _ body: (inout DockerConfig, String, JSONRef) -> Void
  ) {
    if json.kind == .null { return }
    guard json.kind == .object else { return warn(place, "expected an object, found \(json.kind.rawValue)") }
    json.forEachMember { key, value in
      if value.kind != .null { body(&self, isFolded ? key.string.smallLetters : key.string, value) }
    }
  }

  private mutating func string(_ json: JSONRef, _ place: String) -> String? {
    if let text = json.string { return text }
    warn(place, "expected a string, found \(json.kind.rawValue)")
    return nil
  }

  private mutating func warn(_ place: String, _ what: String) {
    guard warnings.count < DockerConfig.maxWarnings else { return }
    warnings.append("a part of \(DockerConfig.shown) was ignored: \(place): \(what)")
  }

  // MARK: Credentials

  /// The credentials that the file itself has for a registry.
  func entry(for registry: String) -> Entry? {
    entries.last { $0.registry.isSame(as: registry) } ?? entries.first { $0.host.isSame(as: registry) }
  }

  /// The part after `docker-credential-` of the name of the program that has the credentials for a registry.
  func helper(for registry: String) -> String? {
    if let own = helpers.last(where: { $0.registry.isSame(as: registry) }) { return own.name.isEmpty ? nil : own.name }
    if !store.isEmpty { return store }
    if !entries.isEmpty || !helpers.isEmpty { return nil }
    // Without any credentials, the CLI uses the store of the platform if its helper is installed.
    let platform = DockerConfig.isInstalled("pass") ? "pass" : "secretservice"
    return DockerConfig.isInstalled("docker-credential-\(platform)") ? platform : nil
  }

  private static func isInstalled(_ program: String) -> Bool {
    if case .program = ProgramSearch.find(program) { return true }
    return false
  }
}
