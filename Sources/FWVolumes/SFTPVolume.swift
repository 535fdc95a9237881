internal import CHTTP
internal import FWBase
internal import FWHTTP
internal import FWModel
internal import FWSystem
internal import Glibc

/// A directory on a server that is reached by SFTP, which libcurl speaks. The server's key has to be in a file of known
/// hosts. Symbolic links are followed nowhere beneath the directory: where they lead is not known here.
final class SFTPVolume: LinkedVolume {
  let name: String
  private let server: SSHServer
  var link: HTTPLink
  private let timeout: Double

  /// How many folders may be inside each other.
  private static let deepest = 100

  init(_ spec: VolumeSpec) throws(StepFailure) {
    name = spec.name
    server = SSHServer(spec.arguments)
    timeout = spec.timeout
    link = try HTTPLink(HTTPPeer(socket: nil, base: server.address, certificates: nil))
  }

  // MARK: What there is

  func find(_ key: VolumeKey, _ end: @escaping (Result<[VolumeFile], StepFailure>) -> Void) {
    look(for: key) { [self] answer in
      switch answer {
      case .failure(let failure): end(.failure(failure))
      case .success(nil): end(.success([]))
      case .success(let entry?):
        switch entry.kind {
        case .file: end(.success(key.namesFolder ? [] : [VolumeFile(key: key, size: entry.size, mode: entry.mode)]))
        case .folder: gather([key.folder], [.folder(key)], end)
        case .link, .other: end(.failure(other(key, entry)))
        }
      }
    }
  }

  private func other(_ key: VolumeKey, _ entry: SSHListing.Entry) -> StepFailure {
    let what = entry.kind == .link ? "a symbolic link, which may lead out of the volume" : "neither a file nor a folder"
    return StepFailure(
      volume: "the key \(key.shown) of the volume \(MessageFormat.quoted(name)) is \(what): it cannot be copied")
  }

  /// Finds a key from folder to folder, so that each on the way is seen to be one; `nil`: there is nothing of that name.
  private func look(for key: VolumeKey, _ end: @escaping (Result<SSHListing.Entry?, StepFailure>) -> Void) {
    look(for: key, key.components, at: 0, end)
  }

  private func look(
    for key: VolumeKey, _ parts: [ArraySlice<UInt8>], at depth: Int,
    _ end: @escaping (Result<SSHListing.Entry?, StepFailure>) -> Void
  ) {
    list(depth == 0 ? nil : key.prefix(depth)) { [self] answer in
      switch answer {
      case .failure(let failure): end(.failure(failure))
      case .success(let entries):
        guard let entry = entries?.first(where: { $0.name.elementsEqual(parts[depth]) }) else {
          return end(.success(nil))
        }
        if depth + 1 == parts.count { return end(.success(entry)) }
        switch entry.kind {
        case .folder: look(for: key, parts, at: depth + 1, end)
        case .file: end(.success(nil))
        case .link, .other: end(.failure(other(key.prefix(depth + 1), entry)))
        }
      }
    }
  }

  private func gather(
    _ folders: [VolumeKey], _ found: [VolumeFile], _ end: @escaping (Result<[VolumeFile], StepFailure>) -> Void
  ) {
    var folders = folders
    guard let folder = folders.popLast() else { return end(.success(found)) }
    list(folder) { [self] answer in
      switch answer {
      case .failure(let failure): end(.failure(failure))
      case .success(let entries):
        var found = found
        if entries?.isEmpty ?? true, found.first?.key != folder { found.append(.folder(folder)) }
        for entry in entries ?? [] {
          let key = folder.appending(entry.name)
          switch entry.kind {
          case .file: found.append(VolumeFile(key: key, size: entry.size, mode: entry.mode))
          case .folder: folders.append(key.folder)
          case .link, .other: return end(.failure(other(key, entry)))
          }
        }
        if (folders.last?.depth ?? 0) > SFTPVolume.deepest {
          return end(
            .failure(
              StepFailure(
                volume: "the volume \(MessageFormat.quoted(name)) is more than \(SFTPVolume.deepest) folders deep")
            ))
        }
        gather(folders, found, end)
      }
    }
  }

