internal import FWBase
internal import FWExecution
internal import FWModel
internal import FWSystem
internal import FWVolumes
internal import Glibc

/// What wakes a run: the descriptors that its slots wait for, its timer, and the descriptor that tells when resources
/// are free. The host waits for all of them with one descriptor, which is that of the ring.
///
/// A run of one slot has no ring as long as the host has not asked for a descriptor: the slot is then polled.
final class RunWatch {
  private var ring: Ring?
  /// The timer that is over at the deadline, and is stopped whenever the run has to advance at once.
  private let timer: Timer?
  private var isTimerStopped = false
  /// Tells when resources are free. There is nothing to do but to look for steps to start, as after everything else.
  /// -1: the run takes none.
  private let resources: Int32
  /// Whether a slot has something to wait for that cannot be watched.
  private var isBlind = false
  /// Why the run cannot be woken; `nil`: it can be.
  private(set) var failure: StepFailure?

  /// What the ring says of a descriptor that belongs to no slot.
  private static let timerToken = -1
  private static let resourcesToken = -2

  /// The seconds after which a run that nothing can wake looks again.
  private static let blindTurn = 0.01

  /// - Parameters:
  ///   - seconds: the time until the deadline; `nil`: there is none.
  ///   - hasManySlots: whether several things may go on at once.
  init(deadline seconds: Double?, resources: Int32, hasManySlots: Bool) {
    self.resources = resources
    do throws(StepFailure) { timer = try Timer(seconds ?? Timer.never) } catch {
      timer = nil
      failure = error
    }
    guard hasManySlots, failure == nil else { return }
    do throws(StepFailure) { try makeRing() } catch { failure = error }
  }

  private func makeRing() throws(StepFailure) {
    let made = try Ring()
    // Without its timer a run that can watch nothing else would never be woken.
    guard made.add(timer?.fd ?? -1, as: RunWatch.timerToken),
      resources < 0 || made.add(resources, as: RunWatch.resourcesToken)
    else { throw StepFailure("the descriptors of the run cannot be watched", errno, call: "epoll_ctl") }
    ring = made
  }

  // MARK: The host

  /// The descriptor that wakes the run; `nil` without a ring.
  var fd: Int32? { ring?.fd }

  /// The descriptor of the timer, for a run without a ring.
  var timerFD: Int32 { timer?.fd ?? -1 }

  /// Makes sure that there is a ring that the host has not closed. Gives whether it is a new one, which watches no
  /// slots yet, or `nil` if the system has no descriptors left.
  func openRing() -> Bool? {
    if ring?.works == true { return false }
    do throws(StepFailure) { try makeRing() } catch { return nil }
    return true
  }

  /// Makes the descriptor one that the host waits with: it can be read while there are events. Gives -1 if the system
  /// has no descriptors left.
  func hostDescriptor(hasEvents: Bool) -> Int32 {
    guard let ring, ring.openFlag() else { return -1 }
    ring.raise(hasEvents)
    return ring.fd
  }

  /// Tells the host whether there are events to take.
  func show(hasEvents: Bool) { ring?.raise(hasEvents) }

  // MARK: Slots

  /// What has something to do.
  enum Woken {
    /// There is no ring, so whoever has polled knows.
    case polled
    /// It is not known, so every slot has to look.
    case all
    /// The slots in these lanes, and those that wait for the timer.
    case some(lanes: [Int], isTimed: Bool)
  }

  func takeWoken() -> Woken {
    guard let ring else { return .polled }
    guard ring.works, !isBlind else { return .all }
    let tokens = ring.take()
    return .some(lanes: tokens.filter { $0 >= 0 }, isTimed: tokens.contains(RunWatch.timerToken))
  }

  /// Watches what a slot waits for now.
  func watch(_ slot: WorkflowRun.Slot) {
    guard let ring else { return }
    switch slot.phase.wait {
    case .step(let run):
      // From now on the step itself adds and removes what it waits for.
      if !slot.hasRing { run.join(ring, as: slot.lane) }
      slot.hasRing = true
      if run.isMute { isBlind = true }
    case .timer(let timer):
      if slot.watched < 0 { add(timer.fd, of: slot, to: ring) }
    case .transfers(let transfers):
      // The descriptor of transfers changes from file to file.
      unwatch(slot)
      add(transfers.waiting.channel, of: slot, to: ring)
    case .immediate, .turn: break
    }
  }

  private func add(_ fd: Int32, of slot: WorkflowRun.Slot, to ring: Ring) {
    if ring.add(fd, as: slot.lane) { slot.watched = fd } else { isBlind = true }
  }

  func unwatch(_ slot: WorkflowRun.Slot) {
    if slot.watched >= 0 { ring?.remove(slot.watched) }
    slot.watched = -1
    slot.hasRing = false
  }

  // MARK: The timer

  /// When a run has to advance whatever its slots wait for.
  enum Turn {
    /// Never again.
    case over
    case immediate
    /// Soon, because a step waits for resources, and nothing tells when they are free: the system has no descriptor for
    /// that, or the host has closed it.
    case soon
    /// At the deadline, if there is one.
    ///
    /// - Parameter hasPassed: whether the run was interrupted, so there is nothing to wait for any more.
    case deadline(RunDeadline?, hasPassed: Bool)
  }

  /// Lets the run advance at once.
  func stopTimer() {
    isTimerStopped = true
    timer?.stop()
  }

  func setTimer(_ turn: Turn) {
    switch turn {
    case .over:
      // The host's descriptor is never readable after the end.
      timer.map { ring?.remove($0.fd) }
    case .immediate: stopTimer()
    case _ where isBlind: stopTimer()
    case .soon:
      isTimerStopped = true
      timer?.set(RunWatch.blindTurn)
    case .deadline(let deadline, let hasPassed):
      guard isTimerStopped || hasPassed else { return }
      isTimerStopped = false
      // Without a ring the timer is watched for transfers only, and wakes them once.
      if ring == nil, hasPassed { return }
      timer?.set(hasPassed ? Timer.never : deadline?.left ?? Timer.never)
    }
  }
}
