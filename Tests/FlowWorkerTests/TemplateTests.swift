import Testing

@testable import FWBase
@testable import FWModel

@Suite struct TemplateTests {
  private func expand(_ command: String, _ context: String? = nil, _ variables: [String: String] = [:]) throws -> String
  {
    var values = KeyValues()
    for (key, value) in variables { values.set(key, value) }
    let table = try VariableTable(values)
    let snapshot = try context.map { try withBytes($0) { try Context($0).snapshot } }
    let template = Template(command)
    #expect(template.fault == nil)
    var output = ByteBuffer()
    let range = template.expand(table, snapshot, into: &output)
    return text(output, range)
  }

  @Test(
    "placeholders are replaced, or by their own names if they have no value",
    arguments: [
      ("$a", "1"), ("${a}", "1"), ("$a${a}$a", "111"), ("$b", "b"), ("${b}.txt", "b.txt"), ("$b.txt", "b.txt"),
      ("$b/c", "b/c"),
      ("$b$a", "b1"), ("$$a", "$a"), ("$$", "$"), ("$$$a", "$1"), ("$${a}", "${a}"), ("$$(x)", "$(x)"), ("$aé", "1é"),
      ("$A", "A"),
      ("$_", "_"), ("${a}}", "1}"), ("", ""), ("no dollar", "no dollar"), ("$$$$", "$$"),
    ])
  func placeholders(_ command: String, _ expected: String) throws {
    #expect(try expand(command, #"{"a": 1}"#) == expected)
  }

  @Test("the worker's variables override the context, and placeholders in values stay")
  func precedence() throws {
    #expect(try expand("$a $b", #"{"a": "context", "b": "$a"}"#, ["a": "variable"]) == "variable $a")
  }

  @Test(
    "white space around the result is removed, as Python's strip does",
    arguments: [
      "  x ", "\u{A0}\u{2003}x\u{3000}\u{85}", "\u{1C}\t\r\n\u{B}\u{C}x\u{1F}", "x",
      "\u{2028}x\u{202F}\u{205F}\u{1680}",
    ])
  func strips(_ command: String) throws {
    #expect(try expand(command) == "x")
  }

  @Test("only white space is removed around the result", arguments: ["\u{200B}x\u{FEFF}", "\u{180E}x", "éx∂"])
  func keeps(_ command: String) throws {
    #expect(try expand(command) == command)
  }

  @Test("a value of white space can leave nothing")
  func nothing() throws {
    #expect(try expand(" $a ", #"{"a": " \n "}"#) == "")
  }

  @Test(
    "a dollar that begins no placeholder is an error with a position",
    arguments: [
      ("$", 1, 1), ("echo $(date)", 1, 6), ("a\nb $? c", 2, 3), ("$1", 1, 1), ("${1}", 1, 1), ("${a b}", 1, 1),
      ("${", 1, 1),
      ("${a", 1, 1), ("${}", 1, 1), ("$é", 1, 1), ("é\n\né $é", 3, 3), ("\r\na$(x)", 2, 2), ("a\rb$(x)", 2, 2),
      ("a\u{85}b $(x)", 2, 3),
      ("a\u{2028}b$(x)", 2, 2), ("a\u{B}b\u{C}c\u{1C}d$(x)", 4, 2), ("\n$(x)", 2, 1), ("$a $$ $", 1, 7),
      ("\r\r\n$", 3, 1),
    ])
  func faults(_ command: String, _ line: Int, _ column: Int) {
    #expect(Template(command).fault?.position == TextPosition(line: line, column: column))
  }

  @Test(
    "values are written as Python writes them, arrays and objects as compact JSON",
    arguments: [
      ("true", "True"), ("false", "False"), ("null", "None"), ("-7", "-7"),
      ("9223372036854775807", "9223372036854775807"),
      (#""te\u00e9xt""#, "teéxt"), ("[1, \"x\", [ ]]", "[1,\"x\",[]]"),
      ("{\"b\": 1, \"a\": null}", "{\"b\":1,\"a\":null}"),
    ])
  func values(_ json: String, _ expected: String) throws {
    #expect(try expand("$v", #"{"v": \#(json)}"#) == expected)
  }

  @Test(
    "numbers with a fraction have the shortest text of the same value",
    arguments: [
      (1.0, "1.0"), (1e15, "1000000000000000.0"), (9007199254740993.0, "9007199254740992.0"), (1e16, "1e+16"),
      (123456789012345680.0, "1.2345678901234568e+17"), (0.1 + 0.2, "0.30000000000000004"), (-0.0, "-0.0"),
      (1e-4, "0.0001"),
      (1e-5, "1e-05"), (1.5e-7, "1.5e-07"), (-1e100, "-1e+100"), (5e-324, "5e-324"), (1.5e300, "1.5e+300"),
      (100.0, "100.0"),
      (1234.5, "1234.5"), (.infinity, "inf"), (-.infinity, "-inf"),
    ])
  func reals(_ number: Double, _ expected: String) {
    #expect(ValueText.real(number) == expected)
  }
}
