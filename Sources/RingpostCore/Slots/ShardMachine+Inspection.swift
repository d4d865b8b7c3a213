// What tests look at to judge a machine from outside: nothing here is ever decided by.

/// How much waits in a machine: what the limits bound.
package struct ShardLoad: Sendable {
    package let parkedPublishes: Int
    package let publishesInFlight: Int
    package let uncommitted: Int
    package let parkedFrames: Int
    package let waitingAttachments: Int
}

extension ShardMachine {
    /// Whether this node's copy of a slot counts as it is: it acknowledges, or has been gone on from.
    package func isCurrent(ofSlot slot: Int) -> Bool {
        let copy = log.copy(at: slotIndex(slot))
        return copy.state == .complete && copy.isCurrent
    }

    /// The end of a mailbox in this node's copy of its slot; `nil` without a complete copy that another owner could go on from.
    package func copy(of key: Key) -> Cursor? {
        let slotIndex = slotIndex(key.slot)
        guard log.copy(at: slotIndex).state == .complete, !log.isNewcomer(at: slotIndex),
            let mailboxIndex = log.mailboxes.mailboxIndex(of: key)
        else {
            return nil
        }
        return Cursor(incarnation: log.mailboxes.incarnation(at: mailboxIndex), sequence: log.mailboxes.end(at: mailboxIndex))
    }

    /// Complete copies of slots.
    package var completeCopies: Int { log.slotIndices.count { log.copy(at: $0).state == .complete } }

    /// The term in which this node is the owner of a slot; `nil` where it isn't.
    package func term(ofSlot slot: Int) -> UInt64? { log.term(at: slotIndex(slot)) }

    /// What waits at the moment.
    package var load: ShardLoad {
        ShardLoad(
            parkedPublishes: publishes.lanes.parkedCount, publishesInFlight: publishes.lanes.inFlightCount,
            uncommitted: log.uncommittedCount,
            parkedFrames: parked.count, waitingAttachments: waitingAttaches.count)
    }
}
