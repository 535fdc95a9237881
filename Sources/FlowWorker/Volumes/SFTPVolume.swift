internal import CFlowShims
internal import Glibc

/// A directory on a server that is reached by SFTP, which libcurl speaks. The server's key has to be in a file of known
/// hosts. Symbolic links are followed nowhere beneath the directory: where they lead is not known here.
final class SFTPVolume: RemoteVolume {
  let name: String
  private let server: SSHServer
  private let link: HTTPLink
  private let timeout: Double

  /// How many folders may be inside each other.
  private static let deepest = 100

  init(_ spec: VolumeSpec) throws(SpawnFailure) {
    name = spec.name
    server = SSHServer(spec.arguments)
    timeout = spec.arguments["timeout"].flatMap { Double($0) } ?? 10
    link = try HTTPLink(HTTPPeer(socket: nil, base: server.address, certificates: nil))
  }

  var fd: Int32 { link.fd }
  func advance() { link.advance() }
  func drop() { link.dropAll() }

  // MARK: What there is

  func find(_ key: String, _ end: @escaping (Result<[VolumeFile], SpawnFailure>) -> Void) {
    let isFolder = VolumeKey.isFolder(key)
    look(for: key) { [self] answer in
      switch answer {
      case .failure(let failure): end(.failure(failure))
      case .success(nil): end(.success([]))
      case .success(let entry?):
        switch entry.kind {
        case .file: end(.success(isFolder ? [] : [VolumeFile(key: key, size: entry.size, mode: entry.mode)]))
        case .folder where isFolder: gather([VolumeKey.path(key)], [], end)
        case .folder: end(.success([]))
        case .other: end(.failure(other(key)))
        }
      }
    }
  }

  private func other(_ key: String) -> SpawnFailure {
    SpawnFailure(
      volume: "the key \(Wording.quoted(key)) of the volume \(Wording.quoted(name)) is a symbolic link or no file: "
        + "it may lead out of the volume")
  }

  /// Finds a key from folder to folder, so that each on the way is seen to be one; `nil`: there is nothing of that name.
  private func look(for key: String, _ end: @escaping (Result<SSHListing.Entry?, SpawnFailure>) -> Void) {
    let parts = VolumeKey.path(key).split(separator: "/").map(String.init)
    look(for: parts, at: 0, end)
  }

  private func look(
    for parts: [String], at depth: Int, _ end: @escaping (Result<SSHListing.Entry?, SpawnFailure>) -> Void
  ) {
    list(parts[..<depth].joined(separator: "/")) { [self] answer in
      switch answer {
      case .failure(let failure): end(.failure(failure))
      case .success(let entries):
        guard let entry = entries?.first(where: { $0.name == parts[depth] }) else { return end(.success(nil)) }
        if depth + 1 == parts.count { return end(.success(entry)) }
        switch entry.kind {
        case .folder: look(for: parts, at: depth + 1, end)
        case .file: end(.success(nil))
        case .other: end(.failure(other(parts[...depth].joined(separator: "/"))))
        }
      }
    }
  }

  private func gather(
    _ folders: [String], _ found: [VolumeFile], _ end: @escaping (Result<[VolumeFile], SpawnFailure>) -> Void
  ) {
    var folders = folders
    guard let folder = folders.popLast() else { return end(.success(found)) }
    list(folder) { [self] answer in
      switch answer {
      case .failure(let failure): end(.failure(failure))
      case .success(let entries):
        var found = found
        for entry in entries ?? [] {
          let key = folder + "/" + entry.name
          switch entry.kind {
          case .file: found.append(VolumeFile(key: key, size: entry.size, mode: entry.mode))
          case .folder: folders.append(key)
          case .other: return end(.failure(other(key)))
          }
        }
        if (folders.last?.utf8.reduce(0) { $0 + ($1 == UInt8(ascii: "/") ? 1 : 0) } ?? 0) > SFTPVolume.deepest {
          return end(
            .failure(SpawnFailure(volume: "the volume \(Wording.quoted(name)) is more than \(SFTPVolume.deepest) folders deep")))
        }
        gather(folders, found, end)
      }
    }
  }

  /// Tells what is in a folder; `nil`: there is none.
  private func list(_ folder: String, _ end: @escaping (Result<[SSHListing.Entry]?, SpawnFailure>) -> Void) {
    start(folder.isEmpty ? "/" : "/\(folder)/", { (_) throws(SpawnFailure) in }) { [self] answer in
      if fws_http_is_no_file(answer.code) { return end(.success(nil)) }
      if answer.failure != nil { return end(.failure(failure("list the folder \(Wording.quoted(folder))", answer))) }
      let text = String(decoding: answer.body.bytes, as: UTF8.self)
      // A file that is being written aside is none yet.
      end(.success(SSHListing.entries(text).filter { !($0.name.hasPrefix(".flowworker-") && $0.name.hasSuffix(".part")) }))
    }
  }

