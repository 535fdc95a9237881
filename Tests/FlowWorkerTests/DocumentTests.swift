import Testing

@testable import FWBase
@testable import FWExecution
@testable import FWModel
@testable import FWProcess
@testable import FlowWorker

@Suite struct DocumentTests {
  private func worker(_ text: String) throws -> WorkerDocument {
    try withBytes(text) {
      try JSONText.read($0) { (json) throws(ValidationError) in try WorkerDocument(reading: json) }
    }
  }

  @Test("a worker has what its specification says, and the defaults for the rest")
  func workerSpec() throws {
    let document = try worker(
      #"""
      {"name": "w", "type": "subprocess", "vars": {"v": "1"}, "volume": "data",
       "env": [{"key": "A", "value": 1}, {"key": "B", "value": "x"}, {"key": "A", "value": "2"}],
       "options": {
         "shell": "/bin/bash", "inherit_env": true, "background": "leave", "grace": 0.5, "output_limit": 10}}
      """#
    )
    let spec = document.spec
    #expect(spec.env.pairs.map { "\($0.key)=\($0.value)" } == ["A=2", "B=x"])
    #expect(spec.variables.pairs.map { "\($0.key)=\($0.value)" } == ["v=1"])
    #expect(spec.volume == "data")
    let runner = try document.makeRunner(spec, SharedResources()) as? SubprocessWorker
    let options = try #require(runner?.options)
    #expect(options.shell == "/bin/bash" && options.background == .leave)
    let inheritance = try #require(options.inheritance)
    #expect(inheritance.patterns == nil)
    #expect(options.grace == 0.5 && options.settings.outputLimit == 10)

    let plain = try worker(#"{"type": "docker", "name": "d"}"#).spec
    #expect(plain.volume == "__default__" && plain.env.isEmpty && plain.variables.isEmpty)
    let defaults = SubprocessOptions()
    #expect(defaults.shell == "/bin/sh" && defaults.background == .kill && defaults.settings.outputLimit == nil)
  }

  @Test("a key that is repeated after many others is still found")
  func manyKeys() throws {
    let pairs = (0..<1000).map { #"{"key": "k\#($0 % 500)", "value": \#($0)}"# }.joined(separator: ",")
    let spec = try worker(#"{"name": "w", "type": "subprocess", "variables": [\#(pairs)]}"#).spec
    #expect(spec.variables.pairs.count == 500)
    #expect(spec.variables.pairs.first.map { "\($0.key)=\($0.value)" } == "k0=500")
  }

  @Test(
    "the keys of the action decide the type of a step",
    arguments: [
      (#"{"environment": "e", "commands": []}"#, StepType.container), (#"{"func": "a.b"}"#, .code),
      (#"{"notebook": "n.ipynb"}"#, .notebook),
    ])
  func stepTypes(_ action: String, _ type: StepType) throws {
    #expect(try step(#"{"name": "s", "action": \#(action)}"#).type == type)
  }

  @Test("a missing key is refused at the object that lacks it")
  func missing() {
    let error = failure { _ = try step("{\"name\": \"s\",\n \"action\": {\"commands\": []}}") }
    #expect(error?.code == .document && error?.path == "/action")
    #expect(error?.position == TextPosition(line: 2, column: 12))
    #expect(error?.message.contains("\"environment\"") == true)
  }

  @Test("a worker without an identifier gets a new one each time")
  func uniqueIdentifiers() {
    let names = (0..<100).map { _ in uniqueIdentifier() }
    #expect(Set(names).count == 100)
    #expect(names.allSatisfy { $0.utf8.count == 32 && $0.allSatisfy(\.isHexDigit) })
  }
}
