internal import FWBase
internal import FWSystem
internal import Glibc

/// The CLI's configuration file.
struct DockerConfig {
  let currentContext: String?
  /// What the registry's key is mapped to, as the CLI stores it.
  private let json: JSONValue

  static var directory: String {
    if let directory = Environment.value("DOCKER_CONFIG") { return directory }
    return "\(Environment.value("HOME") ?? "")/.docker"
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
        if let entry = auths.member(key) { return (entry["auth"]?.string, entry["identitytoken"]?.string) }
      }
      return nil
    }
  }

  /// The name of the program that has a registry's credentials, behind `docker-credential-`.
  func helper(_ registry: String) -> String? {
    let name = json.read { $0["credHelpers"]?.member(registry)?.string ?? $0["credsStore"]?.string }
    return name?.isEmpty == false ? name : nil
  }
}