  // MARK: Files

  func fetch(_ file: VolumeFile, into fd: Int32, _ end: @escaping (Result<VolumeFile, SpawnFailure>) -> Void) {
    start("/" + file.key, { (request) throws(SpawnFailure) in request.receive(into: fd) }) { [self] answer in
      if answer.failure != nil { return end(.failure(failure("give the key \(Wording.quoted(file.key))", answer))) }
      guard answer.moved == file.size else {
        return end(
          .failure(
            SpawnFailure(
              volume: "the key \(Wording.quoted(file.key)) of the volume \(Wording.quoted(name)) has changed while it was "
                + "copied: \(answer.moved) bytes came, where there had been \(file.size)")))
      }
      end(.success(file))
    }
  }

  func store(_ file: VolumeFile, from fd: Int32, _ end: @escaping (SpawnFailure?) -> Void) {
    // Whether a folder on the way is a link.
    look(for: file.key) { [self] answer in
      switch answer {
      case .failure(let failure): end(failure)
      case .success(let entry):
        if let entry, entry.kind != .file { return end(other(file.key)) }
        send(file, fd, end)
      }
    }
  }

  private func send(_ file: VolumeFile, _ fd: Int32, _ end: @escaping (SpawnFailure?) -> Void) {
    let part = (VolumeKey.parent(of: file.key) ?? "") + ".flowworker-\(SpecBuilder.uniqueIdentifier()).part"
    let (from, to) = (server.quoted(part), server.quoted(file.key))
    // Servers do not rename over a file. It is gone for a moment, and then there is the new one.
    let behind = ["*rm \(to)", "rename \(from) \(to)"]
    start(
      "/" + part,
      { (request) throws(SpawnFailure) in
        request.send(fd, size: file.size)
        try request.commands(behind: behind, mode: file.mode & 0o777)
      }
    ) { [self] answer in
      if answer.failure != nil {
        let failure = failure("take the key \(Wording.quoted(file.key))", answer)
        // What came of it goes.
        return start("/", { (request) throws(SpawnFailure) in try request.commands(before: ["*rm \(from)"]) }) { _ in end(failure) }
      }
      look(for: file.key) { [self] answer in
        switch answer {
        case .failure(let failure): end(failure)
        case .success(let entry):
          if entry?.size == file.size { return end(nil) }
          end(
            SpawnFailure(
              volume: "the key \(Wording.quoted(file.key)) has \(entry?.size ?? 0) bytes in the volume "
                + "\(Wording.quoted(name)), and the original \(file.size)"))
        }
      }
    }
  }

  // MARK: Requests

  private func start(
    _ path: String, _ kind: (TransferRequest) throws(SpawnFailure) -> Void, _ end: @escaping (borrowing HTTPAnswer) -> Void
  ) {
    do throws(SpawnFailure) {
      let request = try TransferRequest(server.url(path), timeout: timeout)
      try server.login(request)
      try kind(request)
      link.transfer(request.what, end: end)
      withExtendedLifetime(request) {}
    } catch { link.fail(error.reason, end) }
  }

  private func failure(_ what: String, _ answer: borrowing HTTPAnswer) -> SpawnFailure {
    if answer.fileError != 0 {
      return SpawnFailure(volume: "what the volume \(Wording.quoted(name)) gives cannot be written", answer.fileError)
    }
    var reason = Wording.foreign(answer.failure ?? "")
    if fws_http_is_host_key(answer.code) {
      reason =
        "the key of the server is not the one in \(Wording.path(server.knownHosts)), or has no entry there "
        + "(\"ssh-keyscan\" gives one, to be compared with what the server's owner says)"
    } else if fws_http_is_login(answer.code) {
      reason = "the server does not let the user \(Wording.quoted(server.user)) in (\(server.shownLogin))"
    }
    return SpawnFailure(volume: "the volume \(Wording.quoted(name)) (\(server.address)) did not \(what): \(reason)")
  }
}

/// Where a server is, and who its user is. What the specification does not say is found as ssh finds it.
struct SSHServer {
  /// Without a path.
  let address: String
  /// Absolute, or in the user's home: `/~/data`.
  private let base: String
  let user: String
  private let password: String?
  private let key: String?
  private let passphrase: String?
  private let usesAgent: Bool
  let knownHosts: String

