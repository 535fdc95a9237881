internal import FWBase
internal import FWHTTP
internal import FWSystem
internal import Glibc

/// Finds the engine as the docker CLI does: by the worker's `host`, DOCKER_HOST, DOCKER_CONTEXT, the current context of
/// the CLI's configuration, and then by the sockets where engines listen by default. (CLI: cli/command/cli.go,
/// `resolveContextName`. The CLI does not try rootless sockets and Podman's sockets.)
enum EngineSearch {
  static func endpoint(_ options: DockerOptions) throws(StepFailure) -> EngineEndpoint {
    if let host = options.host {
      let source = "the worker's \"host\""
      return try endpoint(options.certPath ?? environmentCertificates(), source) { () throws(EngineAddress.Fault) in
        try EngineAddress(host)
      }
    }
    if let host = Environment.value("DOCKER_HOST") {
      return try endpoint(options.certPath ?? environmentCertificates(), "DOCKER_HOST") {
        () throws(EngineAddress.Fault) in try EngineAddress(variable: host)
      }
    }
    if let name = Environment.value("DOCKER_CONTEXT") { return try context(name, options, "DOCKER_CONTEXT") }
    let config = DockerConfig.read()
    var found: EngineEndpoint
    if let name = config.currentContext {
      found = try context(name, options, "currentContext of \(DockerConfig.path)")
    } else {
      found = try defaultEngine(options, config)
    }
    found.notes = config.warnings + found.notes
    return found
  }

  private static func endpoint(
    _ certificates: String?, _ source: String, _ address: () throws(EngineAddress.Fault) -> EngineAddress
  ) throws(StepFailure) -> EngineEndpoint {
    do throws(EngineAddress.Fault) {
      return EngineEndpoint(try address(), certificates: certificates, source: source)
    } catch { throw StepFailure(engine: "\(source): \(error.text)") }
  }

  private static func endpoint(_ host: String, _ certificates: String?, _ source: String) throws(StepFailure)
    -> EngineEndpoint
  {
    try endpoint(certificates, source) { () throws(EngineAddress.Fault) in try EngineAddress(host) }
  }

  /// The directory that DOCKER_CERT_PATH names, or the CLI's own.
  private static func environmentCertificates() -> String? {
    guard Environment.value("DOCKER_TLS_VERIFY") != nil || Environment.value("DOCKER_TLS") != nil else { return nil }
    return Environment.value("DOCKER_CERT_PATH") ?? DockerConfig.directory
  }

  // MARK: Contexts

  /// What the file of a context says of its engine.
  struct Context {
    /// The address; empty for the default engine, and `nil` if the context has no engine.
    let host: String?
    let skipsVerification: Bool

    /// Fails if the file is that of another context.
    init?(_ json: JSONRef, named name: String) {
      guard json["Name"]?.string?.isSame(as: name) == true else { return nil }
      let docker = json["Endpoints"]?["docker"]
      host = docker.map { $0["Host"]?.string ?? "" }
      skipsVerification = docker?["SkipTLSVerify"]?.boolean ?? false
    }
  }

  private static func context(_ name: String, _ options: DockerOptions, _ source: String) throws(StepFailure)
    -> EngineEndpoint
  {
    if name.isSame(as: "default") { return try defaultEngine(options, DockerConfig.read()) }
    let contexts = "\(DockerConfig.directory)/contexts"
    var unread: String?
    // The name of a context's directory is a digest of the context's name. There are only few directories, and each has
    // a file with the name.
    for entry in Files.list("\(contexts)/meta") ?? [] {
      let path = "\(contexts)/meta/\(entry)/meta.json"
      guard let text = Files.read(path), let json = try? JSONText.parse(foreign: text.bytes) else {
        unread = path
        continue
      }
      let found = json.read { Context($0, named: name) }
      guard let found else { continue }
      let shown = "the context \(MessageFormat.quoted(name)) (\(source))"
      guard let host = found.host else {
        throw StepFailure(
          engine: "\(shown) has no docker engine: \(MessageFormat.path(path)) has no \"docker\" endpoint")
      }
      if host.isEmpty { return try defaultEngine(options, DockerConfig.read()) }
      let own = "\(contexts)/tls/\(entry)/docker"
      let certificates = options.certPath ?? (Files.list(own)?.isEmpty == false ? own : nil)
      var endpoint = try endpoint(host, certificates, shown)
      if found.skipsVerification, endpoint.peer.socket == nil {
        endpoint.notes.append("\(shown) asks not to verify the engine's certificate, which is verified all the same")
      }
      return endpoint
    }
    throw StepFailure(
      engine:
        "\(source) names the context \(MessageFormat.quoted(name)), which is not in "
        + MessageFormat.path(contexts + "/meta")
        + (unread.map { "; \(MessageFormat.path($0)) cannot be read" } ?? ""))
  }

  // MARK: The default engine

  /// The engine where the CLI looks without any configuration, or the first socket that exists.
  private static func defaultEngine(_ options: DockerOptions, _ config: DockerConfig) throws(StepFailure)
    -> EngineEndpoint
  {
    if let certificates = environmentCertificates() {
      return try endpoint("tcp://localhost:2376", options.certPath ?? certificates, "the default engine with TLS")
    }
    var paths = ["/var/run/docker.sock"]
    let runtime = Environment.value("XDG_RUNTIME_DIR") ?? "/run/user/\(getuid())"
    paths += ["\(runtime)/docker.sock", "\(runtime)/podman/podman.sock", "/run/podman/podman.sock"]
    for path in paths where Files.isSocket(path) {
      return try endpoint("unix://\(path)", nil, "the default socket")
    }
    let reading = config.warnings.first ?? "\(MessageFormat.path(DockerConfig.path)) names no context"
    throw StepFailure(
      engine: "no container engine was found: DOCKER_HOST and DOCKER_CONTEXT are not set, \(reading), and there is no "
        + "socket at \(paths.joined(separator: ", ")); start an engine, or set \"host\" in the worker's options")
  }
}
