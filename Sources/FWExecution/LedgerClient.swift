package import FWBase
package import FWModel

/// A run that takes places and resources from a ledger for its steps. Calls of one client never overlap; clients of one
/// ledger may be used by different threads.
///
/// A run asks in rounds, between `beginRound` and `endRound`, whenever it may start a step and whenever `fd` can be
/// read. It decides the order in which it asks, and asks for each request that it has a ready step for. What it has not
/// asked for in a round, it does not wait for any more.
package final class LedgerClient {
  private let ledger: ResourceLedger
  /// The resources of the run alone, which replace those of the pool with the same names.
  private let own: [Name: Stock]
  private let seat = Seat(isWatched: true)
  /// The requests by what they need. All steps that need the same share one request.
  private var requests: [Key: SlotRequest] = [:]

  private struct Key: Hashable {
    let stocks: [ObjectIdentifier]
    let amounts: [Int64]
  }

  /// - Parameter totals: the resources of the run alone.
  package init(_ ledger: ResourceLedger, _ totals: ResourceTotals = ResourceTotals()) {
    self.ledger = ledger
    own = Stock.table(totals)
  }

  deinit { ledger.leave(seat) }

  /// Gives what a step has to ask for; `nil` if it takes nothing. Throws if the step could never run.
  ///
  /// - Parameter limit: the places of the step's worker; `nil` if the worker has no limit.
  package func request(for step: Step, _ limit: Stock?) throws(FlowError) -> SlotRequest? {
    guard let needs = try ledger.needs(of: step, limit, own: own) else { return nil }
    let key = Key(stocks: needs.map { ObjectIdentifier($0.stock) }, amounts: needs.map(\.amount))
    if let known = requests[key] { return known }
    let request = SlotRequest(needs)
    requests[key] = request
    return request
  }

  /// The descriptor that can be read when it is worth asking again for what `acquire` has refused. It stays the same.
  /// It is `fws_fd.lost` if the system has none, and then the run has to ask again and again.
  package var fd: Int32 { seat.fd }

  package func beginRound() { ledger.beginRound(seat) }

  /// Takes what a step needs. `nil`: it is not free now, and the client is queued.
  package func acquire(_ request: SlotRequest) -> Grant? {
    ledger.acquire(request, for: seat) ? Grant(ledger, taken: request.needs) : nil
  }

  package func endRound() { ledger.endRound(seat) }
}

/// What a step takes while it runs: a place of its worker, and resources. It is given back when nobody has the object
/// any more, if not before. Calls of it never overlap.
package final class Grant {
  private let ledger: ResourceLedger
  private let needs: [Need]
  private var isTaken: Bool
  private var ids: [TakenIDs] = []
  /// The place in the queue, of a step that has to wait on its own.
  private var own: (seat: Seat, request: SlotRequest)?

  /// - Parameter needs: what has been acquired.
  init(_ ledger: ResourceLedger, taken needs: [Need]) {
    self.ledger = ledger
    self.needs = needs
    isTaken = true
    ids = ledger.takeIDs(needs)
  }

  /// What a step will take that is run by itself; `nil` if it takes nothing. Throws if the step could never run.
  package init?(_ ledger: ResourceLedger, for step: Step, _ limit: Stock?) throws(FlowError) {
    guard let needs = try ledger.needs(of: step, limit, own: [:]) else { return nil }
    self.ledger = ledger
    self.needs = needs
    isTaken = false
  }

  deinit { release() }

  /// The variables with the ids that the step has.
  package var environment: KeyValues {
    var variables = KeyValues()
    for taken in ids { variables.set(taken.variable, taken.value) }
    return variables
  }

  /// Takes everything, unless it is taken. Gives false if it is not free now; `fd` tells when it is worth trying again.
  package func take() -> Bool {
    if isTaken { return true }
    let (seat, request) = own ?? (Seat(isWatched: false), SlotRequest(needs))
    own = (seat, request)
    guard ledger.acquire(request, for: seat) else { return false }
    own = nil
    isTaken = true
    ids = ledger.takeIDs(needs)
    return true
  }

  /// The descriptor that can be read when it is worth calling `take` again.
  package var fd: Int32 { own?.seat.fd ?? -1 }

  /// Lets `fd` be readable now, while the step is in the queue.
  package func wake() { own?.seat.wake() }

  /// Gives everything back, and leaves the queue.
  package func release() {
    if let (seat, _) = own { ledger.leave(seat) }
    own = nil
    guard isTaken else { return }
    isTaken = false
    let returned = ids
    ids = []
    ledger.giveBack(needs, returned)
  }
}
