// Attachments that can't be answered yet: those whose edge knows a later epoch wait here in their order; those that wait for a slot's
// history are kept with the slot, and only counted here. One bound holds for both.

/// Attachments that wait for an epoch or for a slot.
struct WaitingAttaches {
    /// An attachment that waits for an epoch.
    struct Early {
        let request: AttachRequest
        let epoch: UInt64
        let fromLink: Bool
    }

    private(set) var count = 0
    private var early: [Early] = []
    /// Of ``early``, so that most detachments needn't look through it.
    private var earlyAddresses: Set<ReturnAddress> = []
    private let countMax: Int

    init(countMax: Int) { self.countMax = countMax }

    var hasRoom: Bool { count < countMax }

    /// - Returns: false when too many wait.
    mutating func waitForEpoch(_ attach: Early) -> Bool {
        guard hasRoom else { return false }
        early.append(attach)
        earlyAddresses.insert(attach.request.address)
        count += 1
        return true
    }

    /// Another epoch is in force: removes and returns what waited for one, in order.
    mutating func removeEarly() -> [Early] {
        if early.isEmpty { return [] }
        let waiting = early
        early = []
        earlyAddresses = []
        count -= waiting.count
        return waiting
    }

    /// The attachment is not wanted any more.
    mutating func forgetEarly(_ address: ReturnAddress) {
        if earlyAddresses.remove(address) != nil { forgetEarly { $0.address == address } }
    }

    mutating func forgetEarly(connectionID: UInt32) { forgetEarly { $0.address.connectionID == connectionID } }

    private mutating func forgetEarly(where condition: (AttachRequest) -> Bool) {
        if early.isEmpty { return }
        count -= early.count
        early.removeAll { condition($0.request) }
        count += early.count
    }

    /// One more attachment waits for a slot.
    mutating func beginWaitForSlot() { count += 1 }
    /// So many attachments wait for a slot no longer.
    mutating func endWaitForSlot(_ ended: Int) { count -= ended }
}