  /// Tells what is in a folder, or in the base; `nil`: there is none.
  private func list(_ folder: VolumeKey?, _ end: @escaping (Result<[SSHListing.Entry]?, StepFailure>) -> Void) {
    start(folder?.folder.bytes ?? [], { (_) throws(StepFailure) in }) { [self] answer in
      if fws_http_is_no_file(answer.code) { return end(.success(nil)) }
      let shown = folder?.shown ?? "of its base"
      if answer.failure != nil { return end(.failure(failure("list the folder \(shown)", answer))) }
      switch SSHListing.entries(Array(answer.body.bytes)) {
      case .success(let entries): end(.success(entries.filter { !PartFile.isHidden($0.name) }))
      case .failure(let line):
        end(
          .failure(
            StepFailure(
              volume:
                "the volume \(MessageFormat.quoted(name)) (\(server.address)) returned a list of the folder \(shown) "
                + "that cannot be "
                + "used: the line \(MessageFormat.quoted(bytes: line.bytes)) is not in the format of \"ls -l\"")))
      }
    }
  }

  // MARK: Files

  func fetch(_ file: VolumeFile, into fd: Int32, _ end: @escaping (Result<VolumeFile, StepFailure>) -> Void) {
    start(file.key.bytes, { (request) throws(StepFailure) in request.receive(into: fd) }) { [self] answer in
      if answer.failure != nil { return end(.failure(failure("send the key \(file.key.shown)", answer))) }
      guard answer.moved == file.size else {
        return end(
          .failure(
            StepFailure(
              volume: "the key \(file.key.shown) of the volume \(MessageFormat.quoted(name)) changed while it was "
                + "copied: \(answer.moved) bytes arrived instead of \(file.size)")))
      }
      end(.success(file))
    }
  }

  func store(_ file: VolumeFile, from fd: Int32, _ end: @escaping (StepFailure?) -> Void) {
    // Whether a folder on the way is a link.
    look(for: file.key) { [self] answer in
      switch answer {
      case .failure(let failure): end(failure)
      case .success(let entry):
        if let entry, entry.kind != .file { return end(other(file.key, entry)) }
        send(file, fd, end)
      }
    }
  }

  func makeFolder(_ key: VolumeKey, _ end: @escaping (StepFailure?) -> Void) {
    // Whether it is there, or a folder on the way is a link.
    look(for: key) { [self] answer in
      switch answer {
      case .failure(let failure): end(failure)
      case .success(let entry?): end(entry.kind == .folder ? nil : other(key, entry))
      case .success(nil):
        // Those that are there cannot be made, and need not be.
        let commands = (1...key.components.count).map { "*mkdir ".utf8 + server.quoted(key.prefix($0).bytes) }
        start([], { (request) throws(StepFailure) in try request.commands(before: commands) }) { [self] answer in
          if answer.failure != nil { return end(failure("create the folder \(key.shown)", answer)) }
          look(for: key) { [self] answer in
            switch answer {
            case .failure(let failure): end(failure)
            case .success(let entry):
              guard entry?.kind != .folder else { return end(nil) }
              end(
                StepFailure(
                  volume:
                    "the volume \(MessageFormat.quoted(name)) (\(server.address)) did not create the folder \(key.shown)"
                ))
            }
          }
        }
      }
    }
  }

