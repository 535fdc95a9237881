internal import FWVolumes

extension WorkflowRun {
  /// Whose turn it is to copy files. One slot at a time copies, so a file is copied once, however many steps need it,
  /// and a connection to a remote volume belongs to one step.
  struct CopyTurns {
    /// The slots that wait for their turn.
    private var queue: [Slot] = []
    private var isTaken = false

    /// Takes the turn for transfers that may copy files. Gives false, and queues the slot, if others are being copied.
    mutating func take(_ transfers: Transfers, _ slot: Slot) -> Bool {
      if isTaken {
        if !slot.isInCopyQueue { queue.append(slot) }
        slot.isInCopyQueue = true
        return false
      }
      isTaken = true
      transfers.isExclusive = true
      return true
    }

    /// Gives the turn back, if these transfers had it.
    mutating func end(_ transfers: Transfers) { if transfers.isExclusive { isTaken = false } }

    /// The slot whose turn it is. It may have something else to do by now.
    mutating func next() -> Slot? {
      if isTaken || queue.isEmpty { return nil }
      let slot = queue.removeFirst()
      slot.isInCopyQueue = false
      return slot
    }
  }
}
