internal import CHTTP
internal import FWBase
internal import FWHTTP
internal import FWModel
internal import FWSystem
internal import Glibc

/// A directory on an SFTP server, which is accessed by libcurl. The server's key has to be in a file of known hosts.
/// Symbolic links beneath the directory are never followed, because their targets are not known.
final class SFTPVolume: LinkedVolume {
  let name: String
  /// libcurl would make a connection for each operation that is in flight.
  let width = 1
  private let server: SSHServer
  var link: HTTPLink
  private let timeout: Double

  /// The most levels of folders.
  private static let maxDepth = 100

  init(_ spec: VolumeSpec) throws(StepFailure) {
    name = spec.name
    server = SSHServer(spec.arguments)
    timeout = spec.timeout
    link = try HTTPLink(HTTPPeer(socket: nil, base: server.address, certificates: nil))
  }

  // MARK: Listing

  func find(_ key: VolumeKey, _ end: @escaping (Result<[VolumeFile], StepFailure>) -> Void) {
    lookUp(for: key) { [self] answer in
      switch answer {
      case .failure(let failure): end(.failure(failure))
      case .success(nil): end(.success([]))
      case .success(let entry?):
        switch entry.kind {
        case .file: end(.success(key.namesFolder ? [] : [VolumeFile(key: key, size: entry.size, mode: entry.mode)]))
        case .folder: gather([key.folder], [.folder(key)], end)
        case .link, .other: end(.failure(notAFile(key, entry)))
        }
      }
    }
  }

  private func notAFile(_ key: VolumeKey, _ entry: SSHListing.Entry) -> StepFailure {
    let what = entry.kind == .link ? "a symbolic link, which may lead out of the volume" : "neither a file nor a folder"
    return StepFailure(
      volume: "the key \(key.shown) of the volume \(MessageFormat.quoted(name)) is \(what): it cannot be copied")
  }

  /// Finds a key by listing its folders from the base down, so that each of them is known to be a folder. The result is
  /// `nil` if the key names nothing.
  private func lookUp(for key: VolumeKey, _ end: @escaping (Result<SSHListing.Entry?, StepFailure>) -> Void) {
    lookUp(for: key, key.components, at: 0, end)
  }

