import Testing

@testable import FWBase
@testable import FWModel

@Suite struct ForEachTests {
  private func many(_ names: String, _ combine: String = "product", _ files: String = "{}") throws -> Step {
    try step(
      #"{"name": "s", "foreach": {"names": \#(names), "combine": "\#(combine)"}, "files": \#(files), "#
        + #""action": {"environment": "", "commands": ["x"]}}"#)
  }

  private func instances(_ step: Step, _ context: String? = nil) throws -> Instances {
    let values = try context.map { try withBytes($0) { try Context($0).snapshot } }
    return try Instances(try #require(step.forEach), values)
  }

  private func all(_ instances: Instances) throws -> [String] {
    try (0..<instances.count).map { number in
      try instances.values(number).read { JSONText.compact($0)?.string ?? "" }
    }
  }

  @Test("a product varies the first name slowest, and equal values are instances of their own")
  func product() throws {
    let instances = try instances(many(#"{"a": [1, 1], "b": ["x", null, [2]]}"#))
    #expect(
      try all(instances) == [
        #"{"a":1,"b":"x"}"#, #"{"a":1,"b":null}"#, #"{"a":1,"b":[2]}"#, #"{"a":1,"b":"x"}"#, #"{"a":1,"b":null}"#,
        #"{"a":1,"b":[2]}"#,
      ])
  }

  @Test("zipped lists give their first values together")
  func zipped() throws {
    let instances = try instances(many(#"{"a": [1, 2], "b": ["x", "y"]}"#, "zip"))
    #expect(try all(instances) == [#"{"a":1,"b":"x"}"#, #"{"a":2,"b":"y"}"#])
  }

  @Test("one empty list makes no instances, however long the others are")
  func nothing() throws {
    let long = "[" + Array(repeating: "0", count: 70000).joined(separator: ",") + "]"
    #expect(try instances(many(#"{"a": \#(long), "b": \#(long), "c": \#(long), "d": []}"#)).count == 0)
    #expect(try instances(many(#"{"a": []}"#)).count == 0)
    #expect(try instances(many(#"{"a": [], "b": []}"#, "zip")).count == 0)
  }

  @Test("a product that has too many instances is refused, also if their number is no integer")
  func tooMany() throws {
    let long = "[" + Array(repeating: "0", count: 70000).joined(separator: ",") + "]"
    let many = try many(#"{"a": \#(long), "b": \#(long)}"#)
    let error = failure { _ = try instances(many) }
    #expect(error?.path == "/foreach/names")
    #expect(error?.message == "the lists make 4900000000 instances: a step has at most 2147483647")
    let names = ["a", "b", "c", "d", "e"].map { #""\#($0)": \#(long)"# }.joined(separator: ", ")
    let overflow = try self.many("{\(names)}")
    #expect(failure { _ = try instances(overflow) }?.message.contains("too many") == true)
  }

  @Test("a product of a million instances is never made, only the one that is asked for")
  func million() throws {
    let list = "[" + (0..<1000).map(String.init).joined(separator: ",") + "]"
    let instances = try instances(many(#"{"a": \#(list), "b": \#(list)}"#))
    #expect(instances.count == 1_000_000)
    #expect(try instances.values(999_998).read { JSONText.compact($0)?.string } == #"{"a":999,"b":998}"#)
  }

  @Test("a list of the context is read when the instances are made")
  func contextList() throws {
    let many = try many(#"{"a": {"value": "found"}, "b": [0]}"#)
    #expect(many.forEach?.contextNames == ["found"])
    #expect(try all(instances(many, #"{"found": [7]}"#)) == [#"{"a":7,"b":0}"#])
    let missing = failure { _ = try instances(many, #"{"fond": [7]}"#) }
    #expect(missing?.path == "/foreach/names/a")
    #expect(
      missing?.message == #"the context has no value "found", which is to be the list; did you mean "fond"?"#)
    let wrong = failure { _ = try instances(many, #"{"found": {"x": 1}}"#) }
    #expect(wrong?.message == #"expected the value of "found" to be a list, found an object"#)
  }

  @Test("zipped lists of different lengths are refused where they become known")
  func lengths() throws {
    let known = failure { _ = try many(#"{"a": [1], "b": [1, 2]}"#, "zip") }
    #expect(known?.path == "/foreach/names/b")
    let open = try many(#"{"a": [1], "b": {"value": "l"}}"#, "zip")
    let later = failure { _ = try instances(open, #"{"l": []}"#) }
    #expect(later?.path == "/foreach/names/b")
    #expect(
      later?.message
        == #"lists that are zipped must have the same length: the list of "a" has 1 value, and that of "b" has 0"#)
  }

  @Test("a million names are read and used in linear time")
  func manyNames() throws {
    let names = (0..<1_000_000).map { #""n\#($0)": [\#($0)]"# }.joined(separator: ",")
    let instances = try instances(many("{\(names)}"))
    #expect(instances.count == 1)
    #expect(try instances.values(0).read { $0.member("n999999")?.integer } == 999_999)
  }

  @Test("an instance has the keys that its values make, with the text that commands get")
  func keys() throws {
    let many = try many(
      #"{"a": ["x/y", 1.0, true], "b": ["$a"]}"#, "product",
      #"{"inputs": ["in/./$a//f", "plain"], "outputs": ["${a}_$$b/$b/"]}"#)
    let instances = try instances(many)
    let shown = try (0..<3).map { number in
      let one = try many.instance(number, instances.values(number))
      #expect(one.instance == number)
      return (one.files.inputs + one.files.outputs).map(\.text).joined(separator: " ")
    }
    #expect(
      shown == ["in/x/y/f plain x/y_$b/$a/", "in/1.0/f plain 1.0_$b/$a/", "in/True/f plain True_$b/$a/"])
  }

  @Test("a value that makes no key of its template is refused with the instance")
  func wrongKeys() throws {
    let many = try many(#"{"a": ["ok", "../up"]}"#, "product", #"{"outputs": ["plain", "d/$a"]}"#)
    let instances = try instances(many)
    let error = failure { _ = try many.checkKeys(of: instances) }
    #expect(error?.path == "/files/outputs/1")
    #expect(
      error?.message == #"step "s" (a "../up"): the key "d/../up" contains "..", which could lead out of its volume"#)
  }

  @Test("the name of an instance in messages has its values, of which long ones are cut")
  func shownName() throws {
    let long = String(repeating: "x", count: 100)
    let many = try many(#"{"a": ["q\"", "\#(long)"], "b": [2], "c": [null], "d": [[1]], "e": [1], "f": [1]}"#)
    let instances = try instances(many)
    let names = try [0, 1].map { try many.instance($0, instances.values($0)).shownName }
    #expect(names[0] == #""s" (a "q\"", b 2, c None, d [1] and 2 others)"#)
    #expect(names[1] == #""s" (a "\#(String(repeating: "x", count: 40))…", b 2, c None, d [1] and 2 others)"#)
    #expect(many.shownName == #""s""#)
  }

  @Test("the values of an instance hide those of the context, and other names stay")
  func hides() throws {
    let many = try many(#"{"a": [1]}"#)
    let one = try many.instance(0, instances(many).values(0))
    let outer = try withBytes(#"{"a": "outer", "b": 2}"#) { try Context($0).snapshot }
    let seen = outer.seen(by: one)
    #expect(seen["a"]?.integer == 1)
    #expect(seen["b"]?.integer == 2)
    #expect(seen.names == ["b", "a"])
    #expect(seen.without([])?.read { JSONText.compact($0, sortingKeys: true)?.string } == #"{"a":1,"b":2}"#)
    #expect(outer["a"]?.string == "outer")
    #expect(outer.seen(by: try containerStep("plain"))["a"]?.string == "outer")
  }

  @Test("a gathered list is in the order of the instances, has null where none came, and knows its objects")
  func gather() throws {
    var gather = Gather(count: 3)
    let (two, zero) = (try withBytes("2") { try JSONText.parse($0) }, try withBytes("[0]") { try JSONText.parse($0) })
    gather.add(two, object: HostObject(kind: "of the type T", unfit: "has a NUL", unfitParameter: nil), for: 2)
    gather.add(zero, object: nil, for: 0)
    #expect(gather.list()?.read { JSONText.compact($0)?.string } == "[[0],null,2]")
    #expect(gather.object?.kind == "a list whose element 2 is of the type T")
    #expect(gather.object?.unfit == "is a list whose element 2 has a NUL")
    #expect(gather.object?.unfitParameter == nil)
    #expect(Gather(count: 0).list()?.read { JSONText.compact($0)?.string } == "[]")
    #expect(Gather(count: 0).object == nil)
  }
}
