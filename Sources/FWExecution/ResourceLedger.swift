internal import CSystem
package import FWBase
package import FWModel

/// What the steps of a pool take while they run, and who waits for it: the resources of the configuration, and the
/// places of workers with a limit. All runs of the pool share the ledger, whatever threads they are driven by.
///
/// A step takes all that it needs at once, or nothing, and has nothing while it waits. Whoever cannot get it now waits
/// in a queue (`LedgerQueue`).
package final class ResourceLedger: Sendable {
  private let stocks: [Name: Stock]
  private let queue: Guarded<LedgerQueue>
  private let clock: @Sendable () -> Double

  /// - Parameter clock: the seconds by which an offer lapses that nobody takes.
  package init(
    _ totals: ResourceTotals = ResourceTotals(), clock: @escaping @Sendable () -> Double = { fws_monotonic() }
  ) throws(FlowError) {
    stocks = Stock.table(totals)
    queue = try Guarded(LedgerQueue())
    self.clock = clock
  }

  /// Finds what a step needs; `nil` if it needs nothing of the ledger.
  ///
  /// - Parameters:
  ///   - own: the resources of the step's run, which replace those of the pool with the same names.
  ///   - limit: the places of the step's worker; `nil` if the worker has no limit.
  func needs(
    of step: Step, _ limit: Stock?, own: [Name: Stock]
  ) throws(FlowError) -> [Need]? {
    if limit == nil, step.resources.isEmpty { return nil }
    var needs = limit.map { [Need(stock: $0, amount: 1)] } ?? []
    for (name, amount) in step.resources.amounts {
      guard let stock = own[name] ?? stocks[name] else {
        let known = (own.keys.map(\.text) + stocks.keys.filter { own[$0] == nil }.map(\.text)).sorted()
        throw refusal(
          step, name,
          "asks for the resource \(MessageFormat.quoted(name.text)), which \"resources\" has neither in the "
            + "configuration of the pool nor in the options of the run"
            + MessageFormat.hint(for: name.text, among: known))
      }
      if stock.hasIDs, amount.count == nil {
        throw refusal(
          step, name,
          "asks for \(amount.shown) of the resource \(MessageFormat.quoted(name.text)), whose pieces have "
            + "ids: only a whole number of them can be taken")
      }
      guard amount <= stock.total else {
        throw refusal(
          step, name,
          "asks for \(amount.shown) of the resource \(MessageFormat.quoted(name.text)), of which there is "
            + "\(stock.total.shown) in all, so it could never start")
      }
      if amount > .zero { needs.append(Need(stock: stock, amount: amount.thousandths)) }
    }
    return needs.isEmpty ? nil : needs
  }

  private func refusal(_ step: Step, _ name: Name, _ what: String) -> FlowError {
    ValidationError("step \(step.shownName) \(what)").inside(name.text).inside(ResourceRequest.key).error(in: nil)
  }

  // MARK: The queue

  func acquire(_ request: SlotRequest, for seat: Seat) -> Bool {
    queue.withLock { $0.acquire(request, for: seat, at: clock()) }
  }

  /// Takes the lowest free ids of all resources with ids.
  func takeIDs(_ needs: [Need]) -> [TakenIDs] {
    guard needs.contains(where: { $0.stock.hasIDs }) else { return [] }
    return queue.withLock { _ in needs.compactMap { $0.stock.takeIDs($0.amount) } }
  }

  func giveBack(_ needs: [Need], _ ids: [TakenIDs]) {
    queue.withLock { queue in
      for taken in ids { taken.stock.giveBack(taken) }
      queue.giveBack(needs, at: clock())
    }
  }

  func beginRound(_ seat: Seat) { queue.withLock { _ in seat.round &+= 1 } }
  func endRound(_ seat: Seat) { queue.withLock { $0.endRound(seat, at: clock()) } }
  func leave(_ seat: Seat) { queue.withLock { $0.leave(seat, at: clock()) } }
}

/// What there is of one resource, or the places of a worker with a limit. A stock is changed only under the lock of its
/// ledger.
package final class Stock: @unchecked Sendable {
  let total: ResourceAmount
  /// Whether it is the places of a worker.
  let isPlaces: Bool
  /// What nobody has, and nobody has been offered.
  fileprivate(set) var free: Int64
  private let indexed: ResourceTotals.Indexed?
  private var isTaken: [Bool]

  private init(_ total: ResourceTotals.Total) {
    self.total = total.amount
    isPlaces = false
    free = total.amount.thousandths
    if case .indexed(let indexed) = total {
      self.indexed = indexed
      isTaken = Array(repeating: false, count: indexed.ids.count)
    } else {
      indexed = nil
      isTaken = []
    }
  }

  /// The places of a worker with a limit.
  package init(places: Int) {
    total = .zero
    isPlaces = true
    free = Int64(places)
    indexed = nil
    isTaken = []
  }

  static func table(_ totals: ResourceTotals) -> [Name: Stock] {
    var stocks: [Name: Stock] = [:]
    for (name, total) in totals.entries { stocks[name] = Stock(total) }
    return stocks
  }

  var hasIDs: Bool { indexed != nil }

  fileprivate func takeIDs(_ amount: Int64) -> TakenIDs? {
    guard let indexed else { return nil }
    var left = amount / 1000
    var taken: [Int] = []
    for index in isTaken.indices where left > 0 && !isTaken[index] {
      isTaken[index] = true
      taken.append(index)
      left -= 1
    }
    let value = taken.map { indexed.ids[$0] }.joined(separator: ",")
    return TakenIDs(stock: self, indices: taken, variable: indexed.variable, value: value)
  }

  fileprivate func giveBack(_ taken: TakenIDs) { for index in taken.indices { isTaken[index] = false } }
}

/// An amount of one stock.
struct Need {
  let stock: Stock
  let amount: Int64
}

/// The ids that a step has of a resource, as the value of a variable.
struct TakenIDs {
  let stock: Stock
  fileprivate let indices: [Int]
  let variable: String
  let value: String
}

extension [Need] {
  /// Takes the amounts out of what is free.
  func take() { for need in self { need.stock.free -= need.amount } }

  func putBack() { for need in self { need.stock.free += need.amount } }
}
