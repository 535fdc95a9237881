internal import FWBase
internal import FWModel
internal import FWSystem
internal import Glibc

/// The description of a container for the engine. All commands of an attempt have it in common.
struct ContainerPlan {
  let options: DockerOptions
  let env: KeyValues
  /// The absolute path of the run directory on this machine.
  let rundir: String
  /// The directories at the top of the run directory when the attempt began. Each is mounted, as in flowServ.
  let directories: [String]
  /// The user in the container; `nil` stands for the user of the image.
  let user: String?
  let label: String
  private let isPodman: Bool

  static let workdir = "/workdir"

  /// Names that are not mounted, because an image has its own files there. (Filesystem Hierarchy Standard 3.0, section
  /// 3.)
  static let systemDirectories: Set<String> = [
    "bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "media", "mnt", "opt", "proc", "root",
    "run", "sbin", "srv", "sys", "tmp", "usr", "var", "workdir",
  ]

  /// - Parameters:
  ///   - isRootless: whether the engine runs without root. Root in a container is then the engine's
  ///     user already.
  ///   - isPodman: whether the engine is Podman, which unsets variables of the image in its own way.
  init(
    _ options: DockerOptions, env: KeyValues, rundir path: CText, label: String, isRootless: Bool,
    isPodman: Bool = false
  ) throws(StepFailure) {
    self.options = options
    self.label = label
    self.isPodman = isPodman
    guard let resolved = realpath(path.start, nil) else {
      throw StepFailure("the run directory \(MessageFormat.path(path.string)) cannot be used", errno)
    }
    defer { free(resolved) }
    rundir = String(cString: resolved)
    guard Files.isDirectory(rundir) else {
      throw StepFailure("the run directory \(MessageFormat.path(rundir)) is not a directory")
    }
    let rundir = rundir
    guard let names = Files.list(rundir) else {
      throw StepFailure("the run directory \(MessageFormat.path(rundir)) cannot be read", errno)
    }
    directories = names.filter {
      !ContainerPlan.systemDirectories.contains($0) && Files.isDirectory("\(rundir)/\($0)")
    }
    var env = env
    if options.isHostUser, !isRootless {
      user = "\(geteuid()):\(getegid())"
      if !env.has("HOME") { env.set("HOME", ContainerPlan.workdir) }
    } else {
      user = options.user
    }
    self.env = env
  }

  /// The body of "create a container".
  ///
  /// - Parameters:
  ///   - command: `nil` stands for the command of the image.
  ///   - entrypoint: replaces that of the image; `nil` stands for that of the image.
  ///   - hasInit: whether process 1 is the init process of the engine.
  ///   - hasInput: whether the standard input is streamed. It ends when its one stream ends.
  func container(image: String, command: [String]?, entrypoint: [String]?, hasInit: Bool, hasInput: Bool = false)
    -> ByteBuffer
  {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("Image", image)
      if let command { writer.member("Cmd") { $0.strings(command) } }
      if let entrypoint { writer.member("Entrypoint") { $0.strings(entrypoint) } }
      if hasInput {
        writer.member("OpenStdin", true)
        writer.member("StdinOnce", true)
      }
      writeCommon(&writer, hasInput: hasInput, unsets: true)
      // The library ends commands with TERM; an image may name another signal.
      writer.member("StopSignal", "SIGTERM")
      writer.member("Labels") { writer in
        writer.object { $0.member("io.github.flowworker.host", label) }
      }
      writer.member("HostConfig") { writer in
        writer.object { writer in
          writer.member("Init", hasInit)
          if let memory = options.memory {
            writer.member("Memory", Int(memory))
            // This is the limit of memory and swap together, so the container gets no swap.
            writer.member("MemorySwap", Int(memory))
          }
          if let cpus = options.cpus { writer.member("NanoCpus", Int(cpus * 1e9)) }
          if let network = options.network { writer.member("NetworkMode", network) }
          // The library reads the output, so the engine's disk needs no copy of it.
          writer.member("LogConfig") { writer in writer.object { $0.member("Type", "none") } }
          writer.member("Mounts") { writeMounts(&$0) }
        }
      }
    }
    return writer.buffer()
  }

  /// The body of "create an exec instance".
  func exec(command: [String], hasInput: Bool) -> ByteBuffer {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("Cmd") { $0.strings(command) }
      // An exec inherits the variables of its container, from which some were removed already.
      writeCommon(&writer, hasInput: hasInput, unsets: false)
    }
    return writer.buffer()
  }

  private func writeCommon(_ writer: inout JSONWriter, hasInput: Bool, unsets: Bool) {
    if hasInput { writer.member("AttachStdin", true) }
    writer.member("AttachStdout", true)
    writer.member("AttachStderr", true)
    writer.member("WorkingDir", ContainerPlan.workdir)
    if let user { writer.member("User", user) }
    var env = env.entries.compactMap { entry in entry.value.map { "\(entry.key)=\($0)" } }
    if unsets, !isPodman { env += unset }
    writer.member("Env") { $0.strings(env) }
    if unsets, isPodman, !unset.isEmpty { writer.member("UnsetEnv") { $0.strings(unset) } }
  }

  /// The variables of the image that are removed. For Docker it is a name without "=" that removes a variable. Podman
  /// would set such a variable to the value that its own process has.
  private var unset: [String] { env.entries.compactMap { $0.value == nil ? $0.key : nil } }

  private func writeMounts(_ writer: inout JSONWriter) {
    var mounts = [DockerOptions.Mount(source: rundir, target: ContainerPlan.workdir)]
    // A mount of the worker's options comes before a directory of the same name.
    for name in directories where !options.mounts.contains(where: { $0.target.isSame(as: "/\(name)") }) {
      mounts.append(DockerOptions.Mount(source: "\(rundir)/\(name)", target: "/\(name)"))
    }
    mounts += options.mounts
    writer.array(mounts) { writer, mount in
      writer.object { writer in
        writer.member("Type", "bind")
        writer.member("Source", mount.source)
        writer.member("Target", mount.target)
        writer.member("ReadOnly", mount.isReadOnly)
      }
    }
  }
}

extension JSONWriter {
  fileprivate mutating func strings(_ strings: [String]) {
    array(strings) { writer, string in
      var string = string
      string.withUTF8 { writer.text(UnsafeRawBufferPointer($0)) }
    }
  }
}

extension ContainerFacts {
  func masked(by secrets: Secrets) -> any EngineFacts { self }

  var tried: [String] { ["the engine at \(host)", "the image \(image)"] }

  func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("host", host)
      writer.member("image", image)
      writer.member("image_id", imageID)
      writer.member("digest", digest)
      writer.member("pulled", isPulled)
    }
  }
}
