// What does it cost to substitute the placeholders of a command?
//
// Limit: one pass over the bytes in C; for `:q` the same placeholder without it. The substitution has no entry point of
// its own, so run.sh builds this program over the layer that has it (Package.swift).

internal import CBench
internal import FWBase
internal import FWModel

final class Question {
  let template: Template
  let variables: VariableTable
  let context: ContextValues
  let command: [CChar]
  let times: Int

  init(_ command: String, times: Int) throws {
    template = Template(command)
    var variables = KeyValues()
    variables.set("python", "/usr/bin/python3")
    self.variables = try VariableTable(variables)
    let long = String(repeating: "It's a line of some 50 characters, and not shorter ", count: 2_000)
    var text = #"{"inputfile": "a.txt", "outputfile": "b.txt", "n": "5", "long": "\#(long)"}"#
    context = try text.withUTF8 { try Context(UnsafeRawBufferPointer($0)).snapshot }
    self.command = Array(command.utf8CString)
    self.times = times
  }

  /// Seconds for one substitution, as a step with one command has it.
  func ours() -> Double {
    let start = seconds_now()
    for _ in 0..<times {
      var output = ByteBuffer()
      let range = template.expand(variables, context, into: &output)
      if range.isEmpty { give_up("the substitution") }
    }
    return (seconds_now() - start) / Double(times)
  }

  func limit() -> Double {
    let names: [StaticString] = ["python", "inputfile", "outputfile", "n"]
    let texts: [StaticString] = ["/usr/bin/python3", "a.txt", "b.txt", "5"]
    return limit_expand(
      command, names.map(Question.pointer), texts.map(Question.pointer), names.count, times) / Double(times)
  }

  private static func pointer(_ text: StaticString) -> UnsafePointer<CChar>? {
    UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
  }
}

/// What is asked, and what it is compared with.
final class Pair {
  let ours: Question
  let limit: () -> Double

  init(_ ours: Question, limit: @escaping () -> Double) {
    self.ours = ours
    self.limit = limit
  }
}

func ask(_ text: String, _ question: Question, limit: @escaping () -> Double) {
  var rounds = rounds()
  let pair = Pair(question, limit: limit)
  withExtendedLifetime(pair) {
    compare(
      &rounds, 15,
      { Unmanaged<Pair>.fromOpaque($0!).takeUnretainedValue().ours.ours() },
      { Unmanaged<Pair>.fromOpaque($0!).takeUnretainedValue().limit() },
      Unmanaged.passUnretained(pair).toOpaque())
  }
  print_row(text, &rounds, "%.0f ns", 1e9)
}

func ask(_ text: String, _ question: Question) {
  ask(text, question, limit: question.limit)
}

/// Compares a command with `:q` in its placeholders with the same one without. `command` gets what follows the names.
func askQuoted(_ text: String, times: Int, _ command: (String) -> String) throws {
  ask(text, try Question(command(":q"), times: times), limit: try Question(command(""), times: times).ours)
}

let small = "${python} code/run.py --in $inputfile --out ${outputfile} --n $n"
let large = (0..<1000).map { "$inputfile ${outputfile} text\($0)" }.joined(separator: " ")
ask("expand: a command with 4 placeholders", try Question(small, times: 100_000))
ask("expand: a command with 2000 placeholders", try Question(large, times: 200))
try askQuoted("expand: 4 placeholders with :q, against without", times: 100_000) {
  "${python\($0)} code/run.py --in ${inputfile\($0)} --out ${outputfile\($0)} --n ${n\($0)}"
}
try askQuoted("expand: a value of 100 kB with 2000 quotes in it with :q, against without", times: 2_000) {
  "echo ${long\($0)}"
}
