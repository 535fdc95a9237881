import Testing

@testable import FWBase
@testable import FWModel
@testable import FWProcess

@Suite struct EnvironmentTests {
  private func values(_ entries: [(String, String?)]) -> KeyValues {
    var values = KeyValues()
    for (key, value) in entries { values.set(key, value) }
    return values
  }

  private func inheritance(_ json: String) throws -> Inheritance? {
    var json = json
    return try json.withUTF8 { text throws(FlowError) in
      try JSONText.read(UnsafeRawBufferPointer(text)) { (value) throws(ValidationError) in
        try Inheritance.read(value)
      }
    }
  }

  private func listed(
    _ worker: [(String, String?)] = [], step: [(String, String?)] = [], inherits: Inheritance? = nil
  ) -> [String] {
    let own = CommandEnvironment(
      CommandEnvironment.Layer(values(worker)), CommandEnvironment.Layer(values(step)), .none, inherits: inherits)
    let environment = TextBlock(environment: own)
    return environment.offsets.map { offset in
      String(decoding: environment.texts.bytes[offset...].prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  @Test("the step's variables override the host's, which may also be left out")
  func inheritance() {
    #expect(listed([("A", "1"), ("B", "")]) == ["A=1", "B="])
    let inherited = listed([("PATH", "/mine")], inherits: .all)
    #expect(inherited.filter { $0.hasPrefix("PATH=") } == ["PATH=/mine"])
    #expect(inherited.count > 1)
    #expect(Set(listed()) == Set(listed(inherits: .all)) && listed(inherits: .nothing).isEmpty)
  }

  @Test("a variable without a value is unset, and is no entry that takes the host's environment away")
  func unset() {
    let host = Set(listed())
    #expect(host.contains { $0.hasPrefix("PATH=") })
    #expect(Set(listed([("PATH", nil)])) == host.filter { !$0.hasPrefix("PATH=") })
    #expect(Set(listed([("NONE", nil)], step: [("OTHER", nil)])) == host)
    #expect(listed([("A", "1"), ("B", "1"), ("C", nil)], step: [("A", nil), ("C", "2")]) == ["B=1", "C=2"])
    // An entry of the worker counts, even if the step unsets it.
    #expect(listed([("A", "1")], step: [("A", nil)]).isEmpty)
    // There are so many entries that keys are looked up by their hashes.
    let many = (0..<40).map { ("K\($0)", Optional("v")) }
    #expect(listed(many, step: (1..<40).map { ("K\($0)", nil) }) == ["K0=v"])
  }

  @Test("names and beginnings of names say what is inherited")
  func names() throws {
    let host = listed()
    let names = { (json: String) in try self.listed(inherits: self.inheritance(json)).map { $0.prefix { $0 != "=" } } }
    #expect(try names(#"["PATH", "NONE"]"#) == ["PATH"])
    #expect(try names(#"["PAT*", "PATH"]"#).contains("PATH") && names(#"["PAT", "ATH", "path", "PATHS*"]"#).isEmpty)
    #expect(try listed(inherits: inheritance(#"["NONE", "*"]"#)) == host && names("[]").isEmpty)
    #expect(try inheritance("false") == nil && inheritance("true")?.patterns == nil)
    // An entry is stronger than the list, and so is one without a value.
    let patterns = try inheritance(#"["PATH", "HOME"]"#)
    #expect(listed([("PATH", "/mine"), ("HOME", nil)], inherits: patterns) == ["PATH=/mine"])
  }

  @Test("the PATH of messages is that of the commands")
  func searchPath() throws {
    func shown(_ values: [(String, String?)], _ inherits: Inheritance?) -> String {
      let none = CommandEnvironment.Layer(KeyValues())
      let own = CommandEnvironment(CommandEnvironment.Layer(self.values(values)), none, .none, inherits: inherits)
      return SearchPath(own).shown
    }
    let missing = "no PATH: the shell uses its built-in one"
    #expect(shown([], nil).hasSuffix(" (this process's)") && shown([("PATH", "/a")], .all) == "PATH=/a")
    #expect(shown([("PATH", nil)], nil) == missing && shown([("A", "1")], nil) == missing)
    #expect(try shown([], inheritance(#"["P*"]"#)).hasSuffix(" (this process's)"))
    #expect(try shown([], inheritance(#"["HOME"]"#)) == missing)
  }
}
