internal import FWBase
internal import FWModel
internal import FWProcess
internal import FWSystem
internal import Glibc

/// An SSH server, and how ssh is told to connect to it.
///
/// ssh finds everything that the volume's arguments do not have as it always does: in its configuration files, in its
/// files of known hosts, and from the agent.
struct SSHServer {
  /// The address in messages.
  let address: String
  let timeout: Double
  private let host: String
  private let port: String?
  private let user: String?
  let password: String?
  let passphrase: String?
  private let key: String?
  private let looksForKeys: Bool
  private let knownHosts: String?

  init(_ arguments: KeyValues, timeout: Double) {
    let host = arguments["hostname"] ?? ""
    self.host = String((host.without(prefix: "[")?.without(suffix: "]")) ?? host[...])
    port = arguments["port"]
    // An IPv6 address has brackets in a URL.
    let shown = host.utf8.contains(UInt8(ascii: ":")) && !host.begins(with: "[") ? "[\(host)]" : host
    address = "sftp://\(shown)" + (port.map { ":\($0)" } ?? "")
    self.timeout = timeout
    user = arguments["username"]
    password = arguments["password"]
    passphrase = arguments["passphrase"]
    key = arguments["private_key"]
    looksForKeys = arguments["look_for_keys"] == "true"
    knownHosts = arguments["known_hosts"]
  }

  /// Whether ssh may have to ask for a password or a passphrase.
  var needsAskpass: Bool { password != nil || passphrase != nil }

  /// Options that ssh gets whatever its configuration files say. The session is for files only: it must not forward
  /// anything, run another command, share a connection whose server was not checked, or ask a person.
  private static let fixed = [
    "ForwardAgent=no", "ForwardX11=no", "ClearAllForwardings=yes", "Tunnel=no", "PermitLocalCommand=no",
    "RequestTTY=no", "RemoteCommand=none", "EscapeChar=none", "ControlMaster=no", "ControlPath=none",
    "StrictHostKeyChecking=yes", "NoHostAuthenticationForLocalhost=no", "UpdateHostKeys=no", "AddKeysToAgent=no",
    "NumberOfPasswordPrompts=1", "ConnectionAttempts=1", "ServerAliveInterval=15", "ServerAliveCountMax=4",
    "LogLevel=INFO",
  ]

  /// The program and its arguments.
  func arguments() throws(StepFailure) -> TextBlock {
    let program: String
    switch ProgramSearch.find("ssh") {
    case .program(let path): program = path
    case .nowhere(let path):
      throw StepFailure(
        "ssh is not installed (Debian: openssh-client): it was not found in PATH "
          + "(\(MessageFormat.foreign(path, limit: 1000)))")
    }
    var options = SSHServer.fixed
    options.append("ConnectTimeout=\(Int(timeout.rounded(.up)))")
    options += try hostOptions()
    options += try loginOptions()
    var arguments = TextBlock()
    arguments.add(program)
    arguments.add("ssh")
    for option in options {
      arguments.add("-o")
      arguments.add(option)
    }
    if let port {
      arguments.add("-p")
      arguments.add(port)
    }
    if let user {
      arguments.add("-l")
      arguments.add(user)
    }
    for text in ["-s", "--", host, "sftp"] { arguments.add(text) }
    return arguments
  }

  /// The environment of the program: that of the host, and how ssh asks for secrets.
  func environment(_ askpass: SSHAskpass?) -> TextBlock {
    var environment = KeyValues()
    environment.set("SSH_ASKPASS_REQUIRE", askpass == nil ? "never" : "force")
    if let askpass {
      environment.set("SSH_ASKPASS", askpass.path)
      // Before version 8.4, ssh asks only where there seems to be a display.
      environment.set("DISPLAY", Environment.value("DISPLAY") ?? ":0")
    }
    return TextBlock(environment: CommandEnvironment(environment, inherits: .all))
  }

