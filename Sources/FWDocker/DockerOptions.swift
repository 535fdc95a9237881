package import FWBase
internal import FWExecution
internal import FWModel

/// The options of a docker worker. An option that is not set has its default.
package struct DockerOptions: WorkerOptions {
  package static let keys =
    [
      "host", "cert_path", "shared_files", "pull", "container", "shell", "init", "user", "memory", "cpus", "network",
      "mounts", "grace", "engine_timeout",
    ] + CommandSettings.workerKeys + RunSettings.keys

  enum Pull: String, CaseIterable {
    case missing
    case always
    case never
  }

  /// Whether each command gets a container of its own, or the whole step one container.
  enum Scope: String, CaseIterable {
    case command
    case step
  }

  /// A directory or file of the engine's machine that is mounted in the containers.
  struct Mount {
    static let keys = ["source", "target", "read_only"]

    var source: String
    var target: String
    var isReadOnly = false
  }

  var host: String?
  var certPath: String?
  var sharedFiles: Bool?
  var pull = Pull.missing
  var container = Scope.command
  var shell: String?
  var hasInit = true
  /// The user in the container; `nil` for the user of the image.
  var user: String?
  var isHostUser = false
  /// The memory limit in bytes.
  var memory: Int64?
  /// The limit of processors.
  var cpus: Double?
  var network: String?
  var mounts: [Mount] = []
  /// The number of seconds between TERM and KILL.
  var grace = 2.0
  /// The number of seconds that the engine may take to answer.
  var engineTimeout = defaultTimeout
  var settings = RunSettings()

  static let defaultTimeout = 30.0
  /// The smallest memory limit that engines accept, in bytes.
  private static let leastMemory: Int64 = 6 << 20

  package init() {}

  package mutating func read(_ key: JSONKey, _ value: JSONRef) throws(ValidationError) -> Bool {
    if key == "container" {
      container = try value.requireChoice("a value of \"container\"")
    } else if key == "shell" {
      shell = try value.requireAbsolutePath(of: "a shell in the image, such as \"/bin/sh\"")
    } else if try !readShared(key, value) {
      return try settings.commands.read(ofWorker: key, value)
    }
    return true
  }

  /// Reads a member that all workers with containers have. Returns false if the key is a different one.
  mutating func readShared(_ key: JSONKey, _ value: JSONRef) throws(ValidationError) -> Bool {
    if key == "host" {
      let text = try value.requireString()
      do throws(EngineAddress.Fault) { _ = try EngineAddress(text) } catch { throw ValidationError(error.text) }
      host = text
    } else if key == "cert_path" {
      certPath = try value.requireAbsolutePath(of: "a directory")
    } else if key == "shared_files" {
      sharedFiles = try value.requireBoolean()
    } else if key == "pull" {
      pull = try value.requireChoice("a value of \"pull\"")
    } else if key == "init" {
      hasInit = try value.requireBoolean()
    } else if key == "user" {
      let name = try value.requireName()
      isHostUser = name == "host"
      user = isHostUser || name == "image" ? nil : name
    } else if key == "memory" {
      guard let number = value.integer, number >= DockerOptions.leastMemory else {
        throw ValidationError(
          "expected the memory of a container in bytes, an integer from 6291456 (6 MiB), found \(value.shown)")
      }
      memory = number
    } else if key == "cpus" {
      guard let number = value.number, number >= 0.01, number <= 100_000 else {
        throw ValidationError("expected a number of processors from 0.01 to 100000, found \(value.shown)")
      }
      cpus = number
    } else if key == "network" {
      network = try value.requireName()
    } else if key == "mounts" {
      try value.require(.array)
      try value.forEachElement { (index, element) throws(ValidationError) in
        do throws(ValidationError) { mounts.append(try Mount(reading: element)) } catch { throw error.inside(index) }
      }
    } else if key == "grace" {
      grace = try value.requireGrace()
    } else if key == "engine_timeout" {
      guard let number = value.number, number > 0, number <= 86_400 else {
        throw ValidationError("expected a time in seconds, above 0 and at most 86400, found \(value.shown)")
      }
      engineTimeout = number
    } else {
      return try settings.read(key, value)
    }
    return true
  }
}

extension DockerOptions.Mount {
  fileprivate init(reading json: JSONRef) throws(ValidationError) {
    var source: String?
    var target: String?
    var isReadOnly = false
    try json.readMembers(of: "an object {\"source\", \"target\"}") { (key, value) throws(ValidationError) in
      if key == "source" {
        source = try value.requireAbsolutePath(of: "a file or directory")
      } else if key == "target" {
        target = try value.requireAbsolutePath(of: "a mount point in the container")
      } else if key == "read_only" {
        isReadOnly = try value.requireBoolean()
      } else {
        throw .unknownKey(key, of: "a mount", known: DockerOptions.Mount.keys)
      }
    }
    guard let source else { throw .missingKey("source", of: "a mount") }
    guard let target else { throw .missingKey("target", of: "a mount") }
    self.init(source: source, target: target, isReadOnly: isReadOnly)
  }
}
