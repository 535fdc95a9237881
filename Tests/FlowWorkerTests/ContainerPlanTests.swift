import Glibc
import Testing

@testable import FWBase
@testable import FWDocker
@testable import FWModel
@testable import FWSystem

@Suite struct ContainerPlanTests {
  /// Makes a run directory that exists as long as `body` runs.
  private func withDirectory(_ body: (String) throws -> Void) throws {
    var template = Array("/tmp/flowworker-plan-XXXXXX".utf8CString)
    let path = try #require(mkdtemp(&template).map { String(cString: $0) })
    defer {
      for name in Files.list(path) ?? [] where rmdir("\(path)/\(name)") < 0 { unlink("\(path)/\(name)") }
      rmdir(path)
    }
    try body(path)
  }

  private func plan(
    _ path: String, _ options: DockerOptions = DockerOptions(), env: KeyValues = KeyValues(), isRootless: Bool = false,
    isPodman: Bool = false
  ) throws -> ContainerPlan {
    try ContainerPlan(
      options, env: env, rundir: try CText(path), label: "l", isRootless: isRootless, isPodman: isPodman)
  }

  private func json(_ body: borrowing ByteBuffer, _ read: (JSONRef) -> Void) throws {
    try JSONText.parse(body.bytes).read(read)
  }

  private func mounts(_ plan: ContainerPlan) throws -> [String] {
    var mounts: [String] = []
    try json(plan.container(image: "i", command: [], entrypoint: nil, hasInit: true)) { json in
      json["HostConfig"]?["Mounts"]?.forEachElement { _, mount in
        #expect(mount["Type"]?.string == "bind")
        let access = mount["ReadOnly"]?.boolean == true ? " ro" : ""
        mounts.append("\(mount["Source"]?.string ?? "") \(mount["Target"]?.string ?? "")\(access)")
      }
    }
    return mounts
  }

  @Test("the names that are an image's own are those of the documentation")
  func documented() throws {
    let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
    guard let bytes = Files.read("\(root)/docs/guides/containers.md") else {
      Issue.record("the documentation cannot be read")
      return
    }
    let words = text(bytes).split { $0 == " " || $0 == "\n" }.joined(separator: " ")
    let start = try #require(words.firstRange(of: "unless the name is one of "))
    let list = words[start.upperBound...].prefix { $0 != "." }
    let names = list.split(separator: ", ").map { $0.filter { $0 != "`" } }
    #expect(names.count > 20 && Set(names) == ContainerPlan.systemDirectories)
  }