  private func send(_ file: VolumeFile, _ fd: Int32, _ end: @escaping (StepFailure?) -> Void) {
    let part = (file.key.parent?.bytes ?? []) + ".flowworker-\(uniqueIdentifier()).part".utf8
    let (from, to) = (server.quoted(part), server.quoted(file.key.bytes))
    // Servers do not rename over a file. It is gone for a moment, and then there is the new one.
    let behind = ["*rm ".utf8 + to, "rename ".utf8 + from + " ".utf8 + to]
    start(
      part,
      { (request) throws(StepFailure) in
        request.send(fd, size: file.size)
        try request.commands(behind: behind, mode: file.mode & 0o777)
      }
    ) { [self] answer in
      if answer.failure != nil {
        let failure = failure("accept the key \(file.key.shown)", answer, sending: file.key)
        // What came of it goes.
        return start([], { (request) throws(StepFailure) in try request.commands(before: ["*rm ".utf8 + from]) }) {
          _ in end(failure)
        }
      }
      look(for: file.key) { [self] answer in
        switch answer {
        case .failure(let failure): end(failure)
        case .success(let entry):
          if entry?.size == file.size { return end(nil) }
          end(
            StepFailure(
              volume: "the key \(file.key.shown) has \(entry?.size ?? 0) bytes in the volume "
                + "\(MessageFormat.quoted(name)) instead of \(file.size)"))
        }
      }
    }
  }

  // MARK: Requests

  private func start(
    _ path: [UInt8], _ kind: (TransferRequest) throws(StepFailure) -> Void,
    _ end: @escaping (borrowing HTTPAnswer) -> Void
  ) {
    transfer(
      { () throws(StepFailure) in
        let request = try TransferRequest(server.url(path), timeout: timeout)
        try server.login(request)
        try kind(request)
        return request
      }, end)
  }

  private func failure(_ what: String, _ answer: borrowing HTTPAnswer, sending key: VolumeKey? = nil) -> StepFailure {
    if let failure = fileFailure(answer, sending: key) { return failure }
    var reason = MessageFormat.foreign(answer.failure ?? "")
    if answer.revokedLine > 0 {
      reason =
        "the key of the server is revoked (@revoked) by \(MessageFormat.path(server.knownHosts)), line \(answer.revokedLine)"
    } else if answer.revokedLine < 0 {
      reason = "\(MessageFormat.path(server.knownHosts)) cannot be read to its end, so the server's key may be revoked"
    } else if fws_http_is_host_key(answer.code) {
      reason =
        "the key of the server is not the one in \(MessageFormat.path(server.knownHosts)), or has no entry there "
        + "(\"ssh-keyscan\" gives one; compare it with what the server's owner publishes)"
    } else if fws_http_is_login(answer.code) {
      reason = "the server refused the user \(MessageFormat.quoted(server.user)) (\(server.shownLogin))"
    }
    return StepFailure(
      volume: "the volume \(MessageFormat.quoted(name)) (\(server.address)) did not \(what): \(reason)")
  }
}

/// Where a server is, and who its user is. What the specification does not say is found as ssh finds it.
struct SSHServer {
  /// Without a path.
  let address: String
  private let host: String
  private let port: Int
  /// Absolute, or in the user's home: `/~/data`.
  private let base: [UInt8]
  /// `nil`: the base is absolute.
  private let directoryInHome: [UInt8]?
  let user: String
  private let password: String?
  private let key: String?
  private let passphrase: String?
  private let usesAgent: Bool
  let knownHosts: String

  init(_ arguments: KeyValues) {
    let host = arguments["hostname"] ?? ""
    self.host = String((host.without(prefix: "[")?.without(suffix: "]")) ?? host[...])
    port = arguments["port"].flatMap { Int($0) } ?? 22
    // An address of IPv6 has brackets in a URL.
    let shown = host.utf8.contains(UInt8(ascii: ":")) && !host.begins(with: "[") ? "[\(host)]" : host
    address = "sftp://\(shown):\(arguments["port"] ?? "22")"
    let directory = arguments["basedir"] ?? ""
    let trimmed = Array((directory.without(suffix: "/") ?? directory[...]).utf8)
    directoryInHome = directory.begins(with: "/") ? nil : trimmed
    base = directory.begins(with: "/") ? trimmed : "/~/".utf8 + trimmed
    user =
      arguments["username"] ?? Environment.value("USER") ?? Environment.value("LOGNAME") ?? "root"
    password = arguments["password"]
    passphrase = arguments["passphrase"]
    let home = Environment.value("HOME") ?? ""
    knownHosts = arguments["known_hosts"] ?? "\(home)/.ssh/known_hosts"
    var found = arguments["private_key"]
    if found == nil, arguments["look_for_keys"] == "true" {
      found = ["id_ed25519", "id_ecdsa", "id_rsa"].map { "\(home)/.ssh/\($0)" }.first { access($0, R_OK) == 0 }
    }
    key = found
    usesAgent = Environment.value("SSH_AUTH_SOCK") != nil
  }

