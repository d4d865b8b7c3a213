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
    /// The end of a mailbox in this node's copy of its slot; `nil` without a complete copy.
    package func copy(of key: Key) -> Cursor? {
        guard slots[slotIndex(key.slot)].copy.state == .complete, let box = store.mailboxIndices[key] else { return nil }
        return Cursor(incarnation: store.boxes[box].incarnation, sequence: store.boxes[box].appended)
    }

    /// Complete copies of slots.
    package var completeCopies: Int { slots.count { $0.copy.state == .complete } }

    /// The term in which this node is the owner of a slot; `nil` where it isn't.
    package func term(ofSlot slot: Int) -> UInt64? { slots[slotIndex(slot)].owner?.term }

    /// What waits at the moment.
    package var load: ShardLoad {
        ShardLoad(
            parkedPublishes: lanes.parkedCount, publishesInFlight: lanes.inFlightCount, uncommitted: uncommittedCount,
            parkedFrames: parked.count, waitingAttachments: waitingAttaches)
    }
}
