// What does it cost to substitute the placeholders of a command?
//
// Limit: one pass over the bytes in C. The substitution has no entry point of its own, so run.sh
// builds this program over the layer that has it (Package.swift).

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
    var text = #"{"inputfile": "a.txt", "outputfile": "b.txt", "n": "5"}"#
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

func ask(_ text: String, _ question: Question) {
  var rounds = rounds()
  compare(
    &rounds, 15,
    { Unmanaged<Question>.fromOpaque($0!).takeUnretainedValue().ours() },
    { Unmanaged<Question>.fromOpaque($0!).takeUnretainedValue().limit() },
    Unmanaged.passUnretained(question).toOpaque())
  print_row(text, &rounds, "%.0f ns", 1e9)
}

let small = "${python} code/run.py --in $inputfile --out ${outputfile} --n $n"
let large = (0..<1000).map { "$inputfile ${outputfile} text\($0)" }.joined(separator: " ")
ask("expand: a command with 4 placeholders", try Question(small, times: 100_000))
ask("expand: a command with 2000 placeholders", try Question(large, times: 200))
