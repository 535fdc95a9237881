import Testing

@testable import FWBase
@testable import FWModel
@testable import FlowWorker

@Suite struct PoolTests {
  @Test("a mapped step gets its worker, the same object ever after")
  func mapped() throws {
    let pool = try pool(
      #"""
      {"workflow": [{"step": "s", "worker": "b"}],
       "workers": [{"name": "a", "type": "code"}, {"name": "b", "type": "subprocess"}]}
      """#)
    let first = try pool.worker(for: containerStep("s"))
    #expect(first.takeUnretainedValue().cName.string == "b")
    #expect(try pool.worker(for: containerStep("s")).toOpaque() == first.toOpaque())
    #expect(try pool.defaultWorker(for: containerStep("s")).toOpaque() != first.toOpaque())
  }

  @Test("a step that is not mapped gets the default worker of its type")
  func defaults() throws {
    let pool = try pool("[]")
    #expect(try pool.worker(for: containerStep("x")).takeUnretainedValue().type.name == "subprocess")
    let code = try step(#"{"name": "x", "action": {"func": "f"}}"#)
    #expect(try pool.worker(for: code).takeUnretainedValue().type.name == "code")
    let notebook = try step(#"{"name": "x", "action": {"notebook": "n"}}"#)
    #expect(try pool.worker(for: notebook).takeUnretainedValue().type.name == "notebook")
  }

  @Test("a worker that the pool does not have is an error when it is asked for")
  func unknown() throws {
    let pool = try pool(#"{"workers": [{"name": "worker", "type": "code"}], "managers": {"s": "wroker"}}"#)
    let error = failure { _ = try pool.worker(for: containerStep("s")) }
    #expect(error?.code == .unknown)
    #expect(
      error?.message
        == #"step "s" is mapped to the worker "wroker", which the pool does not have; did you mean "worker"?"#)
  }

  @Test("a table of names finds each of many, and nothing else")
  func names() throws {
    let table = NameTable()
    for number in 0..<10_000 {
      let (found, isNew) = try table.insert("name \(number)")
      #expect(isNew && found == number)
    }
    let (again, isNew) = try table.insert("name 77")
    #expect(again == 77 && !isNew)
    #expect((0..<10_000).allSatisfy { (number: Int) in table.number(of: Name("name \(number)")) == number })
    #expect(table.number(of: Name("name 10000")) == nil)
    #expect(table.number(of: Name("")) == nil)
    #expect(table.name(9_999) == "name 9999" && table.name(10_000) == "")
  }

  @Test("the empty name is a name")
  func emptyName() throws {
    let table = NameTable()
    #expect(try table.insert("").isNew)
    #expect(table.number(of: Name("")) == 0)
  }
}

@Suite struct ContextTests {
  @Test("a value that is set later does not reach a run that has begun")
  func snapshot() throws {
    let context = try withBytes(#"{"a": 1}"#) { try Context($0) }
    let before = context.snapshot
    try withBytes("2") { try context.set("a", $0) }
    try withBytes("[]") { try context.set("b", $0) }
    #expect(withBytes("a") { before[$0]?.integer } == 1)
    #expect(withBytes("b") { before[$0] == nil })
    let after = context.snapshot
    #expect(withBytes("a") { after[$0]?.integer } == 2)
  }
}
