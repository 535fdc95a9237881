internal import CSystem
internal import FWBase
package import FWModel
internal import FWSystem

/// The clients of a ledger that wait, in the order of their turns. All of it is used under the lock of the ledger.
///
/// - **Turns.** What is given back is offered to the first client whose request fits, and kept for it until it takes
///   the offer. A client that has got something goes to the end, so a client with few requests has its turn after at
///   most one request of each other client, however many they have.
/// - **Starvation.** A request that `mostPassed` smaller ones have passed holds back everything that would keep it from
///   fitting, until it fits. Nothing of this depends on time.
/// - **Clients that nobody drives.** The library has no threads, so a client can take its offer only while the host
///   drives its run. An offer that is not taken for a while lapses, and the client is passed over until it asks again.
struct LedgerQueue {
  private var seats: [Seat] = []
  /// The number of requests that have starved.
  private var starved: UInt64 = 0
  /// The number of requests that wait for resources, which others can pass.
  private var passable = 0
  /// The number of offers that nobody has taken yet.
  private var offers = 0

  /// How often a request is passed by smaller ones.
  static let mostPassed = 16
  /// The seconds after which an offer lapses.
  static let lapse = 0.1
  /// The seconds after which a client at the front looks for offers that have lapsed, where there is none now.
  private static let look = 1.0

  /// Gives a client what it asks for. If it cannot have it now, the client waits.
  mutating func acquire(_ request: SlotRequest, for seat: Seat, at now: Double) -> Bool {
    seat.isAbsent = false
    request.round = seat.round
    let hadStarved = request.seniority != nil
    guard take(request, for: seat) || lapse(at: now) && take(request, for: seat) else {
      wait(with: request, seat)
      return false
    }
    countPassed(by: request)
    // What it has held back may fit now.
    if hadStarved { offer(at: now) }
    return true
  }

  private mutating func take(_ request: SlotRequest, for seat: Seat) -> Bool {
    if request.isOffered {
      removeOffer(of: request, for: seat)
    } else {
      guard fits(request) else { return false }
      request.needs.take()
    }
    request.passed = 0
    request.seniority = nil
    guard seat.isWaiting else { return true }
    remove(from: seat) { $0 === request }
    // The next turn is that of another client.
    seats.removeAll { $0 === seat }
    if seat.isWaiting { seats.append(seat) } else { seat.rest() }
    return true
  }

  private mutating func wait(with request: SlotRequest, _ seat: Seat) {
    let isShort = request.needs.contains { $0.stock.isPlaces && $0.amount > $0.stock.free }
    request.held = isShort || !request.takesResources ? .limit : .resources
    if !seat.isWaiting { seats.append(seat) }
    if !request.isWaiting {
      request.isWaiting = true
      seat.waiting.append(request)
      if request.takesResources { passable += 1 }
    }
    if seat.offer != nil { return }
    let position = seats.firstIndex { $0 === seat } ?? 0
    // The clients far behind look less often, so that many of them cost little.
    seat.look(in: (offers > 0 ? LedgerQueue.lapse : LedgerQueue.look) * (1 + Double(position) / 8))
  }

  private mutating func remove(from seat: Seat, _ isGone: (SlotRequest) -> Bool) {
    seat.waiting.removeAll { request in
      guard isGone(request) else { return false }
      request.isWaiting = false
      if request.takesResources { passable -= 1 }
      return true
    }
  }

  mutating func giveBack(_ needs: [Need], at now: Double) {
    needs.putBack()
    offer(at: now)
  }

  /// Ends a round of a client: what it has not asked for in this round, it does not want any more.
  mutating func endRound(_ seat: Seat, at now: Double) {
    withdraw(seat, at: now) { $0.round != seat.round }
  }

  /// Takes a client out that asks for nothing any more.
  mutating func leave(_ seat: Seat, at now: Double) { withdraw(seat, at: now) { _ in true } }

  private mutating func withdraw(_ seat: Seat, at now: Double, _ isUnwanted: (SlotRequest) -> Bool) {
    guard seat.isWaiting, seat.waiting.contains(where: isUnwanted) else { return }
    if let offer = seat.offer, isUnwanted(offer.request) { takeBack(offer.request, from: seat) }
    remove(from: seat, isUnwanted)
    if !seat.isWaiting {
      seats.removeAll { $0 === seat }
      seat.rest()
    }
    // A request that has gone may have held others back.
    offer(at: now)
  }

  // MARK: Offers

  private mutating func removeOffer(of request: SlotRequest, for seat: Seat) {
    request.isOffered = false
    seat.offer = nil
    offers -= 1
  }

  private mutating func takeBack(_ request: SlotRequest, from seat: Seat) {
    removeOffer(of: request, for: seat)
    request.needs.putBack()
  }