  /// - Parameter path: beneath the base.
  func url(_ path: [UInt8]) -> String { address + S3Bucket.escaped(base + "/".utf8 + path, all: false) }

  /// A path as a command of libcurl has it: what is relative there is in the user's home.
  func quoted(_ path: [UInt8]) -> [UInt8] {
    let directory = directoryInHome ?? base
    var text = Array("\"".utf8)
    for byte in (directory.isEmpty && directoryInHome != nil ? [] : directory + "/".utf8) + path {
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { text.append(UInt8(ascii: "\\")) }
      text.append(byte)
    }
    return text + "\"".utf8
  }

  func login(_ request: TransferRequest) throws(StepFailure) {
    try request.login(
      user: user, password: password, key: key, passphrase: passphrase, usesAgent: usesAgent, knownHosts: knownHosts,
      host: host, port: port)
  }

  var shownLogin: String {
    var ways: [String] = []
    if let key { ways.append("with the key \(MessageFormat.path(key))") }
    if usesAgent { ways.append("with the keys of the agent") }
    if password != nil { ways.append("with the password") }
    return ways.isEmpty
      ? "there is no key and no password: set \"private_key\", \"look_for_keys\" or \"password\", or start an agent"
      : "tried " + ways.joined(separator: ", ")
  }
}

/// What a server says of a directory: the long names of SFTP, which servers write as `ls -l` does.
enum SSHListing {
  enum Kind {
    case file
    case folder
    case link
    case other
  }

  struct Entry {
    let name: [UInt8]
    let kind: Kind
    let size: Int64
    let mode: UInt32
  }

  /// A line that is not understood: what it stands for may not be passed over.
  struct Line: Error {
    let bytes: [UInt8]
  }

  static func entries(_ text: [UInt8]) -> Result<[Entry], Line> {
    var entries: [Entry] = []
    for line in text.split(separator: UInt8(ascii: "\n")) {
      guard let entry = entry(Array(line)) else { return .failure(Line(bytes: Array(line))) }
      if !entry.name.elementsEqual(".".utf8), !entry.name.elementsEqual("..".utf8) { entries.append(entry) }
    }
    return .success(entries)
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
    var name = Array(line[min(at + 1, line.count)...])
    // libcurl adds where a link leads.
    if line.first == UInt8(ascii: "l"), let arrow = name.indices.first(where: { name[$0...].starts(with: " -> ".utf8) })
    {
      name = Array(name[..<arrow])
    }
    guard !name.isEmpty, !name.contains(UInt8(ascii: "/")), let bits = fields.first, bits.count >= 10,
      let size = Int64(String(decoding: fields[4], as: UTF8.self)), size >= 0
    else { return nil }
    let kind: Kind
    switch bits.first {
    case UInt8(ascii: "-"): kind = .file
    case UInt8(ascii: "d"): kind = .folder
    case UInt8(ascii: "l"): kind = .link
    default: kind = .other
    }
    var mode: UInt32 = 0
    for bit in bits.dropFirst().prefix(9) {
      mode = mode << 1 | (bit == UInt8(ascii: "-") || bit == UInt8(ascii: "S") || bit == UInt8(ascii: "T") ? 0 : 1)
    }
    return Entry(name: name, kind: kind, size: size, mode: mode)
  }
}
