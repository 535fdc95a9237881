import Testing

@testable import FWBase
@testable import FWDocker
@testable import FWExecution
@testable import FWModel

@Suite struct DockerOptionsTests {
  private func options(_ json: String) throws -> DockerOptions {
    try withBytes(json) { text throws(FlowError) in
      try JSONText.read(text) { (json) throws(ValidationError) in
        var spec = WorkerSpec(name: "w")
        return try DockerOptions(reading: json, of: DockerWorker.type, into: &spec)
      }
    }
  }

  @Test("without options an image is pulled if it is missing, and each command has a container of its own")
  func defaults() throws {
    for none in [DockerOptions(), try options("{}")] {
      #expect(none.host == nil && none.certPath == nil && none.sharedFiles == nil && none.network == nil)
      #expect(none.pull == .missing && none.container == .command && none.hasInit && none.grace == 2)
      #expect(none.engineTimeout == 30)
      #expect(none.shell == nil && none.user == nil && !none.isHostUser && none.memory == nil && none.cpus == nil)
      #expect(none.mounts.isEmpty && none.settings.isEmpty)
    }
  }

  @Test("every key of the documentation is read")
  func all() throws {
    let all = try options(
      """
      {"host": "unix:///run/e.sock", "cert_path": "/certs", "shared_files": false, "pull": "never", "container": "step",
       "shell": "/bin/sh", "init": false, "user": "1000:1000", "memory": 6291456, "cpus": 0.5, "network": "none",
       "mounts": [{"source": "/a", "target": "/b"}, {"read_only": true, "target": "/d", "source": "/c"}], "grace": 0,
       "timeout": 5, "output_limit": 10, "spill": "/tmp", "retries": {"max": 3}}
      """)
    #expect(all.host == "unix:///run/e.sock" && all.certPath == "/certs" && all.sharedFiles == false)
    #expect(all.pull == .never && all.container == .step && all.shell == "/bin/sh" && !all.hasInit)
    #expect(all.user == "1000:1000" && !all.isHostUser && all.memory == 6_291_456 && all.cpus == 0.5)
    #expect(all.network == "none" && all.grace == 0)
    #expect(all.mounts.map { "\($0.source) \($0.target) \($0.isReadOnly)" } == ["/a /b false", "/c /d true"])
    #expect(all.settings.timeout == 5 && all.settings.outputLimit == 10 && all.settings.spill == "/tmp")
    #expect(all.settings.retries?.limit == 3)
  }

  @Test("the user is the image's, the host's, or the one that the option names")
  func users() throws {
    let image = try options(#"{"user": "image"}"#)
    #expect(image.user == nil && !image.isHostUser)
    let host = try options(#"{"user": "host"}"#)
    #expect(host.user == nil && host.isHostUser)
    #expect(try options(#"{"user": "nobody"}"#).user == "nobody")
  }

  @Test("an integer is a number of processors, too")
  func numbers() throws {
    #expect(try options(#"{"cpus": 2, "grace": 86400}"#).cpus == 2)
    #expect(try options(#"{"engine_timeout": 0.5}"#).engineTimeout == 0.5)
    #expect(try options(#"{"memory": 9223372036854775807}"#).memory == Int64.max)
  }

  @Test(
    "a value that is not allowed is refused, and the message says what would be right",
    arguments: [
      ("host", "5", "expected a string, found the integer 5"),
      (
        "host", "\"/run/docker.sock\"",
        "invalid engine address \"/run/docker.sock\": use \"unix:///run/docker.sock\""
      ), ("cert_path", "\"certs\"", "expected the absolute path of a directory, found the string \"certs\""),
      ("shared_files", "1", "expected true or false, found the integer 1"),
      (
        "pull", "\"allways\"",
        "\"allways\" is not a value of \"pull\": use \"missing\", \"always\" or \"never\"; did you mean \"always\"?"
      ), ("container", "\"job\"", "\"job\" is not a value of \"container\": use \"command\" or \"step\""),
      (
        "shell", "\"sh\"",
        "expected the absolute path of a shell in the image, such as \"/bin/sh\", found the string \"sh\""
      ),
      ("init", "\"yes\"", "expected true or false, found the string \"yes\""),
      ("user", "\"\"", "expected a name, found an empty string"),
      ("user", "1000", "expected a name (a string), found the integer 1000"),
      (
        "memory", "6291455",
        "expected the memory of a container in bytes, an integer from 6291456 (6 MiB), found the integer 6291455"
      ),
      (
        "memory", "\"64m\"",
        "expected the memory of a container in bytes, an integer from 6291456 (6 MiB), found the string \"64m\""
      ), ("cpus", "0", "expected a number of processors from 0.01 to 100000, found the integer 0"),
      ("network", "\"\"", "expected a name, found an empty string"),
      ("mounts", "{}", "expected an array, found an object"),
      ("engine_timeout", "0", "expected a time in seconds, above 0 and at most 86400, found the integer 0"),
      ("grace", "-1", "expected a time in seconds from 0 to 86400, found the integer -1"),
      ("timeout", "0", "expected a time in seconds, above 0 and at most 31536000, found the integer 0"),
    ])
  func faults(_ key: String, _ value: String, _ message: String) {
    let error = failure { _ = try options("{\n \"\(key)\": \(value)}") }
    #expect(error?.message == message)
    #expect(error?.code == .document && error?.path == "/\(key)")
    #expect(error?.position == TextPosition(line: 2, column: key.utf8.count + 6))
  }

  @Test("a mount has a source and a target, and an error names the place")
  func mounts() {
    let error = failure {
      _ = try options(#"{"mounts": [{"source": "/a", "target": "/b"}, {"source": "a", "target": "/b"}]}"#)
    }
    #expect(error?.path == "/mounts/1/source")
    #expect(error?.message == "expected the absolute path of a file or directory, found the string \"a\"")
    for (mount, message) in [
      (#"{"target": "/b"}"#, "missing key \"source\" in a mount"),
      (#"{"source": "/a"}"#, "missing key \"target\" in a mount"),
    ] {
      let error = failure { _ = try options(#"{"mounts": [\#(mount)]}"#) }
      #expect(error?.path == "/mounts/0" && error?.message == message)
    }
    let unknown = failure { _ = try options(#"{"mounts": [{"source": "/a", "target": "/b", "readonly": true}]}"#) }
    #expect(unknown?.path == "/mounts/0/readonly")
    #expect(unknown?.message.hasSuffix("; did you mean \"read_only\"?") == true)
  }

  @Test("a key of another type of worker is unknown")
  func unknown() {
    let error = failure { _ = try options(#"{"background": "kill"}"#) }
    #expect(error?.path == "/background")
    for key in DockerOptions.keys { #expect(error?.message.contains("\"\(key)\"") == true) }
  }
}
