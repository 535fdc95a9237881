/// A program of classic BPF over the data of a system call (seccomp(2)).
///
/// It is written from its end: jumps lead forward only, so what is jumped to is written before what jumps there. Then
/// each answer is written once, however many jumps lead to it. The kernel translates a program anew for each command,
/// which takes longer than all else that a filter costs, and takes as long as the program has instructions.
struct FilterProgram {
  /// The kernel's `struct sock_filter`.
  struct Instruction: Equatable {
    let code: UInt16
    var ifTrue: UInt8 = 0
    var ifFalse: UInt8 = 0
    let value: UInt32
  }

  enum Code {
    static let load: UInt16 = 0x20
    static let and: UInt16 = 0x54
    static let jump: UInt16 = 0x05
    static let isEqual: UInt16 = 0x15
    static let isAtLeast: UInt16 = 0x35
    static let hasAny: UInt16 = 0x45
    static let answer: UInt16 = 0x06
  }

  /// An instruction that has been written: the number of those that were written before it.
  typealias Place = Int

  private var reversed: [Instruction] = []
  private var answers: [UInt32: Place] = [:]

  var instructions: [Instruction] { reversed.reversed() }

  /// The place that gives an answer.
  mutating func answer(_ value: UInt32) -> Place {
    if let place = answers[value] { return place }
    let place = add(Instruction(code: Code.answer, value: value))
    answers[value] = place
    return place
  }

  /// Compares what was loaded.
  mutating func compare(_ code: UInt16, _ value: UInt32, ifTrue: Place, ifFalse: Place) -> Place {
    // A jump that is added for one makes the other farther by one.
    let ifTrue = near(ifTrue, spare: 1)
    let ifFalse = near(ifFalse, spare: 0)
    return add(
      Instruction(code: code, ifTrue: distance(ifTrue), ifFalse: distance(ifFalse), value: value))
  }

  /// Loads a word of the data. What was written last goes on.
  mutating func load(_ field: UInt32) -> Place { add(Instruction(code: Code.load, value: field)) }

  /// Keeps some bits of what was loaded. What was written last goes on.
  mutating func keep(_ bits: UInt32) { _ = add(Instruction(code: Code.and, value: bits)) }

  private mutating func add(_ instruction: Instruction) -> Place {
    reversed.append(instruction)
    return reversed.count - 1
  }

  /// A place that a comparison reaches, which leads at most 255 instructions further. A jump leads as far as it has to.
  private mutating func near(_ place: Place, spare: Int) -> Place {
    if reversed.count - 1 - place <= Int(UInt8.max) - spare { return place }
    return add(Instruction(code: Code.jump, value: UInt32(clamping: reversed.count - 1 - place)))
  }

  private func distance(_ place: Place) -> UInt8 { UInt8(clamping: reversed.count - 1 - place) }
}
