package import FWBase
package import FWModel

/// The specification of a storage volume.
package struct VolumeSpec: Sendable {
  static let keys = ["name", "id", "type", "args", "files"]

  enum Kind: String, CaseIterable {
    case fs
    case gc
    case s3
    case sftp

    /// The arguments of a volume of this kind: the required ones and the optional ones.
    var arguments: (required: [String], optional: [String]) {
      switch self {
      case .fs: return (["basedir"], [])
      case .gc: return (["bucket"], ["prefix", "endpoint", "access_key", "secret_key", "timeout"])
      case .s3:
        return (
          ["bucket"],
          ["prefix", "endpoint", "region", "access_key", "secret_key", "session_token", "profile", "timeout"]
        )
      case .sftp:
        return (
          ["hostname", "basedir"],
          [
            "port", "username", "password", "private_key", "passphrase", "known_hosts", "look_for_keys", "timeout",
            "sep",
          ]
        )
      }
    }
  }

  let name: String
  let kind: Kind
  /// The arguments of the volume. They are never shown in a message, because one may be a password.
  let arguments: KeyValues
  /// The keys that the volume has from the beginning.
  package let files: [VolumeKey]

  /// The limit in seconds for a connection to a server.
  var timeout: Double { arguments["timeout"].flatMap { Double($0) } ?? 10 }

  /// The default volume of a run whose host names its directory.
  init(defaultAt basedir: String) {
    name = WorkerSpec.defaultVolume
    kind = .fs
    var arguments = KeyValues()
    arguments.set("basedir", basedir)
    self.arguments = arguments
    files = []
  }

  /// Reads `volumes`. An engine configuration and the options of a workflow's run have it in the same form.
  package static func list(reading json: JSONRef) throws(ValidationError) -> [VolumeSpec] {
    try json.require(.array, "an array of volume specifications")
    var specs: [VolumeSpec] = []
    var indices: [Name: Int] = [:]
    try json.forEachElement { (index, element) throws(ValidationError) in
      do throws(ValidationError) {
        let spec = try VolumeSpec(reading: element)
        if let other = indices.updateValue(index, forKey: Name(spec.name)) {
          throw ValidationError(
            "two volumes have the name \(MessageFormat.quoted(spec.name)): /volumes/\(other) and /volumes/\(index)")
        }
        specs.append(spec)
      } catch { throw error.inside(index) }
    }
    return specs
  }

  init(reading json: JSONRef) throws(ValidationError) {
    var name: String?
    var nameKey: String?
    var kind: Kind?
    var arguments: JSONRef?
    var files: [VolumeKey] = []
    try json.readMembers(of: "the specification of a volume (an object)") { (key, value) throws(ValidationError) in
      if key == "name" || key == "id" {
        if let other = nameKey {
          throw ValidationError(
            "a volume has both \"\(other)\" and \"\(key.string)\", which mean the same: "
              + "use one of them", isAboutKey: true)
        }
        nameKey = key.string
        name = try value.requireName()
      } else if key == "type" {
        kind = try value.requireChoice("a volume type")
      } else if key == "args" {
        arguments = value
      } else if key == "files" {
        files = try VolumeSpec.readFiles(value)
      } else {
        let isArgument = Kind.allCases.contains {
          ($0.arguments.required + $0.arguments.optional).contains(key.string)
        }
        throw .unknownKey(
          key, of: "a volume specification", known: VolumeSpec.keys,
          else: isArgument ? "it is a key of the volume's \"args\"" : nil)
      }
    }
    guard let name else { throw .missingKey("name", of: "the volume specification") }
    guard let kind else { throw .missingKey("type", of: "the volume specification") }
    self.name = name
    self.kind = kind
    self.files = files
    self.arguments = try VolumeSpec.readArguments(arguments, of: kind, name)
  }

  private static func readFiles(_ json: JSONRef) throws(ValidationError) -> [VolumeKey] {
    var files: [VolumeKey] = []
    for (index, key) in try json.requireStrings().enumerated() {
      do throws(ValidationError) { files.append(try VolumeKey(checking: key)) } catch { throw error.inside(index) }
    }
    return files
  }

  /// Reads the arguments. flowServ's builders write all of them, with null for a missing value.
  private static func readArguments(_ json: JSONRef?, of kind: Kind, _ name: String) throws(ValidationError)
    -> KeyValues
  {
    var arguments = KeyValues()
    let names = kind.arguments.required + kind.arguments.optional
    func add(_ key: String, _ value: JSONRef) throws(ValidationError) {
      guard names.contains(key) else {
        throw .unknownKey(key, of: "the arguments of a volume of type \"\(kind.rawValue)\"", known: names)
      }
      switch value.kind {
      case .null: return
      case .string: arguments.set(key, try value.requireString())
      case .integer: arguments.set(key, String(value.integer ?? 0))
      case .real: arguments.set(key, ValueText.real(value.number ?? 0))
      case .boolean: arguments.set(key, value.boolean == true ? "true" : "false")
      case .array, .object:
        throw ValidationError("expected a string, a number, true, false or null, found \(value.shown)")
      }
    }
    do throws(ValidationError) {
      switch json?.kind {
      case .object?:
        try json?.readMembers { (key, value) throws(ValidationError) in try add(key.requireString(), value) }
      case .array?:
        try json?.forEachElement { (index, pair) throws(ValidationError) in
          do throws(ValidationError) {
            // The members are read in turn and not looked up: `EngineConfig` says why.
            var key: JSONRef?
            var value: JSONRef?
            try pair.readMembers { (name, member) throws(ValidationError) in
              if name == "key" {
                key = member
              } else if name == "value" {
                value = member
              } else {
                throw .unknownKey(name, of: "a key-value pair", known: ["key", "value"])
              }
            }
            guard let key else { throw ValidationError.missingKey("key", of: "the key-value pair") }
            guard let value else { throw ValidationError.missingKey("value", of: "the key-value pair") }
            try add(key.requireString(), value)
          } catch { throw error.inside(index) }
        }
      case nil: break
      default:
        throw ValidationError(
          "expected an array of {\"key\", \"value\"} or an object, found \(json?.shown ?? "nothing")")
      }
      try check(arguments, of: kind)
      // The default volume may lack `basedir`, because the host's run directory takes its place.
      for argument in kind.arguments.required where arguments[argument]?.isEmpty ?? true {
        if name == WorkerSpec.defaultVolume, kind == .fs { continue }
        throw ValidationError(
          "the volume \(MessageFormat.quoted(name)) has no argument \"\(argument)\", which volumes of type "
            + "\"\(kind.rawValue)\" require"
        )
      }
    } catch {
      // A volume without "args" is wrong itself: a pointer to a value that the document does not have leads nowhere.
      throw json == nil ? error : error.inside("args")
    }
    return arguments
  }

  private static func isNoName(_ byte: UInt8) -> Bool {
    byte <= 0x20 || byte == 0x7F || byte == UInt8(ascii: "@") || byte == UInt8(ascii: "/")
  }

  private static func check(_ arguments: KeyValues, of kind: Kind) throws(ValidationError) {
    if let port = arguments["port"], Int(port).map({ (1...65535).contains($0) }) != true {
      throw ValidationError("invalid port \(MessageFormat.quoted(port)): use an integer from 1 to 65535")
    }
    if let timeout = arguments["timeout"], Double(timeout).map({ $0 > 0 && $0 <= 86_400 }) != true {
      throw ValidationError(
        "invalid timeout \(MessageFormat.quoted(timeout)): use a number of seconds above 0 and at most 86400")
    }
    if let endpoint = arguments["endpoint"], !endpoint.begins(with: "http://"), !endpoint.begins(with: "https://") {
      throw ValidationError(
        "invalid endpoint \(MessageFormat.quoted(endpoint)): use an address that begins with https:// or http://")
    }
    if let bucket = arguments["bucket"], bucket.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 <= 0x20 }) {
      throw ValidationError(
        "invalid bucket \(MessageFormat.quoted(bucket)): use its name without \"s3://\" and without a path; "
          + "\"prefix\" is the path")
    }
    // ssh would take such a text for an option, or for more than a name.
    if let host = arguments["hostname"], host.begins(with: "-") || host.utf8.contains(where: isNoName) {
      throw ValidationError(
        "invalid hostname \(MessageFormat.quoted(host)): a name or an address cannot begin with \"-\", or contain a "
          + "space, \"@\" or \"/\"")
    }
    if let user = arguments["username"], user.begins(with: "-") || user.utf8.contains(where: { $0 < 0x20 }) {
      throw ValidationError(
        "invalid username \(MessageFormat.quoted(user)): a name cannot begin with \"-\", or contain control characters")
    }
    if let separator = arguments["sep"], separator != "/" {
      throw ValidationError("invalid path separator \(MessageFormat.quoted(separator)): SFTP uses \"/\"")
    }
  }
}
