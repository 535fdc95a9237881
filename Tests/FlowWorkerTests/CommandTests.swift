import Testing

@testable import FWBase
@testable import FWModel

@Suite struct CommandTests {
  private func expanded(_ commands: String, _ context: String = "{}") throws -> [Command] {
    let commands = try Kept(commands, context)
    return commands.all
  }

  /// The commands of a step with their bytes, which the test keeps alive.
  private final class Kept {
    private let commands: ExpandedCommands
    var notes: [String] { commands.notes }
    var all: [Command] { (0..<commands.count).map { commands[$0] } }
    func words(_ index: Int) -> [String] { commands[index].words.map { String(decoding: $0, as: UTF8.self) } }
    func text(_ index: Int) -> String { commands[index].text }

    init(_ commands: String, _ context: String) throws {
      let step = try step(#"{"name": "s", "action": {"environment": "", "commands": \#(commands)}}"#)
      let values = try withBytes(context) { try Context($0).snapshot }
      let none = try VariableTable(KeyValues())
      try step.checkCommands(none, values, Secrets.none)
      self.commands = try ExpandedCommands(step, none, values)
    }
  }

  @Test(
    "each word stays one word, whatever its value has",
    arguments: [
      (#"["p", "$a"]"#, ["p", "a b"]), (#"["p", "x${a}y", "$a$a"]"#, ["p", "xa by", "a ba b"]),
      (#"["p", " $a ", "", "$$a"]"#, ["p", " a b ", "", "$a"]), (#"["$a"]"#, ["a b"]),
      (#"["p", "$empty"]"#, ["p", ""]), (#"["p", "$n", "$t"]"#, ["p", "1.0", "True"]),
    ])
  func words(_ command: String, _ expected: [String]) throws {
    let kept = try Kept("[\(command)]", #"{"a": "a b", "empty": "", "n": 1.0, "t": true}"#)
    #expect(kept.all[0].isWords)
    #expect(kept.words(0) == expected)
  }

  @Test(
    "a placeholder alone whose value is a list becomes as many words",
    arguments: [
      (#"["p", "$l"]"#, ["p", "1 2", "b", "3", "[4,\"x\"]", "None"]), (#"["p", "${l}", "z"]"#, nil),
      (#"["p", "$none", "z"]"#, ["p", "z"]), (#"["p", "-$m"]"#, ["p", #"-["q"]"#]), (#"["$m", "z"]"#, ["q", "z"]),
    ] as [(String, [String]?)])
  func lists(_ command: String, _ expected: [String]?) throws {
    let kept = try Kept("[\(command)]", #"{"l": ["1 2", "b", 3, [4, "x"], null], "none": [], "m": ["q"]}"#)
    #expect(kept.words(0) == expected ?? ["p", "1 2", "b", "3", "[4,\"x\"]", "None", "z"])
  }

  @Test("a variable of the worker comes before a list of the context")
  func variable() throws {
    let step = try step(#"{"name": "s", "action": {"environment": "", "commands": [["p", "$l"]]}}"#)
    let values = try withBytes(#"{"l": [1, 2]}"#) { try Context($0).snapshot }
    var variables = KeyValues()
    variables.set("l", "v")
    let commands = try ExpandedCommands(step, VariableTable(variables), values)
    #expect(commands[0].words.map { String(decoding: $0, as: UTF8.self) } == ["p", "v"])
  }

  @Test(
    "words are shown as a person would write them for a shell",
    arguments: [
      (#"["ls", "-l", "a/b.txt"]"#, "ls -l a/b.txt"), (#"["p", "a b", "", "O'Brien"]"#, #"p 'a b' '' 'O'\''Brien'"#),
      (#"["p", "~", "*", "é", "a\nb"]"#, "p '~' '*' é 'a\nb'"),
    ])
  func shown(_ command: String, _ expected: String) throws {
    #expect(try Kept("[\(command)]", "{}").text(0) == expected)
  }

  @Test(
    "a quoted value is one word of a shell, and a list is one word per element",
    arguments: [
      ("echo ${a:q}", "echo 'O'\\''Brien; $x'"), ("x${a:q}y", "x'O'\\''Brien; $x'y"), ("${n:q} ${t:q}", "'1.0' 'True'"),
      ("p ${l:q} z", "p 'a b' '2' '[3]' z"), ("p ${none:q} z", "p  z"), ("${o:q}", #"'{"k":"'\''"}'"#),
      ("${nix:q}", "'nix'"), ("$${a:q}", "${a:q}"), ("${empty:q}", "''"),
    ])
  func quoting(_ command: String, _ expected: String) throws {
    let context =
      #"{"a": "O'Brien; $x", "n": 1.0, "t": true, "l": ["a b", 2, [3]], "none": [], "o": {"k": "'"}, "empty": ""}"#
    var writer = JSONWriter()
    writer.string(command)
    let kept = try Kept("[\(text(writer.buffer()))]", context)
    #expect(kept.text(0) == expected)
  }

  @Test(
    "a quoted placeholder in a place where its quotes do not protect it is a note",
    arguments: [
      ("echo '${a:q}'", 1), (#"echo "${a:q}""#, 1), (#"echo "x" ${a:q} 'y'"#, 0), (#"echo "\"${a:q}""#, 1),
      (#"echo \"${a:q}"#, 0), (#"echo 'x\' ${a:q}"#, 0), ("echo '$a' ${a:q}", 0),
      (#"n="$$(wc -c < ${a:q})"; echo "$$n""#, 0), (#"n="$$(echo "${a:q}")""#, 1), ("echo $$(echo ${a:q}) ${a:q}", 0),
      ("cat <<EOF\n${a:q}\nEOF", 1), ("cat <<'EOF'\n${a:q}\nEOF\necho ${a:q}", 1),
      ("cat <<-E ${a:q}\n\t${a:q}\n\tE\necho ${a:q}", 1), ("cat <<A <<B\n${a:q}\nA\n${a:q}\nB\necho ${a:q}", 2),
      ("cat <<< ${a:q}", 0), (#"echo \${a:q}"#, 1), (#"echo \\${a:q}"#, 0), ("# its ${a:q}\necho ${a:q}", 1),
      ("echo a#b ${a:q}", 0), ("echo `echo ${a:q}` ${a:q}", 1), (#""$${Y:-${a:q}}""#, 1), ("cat <<", 0),
      ("case x in x) echo ${a:q};; esac", 0), ("(echo ${a:q})", 0), (#"echo "a#b" ${a:q}"#, 0),
    ])
  func unprotected(_ command: String, _ count: Int) throws {
    var writer = JSONWriter()
    writer.string(command)
    #expect(try Kept("[\(text(writer.buffer()))]", #"{"a": "b"}"#).notes.count == count)
  }

  @Test("the names of unknown placeholders are found with their places and the closest name")
  func unknown() throws {
    let step = try step(
      #"""
      {"name": "s", "action": {"environment": "", "commands": ["rm $TMPDRI/x $known", ["p", "$given", "\n $other"]]}}
      """#)
    let values = try withBytes(#"{"TMPDIR": "/t", "known": 1}"#) { try Context($0).snapshot }
    let none = try VariableTable(KeyValues())
    let found = step.unknownPlaceholders(none, values, given: [Name("given")], atMost: 10)
    #expect(found.map(\.name) == ["TMPDRI", "other"])
    #expect(found.map(\.command) == [0, 1])
    #expect(found.map(\.word) == [nil, 2])
    #expect(found.map(\.position) == [TextPosition(line: 1, column: 5), TextPosition(line: 2, column: 3)])
    #expect(found[0].closest == "TMPDIR")
    let error = failure { try step.checkPlaceholders(none, values) }
    #expect(error?.code == .template)
    #expect(error?.path == "/action/commands/0")
  }

  @Test(
    "words that cannot be run are refused",
    arguments: [
      (#"[["$none"]]"#, "/action/commands/0/0"), (#"[["$empty"]]"#, "/action/commands/0/0"),
      (#"["x", ["p", "${a:q}"]]"#, "/action/commands/1/1"), (#"[["p", "$("]]"#, "/action/commands/0/1"),
    ])
  func refused(_ commands: String, _ path: String) throws {
    let error = failure { _ = try Kept(commands, #"{"none": [], "empty": "", "a": 1}"#) }
    #expect(error?.code == .template)
    #expect(error?.path == path)
  }

  @Test(
    "documents of commands that cannot be read are refused with their place",
    arguments: [
      ("[[]]", "/action/commands/0"), (#"[[""]]"#, "/action/commands/0/0"),
      (#"["a", ["b", 1]]"#, "/action/commands/1/1"),
      ("[1]", "/action/commands/0"), ("{}", "/action/commands"),
    ])
  func documents(_ commands: String, _ path: String) {
    let error = failure { _ = try step(#"{"name": "s", "action": {"environment": "", "commands": \#(commands)}}"#) }
    #expect(error?.code == .document)
    #expect(error?.path == path)
  }
}
