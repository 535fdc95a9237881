import Testing

@testable import FWBase
@testable import FWExecution
@testable import FWModel
@testable import FlowWorker

/// The work of each reader grows with its document: twice the names are twice the work.
@Suite struct ReadersTests {
  private static func list(_ count: Int, _ element: (Int) -> String) -> String {
    "[" + (0..<count).map(element).joined(separator: ",") + "]"
  }

  private static func object(_ count: Int, _ letter: String) -> String {
    "{" + (0..<count).map { "\"\(letter)\($0)\": \"value\($0)\"" }.joined(separator: ",") + "}"
  }

  private static let parameters: @Sendable (Int) -> String = { count in
    list(count) { "{\"name\": \"p\($0)\", \"dtype\": \"int\"}" }
  }

  private static func plan(_ worker: String, _ action: String, secrets: String = "[]") throws {
    let worker = try read("{\"name\": \"w\", \"type\": \"subprocess\", \(worker)}") { try Worker($0) }
    let step = try read(
      "{\"name\": \"s\", \"secrets\": \(secrets), \"action\": {\"environment\": \"\", \"commands\": [\"x\"]\(action)}}"
    ) {
      try Step($0)
    }
    _ = try worker.plan(step, nil, CText("/"), RunSettings())
  }

  private static func read<Document>(_ text: String, _ body: (UnsafeRawBufferPointer) throws -> Document) throws
    -> Document
  {
    try Array(text.utf8).withUnsafeBytes { try body($0) }
  }

  static let readers: [String: @Sendable (Int) throws -> Void] = [
    "parameters": { count in
      _ = try read("{\"workflow\": {\"steps\": []}, \"parameters\": \(parameters(count))}") { try Workflow($0) }
    },
    "references": { count in
      let references = "{" + (0..<count).map { "\"k\($0)\": \"$[[p\($0)]]\"" }.joined(separator: ",") + "}"
      _ = try read(
        "{\"workflow\": {\"parameters\": \(references), \"steps\": []}, \"parameters\": \(parameters(count))}"
      ) {
        try Workflow($0)
      }
    },
    "fields": { count in
      let fields = list(count) { "{\"name\": \"f\($0)\", \"dtype\": \"int\"}" }
      let values = list(count) { "{\"name\": \"f\($0)\", \"value\": \"\($0)\"}" }
      _ = try read(
        "{\"workflow\": {\"steps\": []}, \"parameters\": [{\"name\": \"r\", \"dtype\": \"record\", "
          + "\"fields\": \(fields), \"defaultValue\": \(values)}]}"
      ) { try Workflow($0) }
    },
    "choices": { count in
      let values = list(count) { "{\"value\": \"v\($0)\"}" }
      let elements = "{\"name\": \"s\", \"dtype\": \"select\", \"values\": \(values)}"
      _ = try read(
        "{\"workflow\": {\"steps\": []}, \"parameters\": [{\"name\": \"l\", \"dtype\": \"list\", "
          + "\"para\": \(elements), \"defaultValue\": \(list(count) { "\"v\($0)\"" })}]}"
      ) { try Workflow($0) }
    },
    "wrong reference": { count in
      let steps = "[{\"name\": \"x\", \"action\": \"$[[zz]]\"}]"
      #expect(throws: FlowError.self) {
        try read("{\"workflow\": {\"steps\": \(steps)}, \"parameters\": \(parameters(count))}") { try Workflow($0) }
      }
    },
    "steps": { count in
      let steps = list(count) { "{\"name\": \"s\($0)\", \"action\": {\"environment\": \"\", \"commands\": []}}" }
      _ = try read("{\"steps\": \(steps)}") { try Workflow($0) }
    },
    "volumes": { count in
      let volumes = list(count) { "{\"name\": \"v\($0)\", \"type\": \"fs\", \"args\": {\"basedir\": \"/x\"}}" }
      _ = try read("{\"volumes\": \(volumes)}") { try Pool($0) }
    },
    "workers": { count in _ = try read(list(count) { "{\"name\": \"w\($0)\", \"type\": \"code\"}" }) { try Pool($0) } },
    "resources": { count in
      let amounts: [String] = (0..<count).map { "\"r\($0)\": \($0)" }
      let names: String = amounts.joined(separator: ",")
      let ids: String = list(count) { "\"\($0)\"" }
      let totals: String = "{\"i\": {\"ids\": \(ids), \"variable\": \"V\"}, \(names)}"
      let pool = try read("{\"resources\": \(totals)}") { try Pool($0) }
      let action: String = "{\"environment\": \"\", \"commands\": []}"
      let step = try read("{\"name\": \"s\", \"resources\": {\(names)}, \"action\": \(action)}") { try Step($0) }
      #expect(try LedgerClient(pool.ledger).request(for: step, nil) != nil)
      _ = try pool.worker(for: step).takeUnretainedValue().plan(step, nil, CText("/"), RunSettings())
    },
    "variables of resources": { count in
      let totals: [String] = (0..<count).map { "\"r\($0)\": {\"ids\": [], \"variable\": \"V\($0)\"}" }
      let text: String = totals.joined(separator: ",")
      _ = try read("{\"resources\": {\(text)}}") { try Pool($0) }
    },
    "managers": { count in _ = try read("{\"managers\": \(object(count, "s"))}") { try Pool($0) } },
    "variables": { count in
      _ = try read("{\"name\": \"w\", \"type\": \"subprocess\", \"variables\": \(object(count, "v"))}") {
        try Worker($0)
      }
    },
    "env of worker and step": { count in try plan("\"env\": \(object(count, "W"))", ", \"env\": \(object(count, "S"))")
    },
    "secrets and env": { count in
      try plan("\"env\": \(object(count, "W")), \"secrets\": \(list(count) { "\"W\($0)\"" })", "")
    },
    "secrets of a step": { count in
      try plan("\"env\": \(object(count, "W"))", "", secrets: list(count) { "\"W\($0)\"" })
    },
  ]

  @Test("eight times the names are about eight times the work", arguments: readers.keys.sorted())
  func linear(_ reader: String) throws {
    let read = try #require(ReadersTests.readers[reader])
    func work(_ count: Int) throws -> Int {
      let work = Name.Work()
      try Name.$work.withValue(work) { try read(count) }
      return work.count
    }
    let (small, large) = (try work(500), try work(4000))
    // A reader without any counted work would prove nothing.
    #expect(large >= 4000)
    // Square growth would be 64 times the work. Hash tables differ from run to run and grow in steps, so 16 times
    // passes.
    #expect(large <= small * 16, "\(small) for 500, \(large) for 4000")
    #expect(large <= 50 * 4000)
  }

  @Test("names are bytes: two spellings that Unicode calls equivalent are two names")
  func bytes() throws {
    let (one, two) = ("\u{e9}", "e\u{301}")
    #expect(one == two)
    #expect(Name(one) != Name(two) && Name(one) == Name("\u{e9}"))
    var values = KeyValues()
    for index in 0..<20 {
      values.set("\(index)\(one)", "1")
      values.set("\(index)\(two)", "2")
    }
    #expect(values.pairs.count == 40)
    for index in 0..<20 { #expect(values["\(index)\(one)"] == "1" && values["\(index)\(two)"] == "2") }
    #expect(Reference("$[[\u{301}x?\u{301}a:\u{301}b]]")?.name == "\u{301}x")
  }
}
