import Testing

@testable import FWBase
@testable import FWModel

/// The keys of a step's instances, against an oracle that looks at every pair of keys.
@Suite struct InstanceKeysTests {
  private func many(_ names: String, _ files: String, combine: String = "product") throws -> (Step, Instances) {
    let step = try step(
      #"{"name": "s", "foreach": {"names": \#(names), "combine": "\#(combine)"}, "files": \#(files), "#
        + #""action": {"environment": "", "commands": []}}"#)
    return (step, try Instances(try #require(step.forEach), nil))
  }

  @Test("two instances that write one key are refused with their values and the key")
  func oneKey() throws {
    let (step, instances) = try many(#"{"a": ["1", "11"], "b": ["12", "2"]}"#, #"{"outputs": ["o/$a$b"]}"#)
    let error = failure { _ = try step.checkKeys(of: instances) }
    #expect(error?.code == .document)
    #expect(error?.path == "/files/outputs/0")
    #expect(
      error?.message
        == #"step "s": the instances 0 (a "1", b "12") and 3 (a "11", b "2") both write the key "o/112": "#
        + "give each instance keys of its own")
  }

  @Test("a folder of one instance over a key of another is refused")
  func folder() throws {
    let (step, instances) = try many(#"{"a": ["x/", "x/y"]}"#, #"{"outputs": ["plain$a", "o/$a"]}"#)
    #expect(
      failure { _ = try step.checkKeys(of: instances) }?.message
        == #"step "s": the instances 0 (a "x/") and 1 (a "x/y") write the folder "plainx/" and the key "plainx/y" "#
        + "in it: give each instance keys of its own")
  }

  @Test("a key without a placeholder is one key of all instances, and equal values make equal keys")
  func constant() throws {
    for (names, files) in [
      (#"{"a": [1, 2]}"#, #"{"outputs": ["same"]}"#), (#"{"a": ["v", "v"]}"#, #"{"outputs": ["o-$a"]}"#),
      (#"{"a": [1, "1"]}"#, #"{"outputs": ["o-$a"]}"#), (#"{"a": ["d", "d/"]}"#, #"{"outputs": ["$a"]}"#),
      (#"{"a": ["x", "./x"]}"#, #"{"outputs": ["o/$a"]}"#), (#"{"a": [1, 2], "b": [1, 2]}"#, #"{"outputs": ["$a"]}"#),
    ] {
      let (step, instances) = try many(names, files)
      #expect(failure { _ = try step.checkKeys(of: instances) } != nil, "\(names) \(files)")
    }
    let (one, single) = try many(#"{"a": [1]}"#, #"{"outputs": ["same"]}"#)
    #expect(try one.checkKeys(of: single) == false)
  }

  @Test("a notebook that is written by its default name counts as a key")
  func notebooks() throws {
    let same = try step(
      #"{"name": "n", "foreach": {"names": {"a": [1, 2]}}, "action": {"notebook": "x.ipynb"}}"#)
    let instances = try Instances(try #require(same.forEach), nil)
    let error = failure { _ = try same.checkKeys(of: instances) }
    #expect(error?.message.contains(#"both write the key "x.out.ipynb""#) == true)
    #expect(error?.path == "/action/output")
    let other = try step(
      #"{"name": "n", "foreach": {"names": {"a": [1, 2]}}, "action": {"notebook": "x.ipynb", "output": "$a.ipynb"}}"#)
    #expect(try other.checkKeys(of: instances) == false)
    let one = try other.instance(1, instances.values(1))
    #expect(one.notebook.output == "2.ipynb")
  }

  @Test("instances of which one reads what another one writes run in order")
  func order() throws {
    for (files, isInOrder) in [
      (#"{"inputs": ["in/$a"], "outputs": ["out/$a"]}"#, false),
      (#"{"inputs": ["d/$a.x"], "outputs": ["d/$a.y"]}"#, false),
      (#"{"inputs": ["d/$a"], "outputs": ["d/$a"]}"#, false), (#"{"inputs": ["d/x"], "outputs": ["d/$a"]}"#, true),
      (#"{"inputs": ["d/"], "outputs": ["d/$a"]}"#, true), (#"{"inputs": ["d"], "outputs": ["d/$a"]}"#, true),
      (#"{"inputs": ["d/x/in"], "outputs": ["d/$a/"]}"#, true), (#"{"inputs": ["x"], "outputs": ["d/$a/"]}"#, false),
      (#"{"inputs": ["next-$a"], "outputs": ["next-x$a"]}"#, true), (#"{"inputs": ["d/$a.x"]}"#, false),
    ] {
      let (step, instances) = try many(#"{"a": ["x", "y", "xx"]}"#, files)
      #expect(try step.checkKeys(of: instances) == isInOrder, "\(files)")
    }
  }

  /// Whether two keys overlap: they are one, or one may be a folder that has the other in it.
  private func overlap(_ one: VolumeKey, _ other: VolumeKey) -> Bool {
    one.path == other.path || other.isInside(one) || one.isInside(other)
  }

  @Test("the check says what looking at all pairs of keys says, for random templates and values", arguments: 1...40)
  func oracle(_ seed: Int) throws {
    var random = SplitMix(state: UInt64(seed))
    for _ in 0..<50 {
      func pick(_ all: [String]) -> String { all[Int(random.next() % UInt64(all.count))] }
      let texts = ["a", "b", "ab", "a/b", "a.b", ".", "a/", "1", "11", "x.y.z"]
      func list() -> String {
        "[" + (0..<(1 + random.next() % 3)).map { _ in "\"\(pick(texts))\"" }.joined(separator: ",") + "]"
      }
      func template() -> String {
        pick(["o/", "", "o/p/", "i/"])
          + (0..<(1 + random.next() % 3)).map { _ in pick(["$n", "${m}", ".", "/", "-", "a", "b"]) }.joined()
      }
      func keys(_ most: UInt64) -> String {
        "[" + (0..<(random.next() % (most + 1))).map { _ in "\"k\(template())\"" }.joined(separator: ",") + "]"
      }
      let names = #"{"n": \#(list()), "m": \#(list())}"#
      let files = #"{"inputs": \#(keys(2)), "outputs": \#(keys(2))}"#
      guard let (step, instances) = try? many(names, files) else { continue }
      var all: [(inputs: [VolumeKey], outputs: [VolumeKey])] = []
      var isKey = true
      for number in 0..<instances.count {
        guard let one = try? step.instance(number, instances.values(number)) else {
          isKey = false
          break
        }
        all.append((one.files.inputs, one.files.outputs))
      }
      var conflicts = false
      var reads = false
      for (at, one) in all.enumerated() {
        for (other, two) in all.enumerated() where other != at {
          for key in one.outputs { conflicts = conflicts || two.outputs.contains { overlap(key, $0) } }
          for key in one.inputs { reads = reads || two.outputs.contains { overlap(key, $0) } }
        }
      }
      let found = Result { try step.checkKeys(of: instances) }
      switch found {
      case .success(let isInOrder):
        #expect(isKey && !conflicts, "seed \(seed): \(names) \(files)")
        #expect(isInOrder == reads, "seed \(seed): \(names) \(files)")
      case .failure: #expect(!isKey || conflicts, "seed \(seed): \(names) \(files)")
      }
    }
  }

  private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var word = state
      word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
      word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
      return word ^ (word >> 31)
    }
  }

  @Test("keys that their templates keep apart are not looked at: a million instances are checked by their lists")
  func separate() throws {
    let list = "[" + (0..<1000).map { "\"v\($0)\"" }.joined(separator: ",") + "]"
    let (step, instances) = try many(
      #"{"a": \#(list), "b": \#(list)}"#, #"{"inputs": ["ref", "in/$a.x"], "outputs": ["out/$a-$b.x", "out/$a-$b.y"]}"#)
    let templates = try #require(step.templates)
    let first = try step.instance(0, instances.values(0)).files
    #expect(SeparateKeys.areSeparate(templates, first, instances))
    #expect(try step.checkKeys(of: instances) == false)
  }
}