  /// Offers what is free to the clients in the order of their turns, one request for each.
  private mutating func offer(at now: Double) {
    var isAgain = true
    while isAgain {
      isAgain = false
      for seat in seats where !seat.isAbsent && seat.offer == nil {
        guard let request = seat.waiting.first(where: { fits($0) }) else { continue }
        request.needs.take()
        request.isOffered = true
        seat.offer = (request, now)
        offers += 1
        seat.wake()
        // What it has held back may fit now.
        if request.seniority != nil { isAgain = true }
      }
    }
  }

  /// Takes offers back that have lapsed. Gives false if there are none.
  private mutating func lapse(at now: Double) -> Bool {
    if offers == 0 { return false }
    var isAny = false
    for seat in seats {
      guard let offer = seat.offer, now - offer.time >= LedgerQueue.lapse else { continue }
      takeBack(offer.request, from: seat)
      seat.isAbsent = true
      isAny = true
    }
    if isAny { offer(at: now) }
    return isAny
  }

  // MARK: What fits

  private func fits(_ request: SlotRequest) -> Bool {
    request.needs.allSatisfy { $0.amount <= $0.stock.free } && !isHeldBack(request)
  }

  /// Whether a request that has starved, and has done so earlier than this one, would have to wait longer because of
  /// it.
  private func isHeldBack(_ request: SlotRequest) -> Bool {
    if starved == 0 || passable == 0 { return false }
    for seat in seats where !seat.isAbsent {
      for other in seat.waiting where other !== request && !other.isOffered {
        guard let seniority = other.seniority, seniority < request.seniority ?? .max else { continue }
        let isInTheWay = request.needs.contains { need in
          other.amount(of: need.stock).map { need.stock.free - need.amount < $0 } ?? false
        }
        if isInTheWay { return true }
      }
    }
    return false
  }

  /// Counts that a request was served before the larger ones that wait and fit less now.
  private mutating func countPassed(by request: SlotRequest) {
    if passable == 0 { return }
    for seat in seats {
      for other in seat.waiting where other.takesResources && !other.isOffered && other.seniority == nil {
        let isPassed = request.needs.contains { need in
          other.amount(of: need.stock).map { need.amount < $0 && need.stock.free < $0 } ?? false
        }
        guard isPassed else { continue }
        other.passed += 1
        guard other.passed >= LedgerQueue.mostPassed else { continue }
        starved += 1
        other.seniority = starved
      }
    }
  }
}

/// The place of a client in the queue. It is used under the lock of the ledger.
final class Seat: @unchecked Sendable {
  /// The requests that wait, in the order in which the client has asked.
  fileprivate(set) var waiting: [SlotRequest] = []
  /// What is kept for the client, and since when.
  fileprivate(set) var offer: (request: SlotRequest, time: Double)?
  /// The number of the client's round.
  var round: UInt64 = 0
  /// Whether the client has let an offer lapse, and has not asked since.
  fileprivate(set) var isAbsent = false
  /// The timer that wakes the client: at once when it has an offer, and otherwise when it has to look for offers that
  /// have lapsed. A client that has never waited has none, and `timer` stays `nil` if the system has no descriptor.
  private var timer: Timer?

  /// - Parameter isWatched: whether `fd` is needed before the client waits.
  init(isWatched: Bool) { if isWatched { timer = try? Timer(Timer.never) } }

  /// The descriptor that can be read when it is worth asking again.
  var fd: Int32 { timer?.fd ?? fws_fd.lost }

  fileprivate var isWaiting: Bool { !waiting.isEmpty }

  /// Any thread may call this while the seat exists, without the lock.
  func wake() { timer?.stop() }
  fileprivate func rest() { timer?.set(Timer.never) }
  fileprivate func look(in seconds: Double) {
    if let timer { timer.set(seconds) } else { timer = try? Timer(seconds) }
  }
}

/// What a client asks for, for one step after the other. Its state is used under the lock of the ledger.
package final class SlotRequest: @unchecked Sendable {
  let needs: [Need]
  /// Whether it asks for more than a place of a worker.
  fileprivate let takesResources: Bool
  /// What was not free when it was refused last.
  package fileprivate(set) var held: StepSchedule.Hold = .resources
  fileprivate var isWaiting = false
  fileprivate var isOffered = false
  /// The round of the client in which it was asked for last.
  fileprivate var round: UInt64 = 0
  /// How many smaller requests have passed it.
  fileprivate var passed = 0
  /// Its number among the requests that have starved; `nil` if it has not.
  fileprivate var seniority: UInt64?

  init(_ needs: [Need]) {
    self.needs = needs
    takesResources = needs.contains { !$0.stock.isPlaces }
  }

  fileprivate func amount(of stock: Stock) -> Int64? { needs.first { $0.stock === stock }?.amount }
}
