internal import FWBase
internal import FWModel
internal import FWProcess
internal import Glibc

/// What a pull sends to the engine as the credentials for a registry.
struct Credentials {
  /// The value of the header; `nil` if there are no credentials.
  let header: String?
  /// What went wrong in the search, as sentences for the user.
  let warnings: [String]
  private let registry: String

  init(_ entry: DockerConfig.Entry?, for registry: String, warnings: [String]) {
    self.registry = registry
    self.warnings = warnings
    let members: [(StaticString, String)] =
      entry.map { entry in
        [
          ("username", entry.user), ("password", entry.password), ("identitytoken", entry.identityToken),
          ("registrytoken", entry.registryToken),
        ].filter { !$0.1.isEmpty }
      } ?? []
    if members.isEmpty {
      header = nil
      return
    }
    var writer = JSONWriter()
    writer.object { writer in
      for (name, value) in members { writer.member(name, value) }
      writer.member("serveraddress", entry?.registry)
    }
    let text = writer.buffer()
    header = Base64.url(text.bytes)
  }

  /// What is known about the credentials, for the message about a registry that has refused them.
  var shown: String {
    if header != nil { return "with the credentials that the docker CLI has stored for \(registry)" }
    return warnings.isEmpty
      ? "without credentials: the docker CLI has stored none for \(registry)"
      : "without credentials for \(registry): \(warnings.joined(separator: "; "))"
  }
}

/// The search for the credentials for a registry. It does what the docker CLI does when it pulls an image
/// (cli/config/configfile/file.go and cli/config/credentials/native_store.go of docker 28): it asks a helper program if
/// the configuration names one. If the helper says that it has no credentials, there are none. If it fails in any other
/// way, the entry of the configuration file counts, and an image that needs no credentials can be pulled without any.
final class CredentialHelper {
  enum Search {
    case found(Credentials)
    case asking(CredentialHelper)
  }

  private let registry: String
  private let config: DockerConfig
  private let name: String
  private let program: HelperProgram

  /// The number of seconds that a helper may take. It may ask its user a question.
  private static let timeout = 60.0
  /// The most bytes that a helper may write.
  private static let longestAnswer = 1 << 20
  /// The answer of a helper that has no credentials (docker-credential-helpers, `errCredentialsNotFoundMessage`).
  private static let notFound = "credentials not found in native keychain"

  /// Begins the search.
  static func search(for registry: String) throws(StepFailure) -> Search {
    let config = DockerConfig.read()
    guard let name = config.helper(for: registry) else {
      return .found(Credentials(config.entry(for: registry), for: registry, warnings: config.warnings))
    }
    guard case .program(let path) = ProgramSearch.find("docker-credential-\(name)") else {
      return .found(unasked(name, "it is not in PATH", registry, config))
    }
    return .asking(try CredentialHelper(path, name, registry, config))
  }

  /// Starts the helper, which reads the registry from its standard input and writes a JSON document.
  private init(_ path: String, _ name: String, _ registry: String, _ config: DockerConfig) throws(StepFailure) {
    self.registry = registry
    self.config = config
    self.name = name
    var env = KeyValues()
    env.set("FLOWWORKER_HELPER", path)
    env.set("FLOWWORKER_REGISTRY", registry)
    program = try HelperProgram(
      "printf %s \"$FLOWWORKER_REGISTRY\" | \"$FLOWWORKER_HELPER\" get", env: env, for: "a credential helper",
      outputLimit: CredentialHelper.longestAnswer, timeout: CredentialHelper.timeout)
  }

  /// The credentials if the helper gives no answer: those of the file itself.
  private static func unasked(_ name: String, _ why: String, _ registry: String, _ config: DockerConfig) -> Credentials
  {
    let warning =
      "the credential helper \(MessageFormat.quoted("docker-credential-\(name)", limit: 100)), which "
      + "\(MessageFormat.path(DockerConfig.path)) names for \(registry), gave no credentials: \(why)"
    return Credentials(config.entry(for: registry), for: registry, warnings: config.warnings + [warning])
  }

  /// A descriptor that becomes readable when there is something to do.
  var fd: Int32 { program.fd }

  /// Does all work that needs no waiting. Returns `nil` if the helper has not ended.
  func advance() -> Credentials? {
    guard let end = program.advance() else { return nil }
    func failed(_ why: String) -> Credentials { CredentialHelper.unasked(name, why, registry, config) }
    if end.outcome == .timeout {
      return failed("it did not answer in \(MessageFormat.seconds(CredentialHelper.timeout))")
    }
    if end.outcome == .exited, end.exitCode == 0 {
      return CredentialHelper.read(end.stdout.bytes, registry, config)
        ?? failed("its answer is not a JSON object with \"Username\" and \"Secret\"")
    }
    let output = String(decoding: end.stdout.bytes, as: UTF8.self)
    let words = MessageFormat.foreign(output)
    if end.outcome == .exited, words.isSame(as: CredentialHelper.notFound) {
      return Credentials(CredentialHelper.rest(registry, config), for: registry, warnings: config.warnings)
    }
    let text = MessageFormat.foreign(output + " " + String(decoding: end.stderr.bytes, as: UTF8.self))
    return failed(text.isEmpty ? "it failed without a message" : text)
  }

  /// The file's entry without that which only the helper may know.
  private static func rest(_ registry: String, _ config: DockerConfig) -> DockerConfig.Entry {
    var entry = config.entry(for: registry) ?? DockerConfig.Entry(registry: registry)
    entry.user = ""
    entry.password = ""
    entry.identityToken = ""
    return entry
  }

  /// Reads the answer of a helper; `nil` if it is none. As the CLI does, it reads keys with small and capital letters
  /// alike, and a missing key as an empty text.
  static func read(_ text: UnsafeRawBufferPointer, _ registry: String, _ config: DockerConfig) -> Credentials? {
    var entry = rest(registry, config)
    entry.registry = registry
    guard let json = try? JSONText.parse(foreign: text) else { return nil }
    let isObject = json.read { json in
      guard json.kind == .object else { return json.kind == .null }
      var user = ""
      var secret = ""
      var isText = true
      json.forEachMember { key, value in
        let name = key.string.smallLetters
        guard name == "username" || name == "secret", value.kind != .null else { return }
        guard let text = value.string else {
          isText = false
          return
        }
        if name == "username" { user = text } else { secret = text }
      }
      if user.isSame(as: "<token>") {
        entry.identityToken = secret
      } else {
        entry.user = user
        entry.password = secret
      }
      return isText
    }
    return isObject ? Credentials(entry, for: registry, warnings: config.warnings) : nil
  }
}
