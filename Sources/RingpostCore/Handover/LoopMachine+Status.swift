// What operators and metrics are shown of a loop's slots.
import HashRing

extension LoopMachine {
    /// Keys that are remembered, in own slots and in copies of others'.
    public var mailboxCount: Int { store.mailboxCount }
    /// Bytes of envelopes in all histories.
    public var historyBytes: Int { store.historyBytes }
    /// Attachments to all mailboxes.
    public var attachmentCount: Int { store.attachmentCount }
    /// Mailboxes that were forgotten because the store was full.
    public var evictedCount: UInt64 { store.evictedCount }
    /// Idempotency keys that are remembered.
    public var windowCount: Int { store.windowCount }
    /// Publishes that wait.
    public var parkedCount: Int { lanes.parkedCount }
    /// Publishes that are under way, to other nodes or to be confirmed here.
    public var inFlightCount: Int { lanes.inFlightCount }
    /// Publishes sent to another node so far.
    public var forwardedCount: UInt64 { lanes.forwardedCount }
    /// Publishes that left a lane for another try so far.
    public var retriedCount: UInt64 { lanes.retriedCount }
    /// Slots that this node is to own and whose history it has not got yet.
    public var inheritingCount: Int { inheritances.count }
    /// How many slots are what; looks at each of them once.
    public var slotCounts: SlotCounts {
        var counts = SlotCounts()
        for place in slots.indices {
            guard let holders = slots[place].owner?.holders else {
                if slots[place].copy.state == .complete { counts.copies += 1 }
                continue
            }
            counts.owned += 1
            guard let mirror = mirror(ofSlot: slot(at: place)) else { continue }
            if !holders.contains(where: { $0.peer == mirror && $0.isConfirmed }) { counts.unmirrored += 1 }
        }
        return counts
    }

    /// What `locate` shows of a key, without touching it.
    public func summary(of key: Key) -> MailboxSummary? {
        slots[place(key.slot)].owner == nil ? nil : store.summary(of: key)
    }
}

/// What one loop's slots are.
public struct SlotCounts: Equatable, Sendable {
    /// This node is the owner, whether or not it is confirmed yet.
    public var owned = 0
    /// Of these, the present mirror has not confirmed its copy.
    public var unmirrored = 0
    /// Copies of other owners' slots.
    public var copies = 0
}

extension SlotFrame {
    /// Peers are believed that a name is valid, but not where it belongs: one of them with another hash would split a mailbox.
    public func isWellPlaced(by hasher: KeyHasher) -> Bool {
        func fits(_ key: Key, _ slot: UInt16) -> Bool {
            key.slot == Int(slot) && key.name.withUnsafeBytes({ hasher.hash(key.kind, utf8: $0) }) == key.hash
        }
        func fits(_ piece: SlotPiece, _ slot: UInt16) -> Bool {
            piece.items.allSatisfy { item in
                switch item {
                case .mailbox(let head): fits(head.key, slot)
                case .message: true
                case .remembered(let key, _): key.slot == Int(slot)
                }
            }
        }
        switch self {
        case .append(_, _, let slot, _, .message(let key, _, _, _)), .append(_, _, let slot, _, .created(let key, _)):
            return fits(key, slot)
        case .fill(_, _, let slot, let piece): return fits(piece, slot)
        case .piece(_, let slot, .some(let piece)): return fits(piece, slot)
        default: return true
        }
    }
}
