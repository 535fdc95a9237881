internal import CFlowShims
internal import Glibc

/// Finds the engine as the docker CLI does: the worker's `host`, DOCKER_HOST, DOCKER_CONTEXT, the current
/// context of the CLI's configuration, and then the sockets where engines listen by default. (CLI: cli/command/cli.go,
/// `resolveContextName`; the rootless and Podman's sockets are beyond it.)
enum EngineSearch {
  static func endpoint(_ options: DockerOptions) throws(StepFailure) -> EngineEndpoint {
    if let host = options.host {
      return try given(host, options.certPath ?? environmentCertificates(), "the worker's \"host\"")
    }
    if let host = environment("DOCKER_HOST") {
      return try given(host, options.certPath ?? environmentCertificates(), "DOCKER_HOST")
    }
    if let name = environment("DOCKER_CONTEXT") { return try context(name, options, "DOCKER_CONTEXT") }
    if let name = try DockerConfig.read()?.currentContext {
      return try context(name, options, "currentContext of \(DockerConfig.path)")
    }
    return try socket(options)
  }

  private static func given(_ host: String, _ certificates: String?, _ source: String) throws(StepFailure)
    -> EngineEndpoint
  {
    do throws(EngineAddress.Fault) {
      return EngineEndpoint(try EngineAddress(host), certificates: certificates, source: source)
    } catch { throw StepFailure(engine: "\(source): \(error.text)") }
  }

  /// The directory that DOCKER_CERT_PATH names, or the CLI's own.
  private static func environmentCertificates() -> String? {
    guard environment("DOCKER_TLS_VERIFY") != nil || environment("DOCKER_TLS") != nil else { return nil }
    return environment("DOCKER_CERT_PATH") ?? DockerConfig.directory
  }

  private static func context(_ name: String, _ options: DockerOptions, _ source: String) throws(StepFailure)
    -> EngineEndpoint
  {
    if name == "default" { return try socket(options) }
    let contexts = "\(DockerConfig.directory)/contexts"
    // The name of a context's directory is a digest of its name; there are few of them, and each says its name.
    for entry in Files.list("\(contexts)/meta") {
      guard let text = Files.read("\(contexts)/meta/\(entry)/meta.json"), let json = try? JSONText.parse(text.bytes)
      else { continue }
      let found = json.read { json -> (host: String, isContext: Bool)? in
        guard json["Name"]?.string == name else { return nil }
        return (json["Endpoints"]?["docker"]?["Host"]?.string ?? "", true)
      }
      guard let found else { continue }
      let own = "\(contexts)/tls/\(entry)/docker"
      let certificates = options.certPath ?? (Files.list(own).isEmpty ? nil : own)
      return try given(found.host, certificates, "the context \(MessageFormat.quoted(name)) (\(source))")
    }
    throw StepFailure(
      engine: "\(source) names the context \(MessageFormat.quoted(name)), which is not in \(MessageFormat.path(contexts + "/meta"))"
    )
  }

  /// The first socket that is there.
  private static func socket(_ options: DockerOptions) throws(StepFailure) -> EngineEndpoint {
    var paths = ["/var/run/docker.sock"]
    let runtime = environment("XDG_RUNTIME_DIR") ?? "/run/user/\(getuid())"
    paths += ["\(runtime)/docker.sock", "\(runtime)/podman/podman.sock", "/run/podman/podman.sock"]
    for path in paths where Files.isSocket(path) {
      return try given("unix://\(path)", nil, "the default socket")
    }
    throw StepFailure(
      engine: "no container engine was found: DOCKER_HOST and DOCKER_CONTEXT are not set, "
        + "\(MessageFormat.path(DockerConfig.path)) names no context, and there is no socket at \(paths.joined(separator: ", ")); "
        + "start an engine, or name it by \"host\" in the worker's options")
  }

  /// A variable of the host's environment that is set and not empty.
  static func environment(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }
}

/// The CLI's configuration file.
struct DockerConfig {
  let currentContext: String?
  /// What the registry's key is mapped to, as the CLI stores it.
  private let json: JSONValue

  static var directory: String {
    if let directory = EngineSearch.environment("DOCKER_CONFIG") { return directory }
    return "\(EngineSearch.environment("HOME") ?? "")/.docker"
  }

  static var path: String { "\(directory)/config.json" }

  /// `nil` if there is none. One that cannot be read would be passed over by nobody: it is an error.
  static func read() throws(StepFailure) -> DockerConfig? {
    guard let text = Files.read(path) else {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw StepFailure("the docker CLI's configuration \(MessageFormat.path(path)) cannot be read", errno)
    }
    do throws(FlowError) { return DockerConfig(try JSONText.parse(text.bytes)) } catch {
      throw StepFailure("the docker CLI's configuration \(MessageFormat.path(path)) cannot be read: \(error.message)")
    }
  }

  private init(_ json: JSONValue) {
    self.json = json
    let name = json.read { $0["currentContext"]?.string }
    currentContext = name?.isEmpty == false ? name : nil
  }

  /// What `auths` has for a registry.
  func auth(_ registry: String) -> (auth: String?, identityToken: String?)? {
    json.read { json in
      guard let auths = json["auths"] else { return nil }
      // Older files have the address with its scheme and path.
      for key in [registry, "https://\(registry)", "http://\(registry)", "https://\(registry)/v1/"] {
        if let entry = auths[key] { return (entry["auth"]?.string, entry["identitytoken"]?.string) }
      }
      return nil
    }
  }

  /// The name of the program that has a registry's credentials, behind `docker-credential-`.
  func helper(_ registry: String) -> String? {
    let name = json.read { $0["credHelpers"]?[registry]?.string ?? $0["credsStore"]?.string }
    return name?.isEmpty == false ? name : nil
  }
}

/// Small files and directories, read as a whole.
enum Files {
  /// More than any configuration.
  private static let largest = 16 << 20

  /// `nil` if it cannot be read.
  static func read(_ path: String) -> ByteBuffer? {
    let fd = fws_above_standard(open(path, O_RDONLY | O_CLOEXEC))
    guard fd >= 0 else { return nil }
    defer { close(fd) }
    var bytes = ByteBuffer()
    while bytes.count < largest, let room = bytes.room(for: 4096) {
      let count = Glibc.read(fd, room, 4096)
      if count < 0 && errno == EINTR { continue }
      if count < 0 { return nil }
      if count == 0 { return bytes }
      bytes.commit(count)
    }
    return nil
  }

  /// The names in a directory, in order.
  static func list(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
        tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  static func isSocket(_ path: String) -> Bool {
    var information = stat()
    return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFSOCK
  }

  /// Not one that is reached over a symbolic link.
  static func isDirectory(_ path: String) -> Bool {
    var information = stat()
    return lstat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
  }
}