  init(_ arguments: KeyValues) {
    let host = arguments["hostname"] ?? ""
    // An address of IPv6 has brackets in a URL.
    let shown = host.utf8.contains(UInt8(ascii: ":")) && !host.hasPrefix("[") ? "[\(host)]" : host
    address = "sftp://\(shown):\(arguments["port"] ?? "22")"
    let directory = arguments["basedir"] ?? ""
    let trimmed = directory.utf8.last == UInt8(ascii: "/") ? String(directory.dropLast()) : directory
    base = directory.hasPrefix("/") ? trimmed : "/~/" + trimmed
    user =
      arguments["username"] ?? EngineSearch.environment("USER") ?? EngineSearch.environment("LOGNAME") ?? "root"
    password = arguments["password"]
    passphrase = arguments["passphrase"]
    let home = EngineSearch.environment("HOME") ?? ""
    knownHosts = arguments["known_hosts"] ?? "\(home)/.ssh/known_hosts"
    var found = arguments["private_key"]
    if found == nil, arguments["look_for_keys"] == "true" {
      found = ["id_ed25519", "id_ecdsa", "id_rsa"].map { "\(home)/.ssh/\($0)" }.first { access($0, R_OK) == 0 }
    }
    key = found
    usesAgent = EngineSearch.environment("SSH_AUTH_SOCK") != nil
  }

  /// - Parameter path: beneath the base, with its `/`.
  func url(_ path: String) -> String { address + S3Bucket.escaped(base + path, all: false) }

  /// A path as a command of libcurl has it: what is relative there is in the user's home.
  func quoted(_ key: String) -> String {
    let directory = base.hasPrefix("/~/") ? String(base.dropFirst(3)) : base
    var text = "\""
    for scalar in ((directory.isEmpty && base.hasPrefix("/~/") ? "" : directory + "/") + key).unicodeScalars {
      if scalar == "\"" || scalar == "\\" { text += "\\" }
      text.unicodeScalars.append(scalar)
    }
    return text + "\""
  }

  func login(_ request: TransferRequest) throws(SpawnFailure) {
    try request.login(
      user: user, password: password, key: key, passphrase: passphrase, usesAgent: usesAgent, knownHosts: knownHosts)
  }

  var shownLogin: String {
    var ways: [String] = []
    if let key { ways.append("with the key \(Wording.path(key))") }
    if usesAgent { ways.append("with the keys of the agent") }
    if password != nil { ways.append("with the password") }
    return ways.isEmpty
      ? "there is no key and no password: set \"private_key\", \"look_for_keys\" or \"password\", or start an agent"
      : "tried " + ways.joined(separator: ", ")
  }
}

/// What a server says of a directory: the long names of SFTP, which all servers write as `ls -l` does.
enum SSHListing {
  enum Kind {
    case file
    case folder
    case other
  }

  struct Entry {
    let name: String
    let kind: Kind
    let size: Int64
    let mode: UInt32
  }

  static func entries(_ text: String) -> [Entry] {
    text.utf8.split(separator: UInt8(ascii: "\n")).compactMap { entry(Array($0)) }
  }

  /// `drwxr-xr-x    2 user     group        4096 Nov 25 17:16 name`: eight fields, a space, and the name.
  private static func entry(_ line: [UInt8]) -> Entry? {
    var fields: [ArraySlice<UInt8>] = []
    var at = 0
    while fields.count < 8 {
      while at < line.count, line[at] == UInt8(ascii: " ") { at += 1 }
      let start = at
      while at < line.count, line[at] != UInt8(ascii: " ") { at += 1 }
      if at == start { return nil }
      fields.append(line[start..<at])
    }
    var name = String(decoding: line[min(at + 1, line.count)...], as: UTF8.self)
    // libcurl adds where a link leads.
    if line.first == UInt8(ascii: "l"), let arrow = range(of: " -> ", in: name) { name = String(name[..<arrow]) }
    guard !name.isEmpty, name != ".", name != "..", let bits = fields.first, bits.count >= 10,
      let size = Int64(String(decoding: fields[4], as: UTF8.self))
    else { return nil }
    let kind: Kind
    switch bits.first {
    case UInt8(ascii: "-"): kind = .file
    case UInt8(ascii: "d"): kind = .folder
    default: kind = .other
    }
    var mode: UInt32 = 0
    for bit in bits.dropFirst().prefix(9) { mode = mode << 1 | (bit == UInt8(ascii: "-") || bit == UInt8(ascii: "S") || bit == UInt8(ascii: "T") ? 0 : 1) }
    return Entry(name: name, kind: kind, size: size, mode: mode)
  }

  private static func range(of text: String, in name: String) -> String.Index? {
    let wanted = Array(text.utf8)
    return name.utf8.indices.first { name.utf8[$0...].starts(with: wanted) }
  }
}
