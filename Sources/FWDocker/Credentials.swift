internal import FWBase
internal import FWModel
internal import FWProcess
internal import Glibc

/// The credentials for a registry, found in the same way as the docker CLI finds them: by the helper program for this
/// registry, by the helper program for all registries, or in the configuration file itself.
final class Credentials {
  enum Outcome {
    /// The value of the header; `nil` if there are no credentials.
    case found(String?)
    case failed(StepFailure)
  }

  private let registry: String
  private let config: DockerConfig
  private let helper: String
  private let program: HelperProgram

  /// The number of seconds that a helper may take. It may ask its user a question.
  private static let timeout = 60.0
  /// The most bytes that a helper may write.
  private static let longestAnswer = 1 << 20

  /// The credentials that the configuration file itself has; `nil` if a helper must be asked.
  static func stored(for registry: String) throws(StepFailure) -> Outcome? {
    guard let config = try DockerConfig.read() else { return .found(nil) }
    if config.helper(registry) != nil { return nil }
    return .found(plain(config, registry))
  }

  private static func plain(_ config: DockerConfig, _ registry: String) -> String? {
    guard let stored = config.auth(registry) else { return nil }
    if let token = stored.identityToken, !token.isEmpty { return header(token: token, registry) }
    guard let text = stored.auth.flatMap(Base64.decoded), let (user, password) = text.cut(at: ":") else { return nil }
    return header(String(user), String(password), registry)
  }

  /// Starts the helper.
  init(askingFor registry: String) throws(StepFailure) {
    guard let config = try DockerConfig.read(), let helper = config.helper(registry) else {
      throw StepFailure("the docker CLI's configuration has changed in the meantime")
    }
    self.registry = registry
    self.config = config
    self.helper = helper
    var env = KeyValues()
    env.set("FLOWWORKER_HELPER", "docker-credential-\(helper)")
    env.set("FLOWWORKER_REGISTRY", registry)
    // The helper reads the registry from its standard input, and writes a JSON document.
    program = try HelperProgram(
      "printf %s \"$FLOWWORKER_REGISTRY\" | \"$FLOWWORKER_HELPER\" get", env: env, for: "a credential helper",
      outputLimit: Credentials.longestAnswer, timeout: Credentials.timeout)
  }

  /// A descriptor that becomes readable when there is something to do.
  var fd: Int32 { program.fd }

  /// Does all work that needs no waiting. Returns `nil` if the helper has not ended.
  func advance() -> Outcome? {
    guard let end = program.advance() else { return nil }
    let output = String(decoding: end.stdout.bytes, as: UTF8.self)
    if end.outcome == .exited, end.exitCode == 0 {
      let header = (try? JSONText.parse(end.stdout.bytes))?.read { json -> String? in
        guard let user = json["Username"]?.string, let secret = json["Secret"]?.string else { return nil }
        return user.isSame(as: "<token>")
          ? Credentials.header(token: secret, registry) : Credentials.header(user, secret, registry)
      }
      if let header { return .found(header) }
      return .failed(failure("its answer has no \"Username\" and \"Secret\""))
    }
    // A helper without credentials says so on its standard output. (docker-credential-helpers,
    // `errCredentialsNotFoundMessage`.)
    if end.outcome == .exited, output.contains("credentials not found") {
      return .found(Credentials.plain(config, registry))
    }
    let errorText = MessageFormat.foreign(output + " " + String(decoding: end.stderr.bytes, as: UTF8.self))
    let how = end.outcome == .timeout ? "it did not answer in \(MessageFormat.seconds(Credentials.timeout))" : errorText
    return .failed(failure(how))
  }

  private func failure(_ how: String) -> StepFailure {
    StepFailure(
      "the credential helper docker-credential-\(helper), which \(MessageFormat.path(DockerConfig.path)) names for "
        + "\(registry), failed: \(how)")
  }

  private static func header(_ user: String, _ password: String, _ registry: String) -> String? {
    encoded { writer in
      writer.member("username", user)
      writer.member("password", password)
      writer.member("serveraddress", registry)
    }
  }

  private static func header(token: String, _ registry: String) -> String? {
    encoded { writer in
      writer.member("identitytoken", token)
      writer.member("serveraddress", registry)
    }
  }

  private static func encoded(_ members: (inout JSONWriter) -> Void) -> String? {
    var writer = JSONWriter()
    writer.object(members)
    guard let text = writer.finish() else { return nil }
    defer { free(text) }
    return Base64.url(
      UnsafeRawBufferPointer(start: text, count: strlen(UnsafeRawPointer(text).assumingMemoryBound(to: CChar.self))))
  }
}
