internal import FWBase
internal import FWSystem
internal import Glibc

/// The configuration file of the docker CLI.
struct DockerConfig {
  let currentContext: String?
  /// The whole document.
  private let json: JSONValue

  static var directory: String {
    if let directory = Environment.value("DOCKER_CONFIG") { return directory }
    return "\(Environment.value("HOME") ?? "")/.docker"
  }

  static var path: String { "\(directory)/config.json" }

  /// Reads the file; `nil` if it does not exist. A file that cannot be read is an error, because ignoring it could
  /// select another engine or drop credentials.
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

  /// The entry of `auths` for a registry.
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

  /// The part after `docker-credential-` of the name of the program that has a registry's credentials.
  func helper(_ registry: String) -> String? {
    let name = json.read { $0["credHelpers"]?.member(registry)?.string ?? $0["credsStore"]?.string }
    return name?.isEmpty == false ? name : nil
  }
}
