internal import FWBase
internal import FWSystem
internal import Glibc

/// Finds the engine as the docker CLI does: by the worker's `host`, DOCKER_HOST, DOCKER_CONTEXT, the current context of
/// the CLI's configuration, and then by the sockets where engines listen by default. (CLI: cli/command/cli.go,
/// `resolveContextName`. The CLI does not try rootless sockets and Podman's sockets.)
enum EngineSearch {
  static func endpoint(_ options: DockerOptions) throws(StepFailure) -> EngineEndpoint {
    if let host = options.host {
      return try parse(host, options.certPath ?? environmentCertificates(), "the worker's \"host\"")
    }
    if let host = Environment.value("DOCKER_HOST") {
      return try parse(host, options.certPath ?? environmentCertificates(), "DOCKER_HOST")
    }
    if let name = Environment.value("DOCKER_CONTEXT") { return try context(name, options, "DOCKER_CONTEXT") }
    if let name = try DockerConfig.read()?.currentContext {
      return try context(name, options, "currentContext of \(DockerConfig.path)")
    }
    return try socket(options)
  }

  private static func parse(_ host: String, _ certificates: String?, _ source: String) throws(StepFailure)
    -> EngineEndpoint
  {
    do throws(EngineAddress.Fault) {
      return EngineEndpoint(try EngineAddress(host), certificates: certificates, source: source)
    } catch { throw StepFailure(engine: "\(source): \(error.text)") }
  }

  /// The directory that DOCKER_CERT_PATH names, or the CLI's own.
  private static func environmentCertificates() -> String? {
    guard Environment.value("DOCKER_TLS_VERIFY") != nil || Environment.value("DOCKER_TLS") != nil else { return nil }
    return Environment.value("DOCKER_CERT_PATH") ?? DockerConfig.directory
  }

  private static func context(_ name: String, _ options: DockerOptions, _ source: String) throws(StepFailure)
    -> EngineEndpoint
  {
    if name == "default" { return try socket(options) }
    let contexts = "\(DockerConfig.directory)/contexts"
    // The name of a context's directory is a digest of the context's name. There are only few directories, and each has
    // a file with the name.
    for entry in Files.list("\(contexts)/meta") {
      guard let text = Files.read("\(contexts)/meta/\(entry)/meta.json"), let json = try? JSONText.parse(text.bytes)
      else { continue }
      let host = json.read { json -> String? in
        guard json["Name"]?.string == name else { return nil }
        return json["Endpoints"]?["docker"]?["Host"]?.string ?? ""
      }
      guard let host else { continue }
      let own = "\(contexts)/tls/\(entry)/docker"
      let certificates = options.certPath ?? (Files.list(own).isEmpty ? nil : own)
      return try parse(host, certificates, "the context \(MessageFormat.quoted(name)) (\(source))")
    }
    throw StepFailure(
      engine:
        "\(source) names the context \(MessageFormat.quoted(name)), which is not in "
        + MessageFormat.path(contexts + "/meta"))
  }

  /// The first socket that exists.
  private static func socket(_ options: DockerOptions) throws(StepFailure) -> EngineEndpoint {
    var paths = ["/var/run/docker.sock"]
    let runtime = Environment.value("XDG_RUNTIME_DIR") ?? "/run/user/\(getuid())"
    paths += ["\(runtime)/docker.sock", "\(runtime)/podman/podman.sock", "/run/podman/podman.sock"]
    for path in paths where Files.isSocket(path) {
      return try parse("unix://\(path)", nil, "the default socket")
    }
    throw StepFailure(
      engine: "no container engine was found: DOCKER_HOST and DOCKER_CONTEXT are not set, "
        + "\(MessageFormat.path(DockerConfig.path)) names no context, and there is no socket at "
        + "\(paths.joined(separator: ", ")); "
        + "start an engine, or set \"host\" in the worker's options")
  }
}