  private func lookUp(
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
        case .folder: lookUp(for: key, parts, at: depth + 1, end)
        case .file: end(.success(nil))
        case .link, .other: end(.failure(notAFile(key.prefix(depth + 1), entry)))
        }
      }
    }
  }

  private func gather(
    _ folders: [VolumeKey], _ files: [VolumeFile], _ end: @escaping (Result<[VolumeFile], StepFailure>) -> Void
  ) {
    var folders = folders
    guard let folder = folders.popLast() else { return end(.success(files)) }
    list(folder) { [self] answer in
      switch answer {
      case .failure(let failure): end(.failure(failure))
      case .success(let entries):
        var files = files
        if entries?.isEmpty ?? true, files.first?.key != folder { files.append(.folder(folder)) }
        for entry in entries ?? [] {
          let key = folder.appending(entry.name)
          switch entry.kind {
          case .file: files.append(VolumeFile(key: key, size: entry.size, mode: entry.mode))
          case .folder: folders.append(key.folder)
          case .link, .other: return end(.failure(notAFile(key, entry)))
          }
        }
        if (folders.last?.depth ?? 0) > SFTPVolume.maxDepth {
          return end(
            .failure(
              StepFailure(
                volume: "the volume \(MessageFormat.quoted(name)) is more than \(SFTPVolume.maxDepth) folders deep")
            ))
        }
        gather(folders, files, end)
      }
    }
  }

  /// Lists a folder, or the base; `nil` if the folder does not exist.
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
    // This lookup finds out whether a folder on the path is a link.
    lookUp(for: file.key) { [self] answer in
      switch answer {
      case .failure(let failure): end(failure)
      case .success(let entry):
        if let entry, entry.kind != .file { return end(notAFile(file.key, entry)) }
        send(file, fd, end)
      }
    }
  }

  func makeFolder(_ key: VolumeKey, _ end: @escaping (StepFailure?) -> Void) {
    // This lookup finds out whether the folder exists, and whether a folder on the path is a link.
    lookUp(for: key) { [self] answer in
      switch answer {
      case .failure(let failure): end(failure)
      case .success(let entry?): end(entry.kind == .folder ? nil : notAFile(key, entry))
      case .success(nil):
        // The command fails for folders that exist, and that is ignored (`*`).
        let commands = (1...key.components.count).map { "*mkdir ".utf8 + server.quoted(key.prefix($0).bytes) }
        start([], { (request) throws(StepFailure) in try request.commands(before: commands) }) { [self] answer in
          if answer.failure != nil { return end(failure("create the folder \(key.shown)", answer)) }
          lookUp(for: key) { [self] answer in
            switch answer {
            case .failure(let failure): end(failure)
            case .success(let entry):
              guard entry?.kind != .folder else { return end(nil) }
              end(
                StepFailure(
                  volume: "the volume \(MessageFormat.quoted(name)) (\(server.address)) did not create the folder "
                    + key.shown
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
    // Servers do not rename over an existing file. The old file is therefore removed just before the new one gets its
    // name.
    let after = ["*rm ".utf8 + to, "rename ".utf8 + from + " ".utf8 + to]
    start(
      part,
      { (request) throws(StepFailure) in
        request.send(fd, size: file.size)
        try request.commands(after: after, mode: file.mode & 0o777)
      }
    ) { [self] answer in
      if answer.failure != nil {
        let failure = failure("accept the key \(file.key.shown)", answer, sending: file.key)
        // The incomplete file is removed.
        return start([], { (request) throws(StepFailure) in try request.commands(before: ["*rm ".utf8 + from]) }) {
          _ in end(failure)
        }
      }
      lookUp(for: file.key) { [self] answer in
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
        "the key of the server is revoked (@revoked) by \(MessageFormat.path(server.knownHosts)), "
        + "line \(answer.revokedLine)"
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

/// The address of a server, and its user. Values that the specification does not have are found in the same way as ssh
/// finds them.
struct SSHServer {
  /// The URL without a path.
  let address: String
  private let host: String
  private let port: Int
  /// The path of the base directory in URLs: absolute, or in the user's home (`/~/data`).
  private let base: [UInt8]
  /// The path of the base directory relative to the user's home; `nil` if it is absolute.
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
    // An IPv6 address has brackets in a URL.
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
    var keyFile = arguments["private_key"]
    if keyFile == nil, arguments["look_for_keys"] == "true" {
      keyFile = ["id_ed25519", "id_ecdsa", "id_rsa"].map { "\(home)/.ssh/\($0)" }.first { access($0, R_OK) == 0 }
    }
    key = keyFile
    usesAgent = Environment.value("SSH_AUTH_SOCK") != nil
  }

  /// - Parameter path: a path relative to the base directory.
  func url(_ path: [UInt8]) -> String { address + S3Bucket.escaped(base + "/".utf8 + path, all: false) }

  /// A path in the form of libcurl's SFTP commands, in which a relative path is in the user's home.
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

/// A reader for a server's list of a directory: the long names of SFTP, which servers write in the format of `ls -l`.
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

  /// A line in an unknown format. It cannot be skipped, because the file that it describes would be missed.
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

  /// Reads a line such as `drwxr-xr-x    2 user     group        4096 Nov 25 17:16 name`. It has eight fields, a space,
  /// and the name.
  private static func entry(_ line: [UInt8]) -> Entry? {
    var fields: [ArraySlice<UInt8>] = []
    var index = 0
    while fields.count < 8 {
      while index < line.count, line[index] == UInt8(ascii: " ") { index += 1 }
      let start = index
      while index < line.count, line[index] != UInt8(ascii: " ") { index += 1 }
      if index == start { return nil }
      fields.append(line[start..<index])
    }
    var name = Array(line[min(index + 1, line.count)...])
    // libcurl appends the target of a link.
    if line.first == UInt8(ascii: "l"),
      let arrow = name.indices.first(where: { name[$0...].starts(with: " -> ".utf8) })
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