  @Test("the top directories of the run directory are in the container, except those of the image")
  func directories() throws {
    try withDirectory { path in
      for name in ["data", "code", "etc", "lib64", "workdir", ".hidden", "a b"] {
        #expect(mkdir("\(path)/\(name)", 0o700) == 0)
      }
      close(creat("\(path)/file", 0o600))
      #expect(symlink("/etc", "\(path)/link") == 0)
      let plan = try plan(path)
      #expect(plan.directories == [".hidden", "a b", "code", "data"])
      #expect(
        try mounts(plan) == [
          "\(path) /workdir", "\(path)/.hidden /.hidden", "\(path)/a b /a b", "\(path)/code /code",
          "\(path)/data /data",
        ])
    }
  }

  @Test("a mount of the options overrides a directory of the run")
  func mountsOfOptions() throws {
    try withDirectory { path in
      #expect(mkdir("\(path)/data", 0o700) == 0)
      var options = DockerOptions()
      options.mounts = [
        DockerOptions.Mount(source: "/other", target: "/data", isReadOnly: true),
        DockerOptions.Mount(source: "/x", target: "/y"),
      ]
      let mounts = try mounts(plan(path, options))
      #expect(mounts == ["\(path) /workdir", "/other /data ro", "/x /y"])
    }
  }

  @Test("the run directory has its real path, and must be a directory")
  func runDirectory() throws {
    try withDirectory { path in
      #expect(mkdir("\(path)/real", 0o700) == 0)
      #expect(symlink("real", "\(path)/link") == 0)
      let rundir = try plan("\(path)/link/../link").rundir
      #expect(rundir == "\(path)/real")
      close(creat("\(path)/file", 0o600))
      for (name, reason) in [("file", "is not a directory"), ("none", "cannot be used: No such file or directory")] {
        #expect { try plan("\(path)/\(name)") } throws: {
          let failure = $0 as? StepFailure
          return failure?.outcome == .spawnFailed
            && failure?.reason == "the run directory \"\(path)/\(name)\" \(reason)"
        }
      }
    }
  }

  @Test("the host's user has a home, and is root where the engine is not")
  func user() throws {
    try withDirectory { path in
      var options = DockerOptions()
      options.isHostUser = true
      let host = try plan(path, options)
      #expect(host.user == "\(geteuid()):\(getegid())")
      #expect(host.env.pairs.map { "\($0.key)=\($0.value)" } == ["HOME=/workdir"])
      var env = KeyValues()
      env.set("HOME", "/mine")
      #expect(try plan(path, options, env: env).env.pairs.map(\.value) == ["/mine"])
      env.set("HOME", nil)
      #expect(try plan(path, options, env: env).env.pairs.isEmpty)
      let rootless = try plan(path, options, isRootless: true)
      #expect(rootless.user == nil && rootless.env.isEmpty)
      options.isHostUser = false
      options.user = "1:2"
      #expect(try plan(path, options).user == "1:2")
      #expect(try plan(path).user == nil)
    }
  }

  @Test("the document from which an engine creates a container")
  func container() throws {
    try withDirectory { path in
      var options = DockerOptions()
      options.memory = 64 << 20
      options.cpus = 0.5
      options.network = "none"
      options.user = "1:2"
      var env = KeyValues()
      env.set("A", "x=y \"z\"")
      env.set("UNSET", nil)
      let plan = try plan(path, options, env: env)
      try json(plan.container(image: "sha256:1", command: ["a", "b c"], entrypoint: ["/bin/sh"], hasInit: true)) {
        json in
        #expect(json["Image"]?.string == "sha256:1" && json["User"]?.string == "1:2")
        #expect(json["Cmd"]?.strings == ["a", "b c"] && json["Entrypoint"]?.strings == ["/bin/sh"])
        #expect(json["WorkingDir"]?.string == "/workdir" && json["Env"]?.strings == ["A=x=y \"z\"", "UNSET"])
        #expect(json["AttachStdout"]?.boolean == true && json["AttachStderr"]?.boolean == true)
        #expect(json["Labels"]?.member(HostLabel.key)?.string == "l" && json["StopSignal"]?.string == "SIGTERM")
        let host = json["HostConfig"]
        #expect(host?["Memory"]?.integer == 64 << 20 && host?["MemorySwap"]?.integer == 64 << 20)
        #expect(host?["NanoCpus"]?.integer == 500_000_000 && host?["NetworkMode"]?.string == "none")
        #expect(host?["Init"]?.boolean == true && host?["LogConfig"]?["Type"]?.string == "none")
      }
      // The image and the engine decide what the plan does not say.
      let least = try self.plan(path).container(image: "i", command: nil, entrypoint: nil, hasInit: false)
      try json(least) { json in
        for key in ["Cmd", "Entrypoint", "User"] { #expect(json.member(key) == nil) }
        for key in ["Memory", "MemorySwap", "NanoCpus", "NetworkMode"] {
          #expect(json["HostConfig"]?.member(key) == nil)
        }
        #expect(json["HostConfig"]?["Init"]?.boolean == false)
      }
      // The container of an exec has no variable that is unset.
      try json(plan.exec(command: ["p", ""], hasInput: false)) { json in
        #expect(json["Cmd"]?.strings == ["p", ""] && json["WorkingDir"]?.string == "/workdir")
        #expect(json["Env"]?.strings == ["A=x=y \"z\""] && json["User"]?.string == "1:2")
        for key in ["HostConfig", "UnsetEnv", "AttachStdin"] { #expect(json.member(key) == nil) }
      }
      // Podman would give a variable without a value that of its own process.
      let podman = try self.plan(path, options, env: env, isPodman: true)
      try json(podman.container(image: "i", command: ["a"], entrypoint: nil, hasInit: true)) { json in
        #expect(json["Env"]?.strings == ["A=x=y \"z\""] && json["UnsetEnv"]?.strings == ["UNSET"])
      }
    }
  }

  @Test("a standard input is streamed only to a command that has one")
  func input() throws {
    try withDirectory { path in
      let plan = try plan(path)
      for hasInput in [false, true] {
        let own = plan.container(image: "i", command: ["a"], entrypoint: nil, hasInit: true, hasInput: hasInput)
        try json(own) { json in
          for key in ["OpenStdin", "StdinOnce", "AttachStdin"] {
            #expect(json.member(key)?.boolean == (hasInput ? true : nil))
          }
        }
        try json(plan.exec(command: ["a"], hasInput: hasInput)) { json in
          #expect(json["AttachStdin"]?.boolean == (hasInput ? true : nil) && json.member("OpenStdin") == nil)
        }
      }
    }
  }
}
