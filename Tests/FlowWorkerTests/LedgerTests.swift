import CSystem
import Glibc
import Testing

@testable import FWBase
@testable import FWExecution
@testable import FWModel
@testable import FWSystem

/// What the steps of a pool take while they run.
@Suite struct LedgerTests {
  private func totals(_ json: String) throws -> ResourceTotals {
    try withBytes(json) { text throws(FlowError) in
      try JSONText.read(text) { (json) throws(ValidationError) in try ResourceTotals(reading: json) }
    }
  }

  private func taking(_ resources: String) throws -> Step {
    try step(#"{"name": "s", "action": {"environment": "", "commands": []}, "resources": \#(resources)}"#)
  }

  private func isReadable(_ client: LedgerClient) -> Bool { Waiting(channel: client.fd).poll(0).isAny }

  @Test("decimals are exact: three times 0.1 of 0.3 fit, and a fourth does not")
  func exactSums() throws {
    let client = LedgerClient(try ResourceLedger(totals(#"{"cpus": 0.3}"#)))
    let request = try #require(try client.request(for: taking(#"{"cpus": 0.1}"#), nil))
    let grants = (0..<3).map { _ in client.acquire(request) }
    #expect(grants.allSatisfy { $0 != nil })
    #expect(client.acquire(request) == nil)
    grants[1]?.release()
    #expect(client.acquire(request) != nil)
  }

  @Test("a step takes everything or nothing")
  func allOrNothing() throws {
    let client = LedgerClient(try ResourceLedger(totals(#"{"a": 1, "b": 1}"#)))
    let both = try #require(try client.request(for: taking(#"{"a": 1, "b": 1}"#), nil))
    let a = try #require(try client.request(for: taking(#"{"a": 1}"#), nil))
    let b = try #require(try client.request(for: taking(#"{"b": 1}"#), nil))
    let held = try #require(client.acquire(b))
    #expect(client.acquire(both) == nil && both.held == .resources)
    // The refused step has not kept `a`.
    let other = client.acquire(a)
    #expect(other != nil)
    held.release()
    other?.release()
    #expect(client.acquire(both) != nil)
  }

  @Test("steps that take the same share one request, and a step that takes nothing has none")
  func interning() throws {
    let client = LedgerClient(try ResourceLedger(totals(#"{"a": 4}"#)))
    let place = Stock(places: 2)
    #expect(try client.request(for: taking("{}"), nil) == nil)
    #expect(try client.request(for: taking(#"{"a": 0}"#), nil) == nil)
    let one = try client.request(for: taking(#"{"a": 2}"#), place)
    #expect(try client.request(for: taking(#"{"a": 2}"#), place) === one)
    #expect(try client.request(for: taking(#"{"a": 2}"#), nil) !== one)
  }

  @Test("what refuses a request is its worker's limit, or resources")
  func reasons() throws {
    let client = LedgerClient(try ResourceLedger(totals(#"{"a": 1}"#)))
    let place = Stock(places: 1)
    let request = try #require(try client.request(for: taking(#"{"a": 1}"#), place))
    let grant = client.acquire(request)
    #expect(client.acquire(request) == nil && request.held == .limit)
    client.beginRound()
    client.endRound()
    grant?.release()
    let other = try #require(try client.request(for: taking(#"{"a": 1}"#), nil))
    let held = client.acquire(other)
    #expect(client.acquire(request) == nil && request.held == .resources)
    held?.release()
  }

  @Test("ids are the lowest that are free, and come as they were written")
  func ids() throws {
    let ledger = try ResourceLedger(totals(#"{"gpu": {"ids": ["GPU-a", "7", "-1"], "variable": "GPUS"}}"#))
    let client = LedgerClient(ledger)
    let one = try #require(try client.request(for: taking(#"{"gpu": 1}"#), nil))
    let two = try #require(try client.request(for: taking(#"{"gpu": 2}"#), nil))
    let first = try #require(client.acquire(one))
    #expect(first.environment["GPUS"] == "GPU-a")
    let second = try #require(client.acquire(two))
    #expect(second.environment["GPUS"] == "7,-1")
    first.release()
    #expect(first.environment.isEmpty)
    #expect(client.acquire(one)?.environment["GPUS"] == "GPU-a")
    second.release()
    #expect(client.acquire(two)?.environment["GPUS"] == "GPU-a,7")
  }

  @Test("the resources of a run replace those of the pool for this run alone")
  func ownResources() throws {
    let ledger = try ResourceLedger(totals(#"{"cpus": 1, "net": 1}"#))
    let plain = LedgerClient(ledger)
    let own = LedgerClient(ledger, try totals(#"{"cpus": 2}"#))
    let two = try taking(#"{"cpus": 2}"#)
    #expect(failure { _ = try plain.request(for: two, nil) }?.path == "/resources/cpus")
    let grant = own.acquire(try #require(try own.request(for: two, nil)))
    #expect(grant != nil)
    // What the run has of its own says nothing of the pool's.
    #expect(plain.acquire(try #require(try plain.request(for: taking(#"{"cpus": 1}"#), nil))) != nil)
    // The others are shared.
    let net = try taking(#"{"net": 1}"#)
    let held = plain.acquire(try #require(try plain.request(for: net, nil)))
    #expect(held != nil)
    #expect(own.acquire(try #require(try own.request(for: net, nil))) == nil)
  }

  @Test("a request that a run does not ask for any more holds nothing and nobody")
  func rounds() throws {
    let ledger = try ResourceLedger(totals(#"{"a": 1}"#))
    let (one, other) = (LedgerClient(ledger), LedgerClient(ledger))
    let step = try taking(#"{"a": 1}"#)
    let (its, others) = (try #require(try one.request(for: step, nil)), try #require(try other.request(for: step, nil)))
    let grant = one.acquire(its)
    other.beginRound()
    #expect(other.acquire(others) == nil)
    other.endRound()
    #expect(!isReadable(other))
    grant?.release()
    #expect(isReadable(other))
    // It is offered to the other run, and so it is not free.
    #expect(one.acquire(its) == nil)
    #expect(!isReadable(one))
    other.beginRound()
    other.endRound()
    #expect(!isReadable(other) && isReadable(one))
    #expect(one.acquire(its) != nil)
  }

  @Test("a run that goes away hands on what it has been offered and what its steps have")
  func leaving() throws {
    let ledger = try ResourceLedger(totals(#"{"a": 1}"#))
    let waiting = LedgerClient(ledger)
    let step = try taking(#"{"a": 1}"#)
    let request = try #require(try waiting.request(for: step, nil))
    var first: LedgerClient? = LedgerClient(ledger)
    var grant = try first?.acquire(#require(try first?.request(for: step, nil)))
    #expect(grant != nil)
    var second: LedgerClient? = LedgerClient(ledger)
    #expect(try second?.acquire(#require(try second?.request(for: step, nil))) == nil)
    #expect(waiting.acquire(request) == nil)
    first = nil
    grant = nil
    #expect(second.map(isReadable) == true && !isReadable(waiting))
    second = nil
    #expect(isReadable(waiting))
    #expect(waiting.acquire(request) != nil)
    withExtendedLifetime((first, grant)) {}
  }

  @Test("a run with 3 steps has its turn after each step of a run with 10,000")
  func fairness() throws {
    let ledger = try ResourceLedger()
    let place = Stock(places: 1)
    let (many, few) = (LedgerClient(ledger), LedgerClient(ledger))
    let step = try taking("{}")
    let (its, others) = (
      try #require(try many.request(for: step, place)), try #require(try few.request(for: step, place))
    )
    var order = ""
    var left = (many: 10_000, few: 3)
    var grant: Grant?
    while left.many + left.few > 0 {
      // The run with many is always the first to ask.
      if grant == nil, left.many > 0, let next = many.acquire(its) {
        (grant, order, left.many) = (next, order + "m", left.many - 1)
      } else if left.many > 0 {
        #expect(many.acquire(its) == nil)
      }
      if left.few > 0, let next = few.acquire(others) {
        #expect(grant == nil)
        (grant, order, left.few) = (next, order + "f", left.few - 1)
      }
      grant?.release()
      grant = nil
    }
    #expect(order.hasPrefix("mfmfmfmm"))
    #expect(order.utf8.count == 10_003)
  }

  @Test("a large request that 16 smaller ones have passed gets its turn when those that run have ended")
  func starvation() throws {
    let ledger = try ResourceLedger(totals(#"{"cpus": 8}"#))
    let (small, large) = (LedgerClient(ledger), LedgerClient(ledger))
    let one = try #require(try small.request(for: taking(#"{"cpus": 1}"#), nil))
    let all = try #require(try large.request(for: taking(#"{"cpus": 8}"#), nil))
    var running = (0..<8).compactMap { _ in small.acquire(one) }
    #expect(running.count == 8)
    #expect(large.acquire(all) == nil)
    var passes = 0
    var ends = 0
    while !running.isEmpty {
      running.removeFirst().release()
      ends += 1
      if let next = small.acquire(one) {
        passes += 1
        running.append(next)
      }
      #expect(ends < 100)
      if ends >= 100 { return }
    }
    #expect(passes == 16)
    #expect(ends == 24)
    #expect(isReadable(large))
    let grant = large.acquire(all)
    #expect(grant != nil)
    #expect(small.acquire(one) == nil)
    grant?.release()
    #expect(isReadable(small))
    #expect(small.acquire(one) != nil)
  }

  @Test("what a starved request has no use for is free for others")
  func starvationIsLocal() throws {
    let ledger = try ResourceLedger(totals(#"{"cpus": 2, "net": 1, "disk": 8}"#))
    let client = LedgerClient(ledger)
    let other = LedgerClient(ledger)
    let large = try #require(try client.request(for: taking(#"{"cpus": 2, "disk": 1}"#), nil))
    let one = try #require(try other.request(for: taking(#"{"cpus": 1}"#), nil))
    let net = try #require(try other.request(for: taking(#"{"net": 1}"#), nil))
    let disk = try #require(try other.request(for: taking(#"{"disk": 7}"#), nil))
    let allDisks = try #require(try other.request(for: taking(#"{"disk": 8}"#), nil))
    var running = (0..<2).compactMap { _ in other.acquire(one) }
    #expect(client.acquire(large) == nil)
    while let first = running.first {
      running.removeFirst()
      first.release()
      if running.count == 1, let next = other.acquire(one) { running.append(next) } else { break }
    }
    #expect(running.count == 1 && other.acquire(one) == nil)
    #expect(other.acquire(net) != nil)
    #expect(other.acquire(disk) != nil)
    #expect(other.acquire(allDisks) == nil)
    running.removeAll()
    #expect(client.acquire(large) != nil)
  }

  @Test("a run that nobody drives loses its turn after a while, and has the next one when it is driven again")
  func undriven() throws {
    let clock = Clock()
    let ledger = try ResourceLedger(totals(#"{"a": 1}"#)) { clock.now }
    let (driven, idle) = (LedgerClient(ledger), LedgerClient(ledger))
    let step = try taking(#"{"a": 1}"#)
    let (its, idles) = (
      try #require(try driven.request(for: step, nil)), try #require(try idle.request(for: step, nil))
    )
    var grant = driven.acquire(its)
    #expect(idle.acquire(idles) == nil)
    grant?.release()
    #expect(driven.acquire(its) == nil)
    clock.now += LedgerQueue.lapse
    grant = driven.acquire(its)
    #expect(grant != nil)
    // Nobody waits for it a second time.
    grant?.release()
    grant = driven.acquire(its)
    #expect(grant != nil)
    #expect(isReadable(idle))
    #expect(idle.acquire(idles) == nil)
    grant?.release()
    #expect(driven.acquire(its) == nil)
    #expect(idle.acquire(idles) != nil)
  }

  @Test("a run whose descriptor the host has closed asks again and again")
  func lostDescriptor() throws {
    let ledger = try ResourceLedger(totals(#"{"a": 1}"#))
    let (one, other) = (LedgerClient(ledger), LedgerClient(ledger))
    let step = try taking(#"{"a": 1}"#)
    let grant = one.acquire(try #require(try one.request(for: step, nil)))
    let request = try #require(try other.request(for: step, nil))
    #expect(other.acquire(request) == nil)
    close(other.fd)
    #expect(other.fd == fws_fd.lost)
    #expect(isReadable(other))
    grant?.release()
    #expect(other.acquire(request) != nil)
  }

  @Test("a step that gives back and takes again waits in its turn", arguments: [true, false])
  func takingAgain(isOfRun: Bool) throws {
    let ledger = try ResourceLedger(totals(#"{"gpu": {"ids": ["0"], "variable": "GPU"}}"#))
    let step = try taking(#"{"gpu": 1}"#)
    let grant: Grant
    if isOfRun {
      let client = LedgerClient(ledger)
      let request = try #require(try client.request(for: step, nil))
      grant = try #require(client.acquire(request))
    } else {
      grant = try #require(try Grant(ledger, for: step, nil))
    }
    #expect(grant.take() && grant.environment["GPU"] == "0")
    let other = LedgerClient(ledger)
    let request = try #require(try other.request(for: step, nil))
    #expect(other.acquire(request) == nil)
    grant.release()
    #expect(!grant.take() && grant.environment.isEmpty)
    let held = other.acquire(request)
    #expect(held != nil)
    #expect(!Waiting(channel: grant.fd).poll(0).isAny)
    held?.release()
    #expect(Waiting(channel: grant.fd).poll(0).isAny)
    #expect(grant.take() && grant.environment["GPU"] == "0")
  }

  /// Random requests from many threads. Nothing is overdrawn, no id is in two hands, and each thread gets all it asks
  /// for: a request that is never served lets the test run for ever.
  @Test("many threads never have more than there is, and all are served")
  func threads() throws {
    let total: [Int64] = [8_000, 1_500, 4_000]
    let ledger = try ResourceLedger(
      totals(#"{"cpus": 8, "net": 1.5, "gpu": {"ids": ["a", "b", "c", "d"], "variable": "GPU"}}"#))
    let place = Stock(places: 5)
    let used = try Guarded(Used())
    let seed = UInt64.random(in: 0...UInt64.max)
    let runners = try (0..<8).map { number in
      try Runner(LedgerClient(ledger), place, used, total, seed: seed &+ UInt64(number), self.taking)
    }
    Runner.run(runners)
    #expect(runners.allSatisfy { $0.served == Runner.count }, "seed \(seed)")
    used.withLock { used in
      #expect(used.faults.isEmpty, "seed \(seed): \(used.faults.first ?? "")")
      #expect(used.amounts == [0, 0, 0] && used.places == 0 && used.ids.isEmpty)
    }
  }
}

private final class Clock: @unchecked Sendable {
  // The conformance is unchecked because the test is one thread.
  var now = 0.0
}

/// What the threads of a test have by their own account.
private struct Used {
  var amounts: [Int64] = [0, 0, 0]
  var places = 0
  var ids: Set<String> = []
  var faults: [String] = []
}

/// A thread that takes what it is told at random, and has up to three grants at once.
private final class Runner: @unchecked Sendable {
  // The conformance is unchecked because one thread uses the object, and the test reads it when the thread has ended.
  static let count = 1500

  private let client: LedgerClient
  private let used: Guarded<Used>
  private let total: [Int64]
  private var random: SplitMix
  /// The amounts of each request, and whether it takes a place.
  private var requests: [(request: SlotRequest, amounts: [Int64], isPlaced: Bool)] = []
  private(set) var served = 0

  init(
    _ client: LedgerClient, _ place: Stock, _ used: Guarded<Used>, _ total: [Int64], seed: UInt64,
    _ taking: (String) throws -> Step
  ) throws {
    self.client = client
    self.used = used
    self.total = total
    random = SplitMix(state: seed)
    for number in 0..<6 {
      let amounts: [Int64] = [
        Int64.random(in: 0...8, using: &random) * 1000, Int64.random(in: 0...3, using: &random) * 500,
        Int64.random(in: 0...4, using: &random) * 1000,
      ]
      let json =
        #"{"cpus": \#(amounts[0] / 1000), "net": \#(amounts[1] / 1000).\#(amounts[1] % 1000 / 100), "#
        + #""gpu": \#(amounts[2] / 1000)}"#
      guard let request = try client.request(for: taking(json), number % 2 == 0 ? place : nil) else { continue }
      requests.append((request, amounts, number % 2 == 0))
    }
  }

  static func run(_ runners: [Runner]) {
    let threads = runners.map { runner in
      var thread = pthread_t()
      pthread_create(
        &thread, nil,
        { context in
          if let context { Unmanaged<Runner>.fromOpaque(context).takeUnretainedValue().run() }
          return nil
        }, Unmanaged.passUnretained(runner).toOpaque())
      return thread
    }
    for thread in threads { pthread_join(thread, nil) }
    withExtendedLifetime(runners) {}
  }

  private func run() {
    var grants: [(grant: Grant, number: Int)] = []
    while served < Runner.count {
      client.beginRound()
      let number = Int.random(in: requests.indices, using: &random)
      if let grant = client.acquire(requests[number].request) {
        account(grant, number, 1)
        grants.append((grant, number))
        served += 1
        client.endRound()
      } else if let (grant, held) = grants.popLast() {
        // A thread that waits with something in its hands could wait for another that does the same.
        client.endRound()
        account(grant, held, -1)
        grant.release()
        continue
      } else {
        client.endRound()
        while true {
          _ = Waiting(channel: client.fd).poll(-1)
          guard let grant = client.acquire(requests[number].request) else { continue }
          account(grant, number, 1)
          grants.append((grant, number))
          served += 1
          break
        }
      }
      if grants.count == 3 {
        let (grant, held) = grants.remove(at: Int.random(in: 0..<3, using: &random))
        account(grant, held, -1)
        grant.release()
      }
    }
    for (grant, number) in grants {
      account(grant, number, -1)
      grant.release()
    }
  }

  private func account(_ grant: Grant, _ number: Int, _ sign: Int64) {
    let (_, amounts, isPlaced) = requests[number]
    let ids = grant.environment["GPU"]?.pieces(at: ",").map { String($0) } ?? []
    used.withLock { used in
      for index in amounts.indices {
        used.amounts[index] += sign * amounts[index]
        if used.amounts[index] > total[index] { used.faults.append("resource \(index) is overdrawn") }
      }
      if isPlaced { used.places += Int(sign) }
      if used.places > 5 { used.faults.append("more steps than places") }
      if Int64(ids.count) * 1000 != amounts[2] { used.faults.append("\(ids.count) ids for \(amounts[2])") }
      for id in ids {
        if sign < 0 { used.ids.remove(id) } else if !used.ids.insert(id).inserted { used.faults.append("\(id) twice") }
      }
    }
  }
}

/// A small generator that gives the same numbers for the same seed.
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