  private func hostOptions() throws(StepFailure) -> [String] {
    guard let knownHosts else { return [] }
    // Only this file counts then. ssh says nothing about a file that does not exist.
    try check(knownHosts, is: "the file of known hosts", argument: "known_hosts")
    return [
      "UserKnownHostsFile=" + SSHServer.quoted(knownHosts), "GlobalKnownHostsFile=/dev/null", "VerifyHostKeyDNS=no",
    ]
  }

  private func loginOptions() throws(StepFailure) -> [String] {
    var options: [String] = []
    if let key {
      try check(key, is: "the private key", argument: "private_key")
      options += ["IdentityFile=" + SSHServer.quoted(key), "IdentitiesOnly=yes"]
    } else if !looksForKeys {
      // The keys of an agent, and those that a configuration file names for the host, are tried in any case.
      options.append("IdentityFile=none")
    }
    if password == nil {
      options += ["PasswordAuthentication=no", "KbdInteractiveAuthentication=no"]
      if passphrase == nil { options.append("BatchMode=yes") }
    }
    return options
  }

  /// Refuses a file that cannot be read, which ssh passes over.
  private func check(_ path: String, is what: String, argument: String) throws(StepFailure) {
    let shown = "\(what) \(MessageFormat.path(path)) (argument \"\(argument)\")"
    let path = SSHServer.absolute(path)
    var facts = stat()
    guard stat(path, &facts) == 0, access(path, R_OK) == 0 else {
      throw errno == ENOENT ? StepFailure("\(shown) does not exist") : StepFailure("\(shown) cannot be read", errno)
    }
    if facts.st_mode & S_IFMT == S_IFDIR { throw StepFailure("\(shown) is a directory") }
  }

  /// A path as the value of an option: ssh runs in the root directory, takes words apart, and replaces `%` and what
  /// follows.
  private static func quoted(_ path: String) -> String {
    var text = Array("\"".utf8)
    for byte in absolute(path).utf8 {
      if byte == UInt8(ascii: "%") { text.append(byte) }
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { text.append(UInt8(ascii: "\\")) }
      text.append(byte)
    }
    return String(decoding: text + "\"".utf8, as: UTF8.self)
  }

  private static func absolute(_ path: String) -> String {
    if path.begins(with: "/") { return path }
    if let rest = path.without(prefix: "~/"), let home = Environment.value("HOME") { return "\(home)/\(rest)" }
    guard let directory = getcwd(nil, 0) else { return path }
    defer { free(directory) }
    return String(cString: directory) + "/" + path
  }

  // MARK: Why a connection failed

  /// What is added to ssh's own reason, if the server does not let the user in.
  var loginHint: String {
    if let key, SSHServer.isEncrypted(key) {
      return "the private key \(MessageFormat.path(key)) is encrypted: "
        + (passphrase == nil
          ? "set the argument \"passphrase\", or add the key to an agent" : "its passphrase may be wrong")
    }
    var ways: [String] = []
    if let key { ways.append("the private key \(MessageFormat.path(key))") }
    if password != nil { ways.append("the password") }
    if key == nil, Environment.value("SSH_AUTH_SOCK") != nil { ways.append("the keys of the agent") }
    if key == nil, looksForKeys { ways.append("the keys of the user") }
    if ways.isEmpty {
      return
        "there is no key and no password: set \"private_key\", \"look_for_keys\" or \"password\", or start an agent"
    }
    return "tried with \(ways.joined(separator: ", "))"
  }

  /// Where the keys of servers are looked up.
  var hostKeyFiles: String {
    knownHosts.map { MessageFormat.path($0) } ?? "ssh's files of known hosts (ssh_config(5), UserKnownHostsFile)"
  }

  /// Whether a private key can be used only with its passphrase.
  private static func isEncrypted(_ path: String) -> Bool {
    guard let content = Files.read(absolute(path)) else { return false }
    let text = String(decoding: content.bytes, as: UTF8.self)
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") { return true }
    // OpenSSH's own format begins with its name and that of the cipher, which is "none" in a key without a passphrase.
    return text.contains("BEGIN OPENSSH PRIVATE KEY") && !text.contains("b3BlbnNzaC1rZXktdjEAAAAABG5vbmU")
  }
}
