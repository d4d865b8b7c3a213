// Remembers the receipts of publishes that carried an idempotency key, so that a repeat gets the first receipt.
// Entries leave when their time has come, never earlier: a full window refuses new keys instead of forgetting old ones.
import DequeModule
import HashRing

struct IdempotencyWindow {
    /// One idempotency key at one destination: a producer may use the same one for two users.
    private struct Repeatable: Hashable {
        let id: MessageID
        let key: KeyHash
    }

    private var entries: [Repeatable: Remembered] = [:]
    private var order: Deque<(publish: Repeatable, until: Int64)> = []
    /// By slot, so that a slot's receipts can travel with it; in the order of their time.
    private var slots: [Int: Deque<Repeatable>] = [:]
    private let entriesMax: Int
    let milliseconds: Int64

    init(entriesMax: Int, milliseconds: Int64) {
        self.entriesMax = entriesMax
        self.milliseconds = milliseconds
    }

    var count: Int { entries.count }

    /// The first receipt, if the key is remembered.
    mutating func receipt(of id: MessageID, to key: KeyHash, now: Int64) -> Receipt? {
        expire(now)
        return entries[Repeatable(id: id, key: key)]?.receipt
    }

    var isFull: Bool { entries.count >= entriesMax }
    /// Whether there is room also for what need not be remembered.
    var hasRoomForAll: Bool { entries.count < entriesMax / 2 }

    /// Remembers a receipt, or corrects one that is remembered already.
    mutating func remember(_ remembered: Remembered, to key: KeyHash) {
        let publish = Repeatable(id: remembered.receipt.id, key: key)
        let before = entries.updateValue(remembered, forKey: publish)
        if before == nil { slots[key.slot, default: []].append(publish) }
        // A copy's entry can be renewed before anybody has looked whether its first time is over.
        if let before, before.until >= remembered.until { return }
        // What comes with a slot from another node may be older than what is here: the order of time is kept roughly, an
        // entry is forgotten late rather than early.
        order.append((publish, max(remembered.until, order.last?.until ?? .min)))
    }

    /// All that is remembered for a slot.
    func entries(ofSlot slot: Int, now: Int64) -> [(key: KeyHash, Remembered)] {
        (slots[slot] ?? []).compactMap { publish in
            guard let entry = entries[publish], entry.until > now else { return nil }
            return (publish.key, entry)
        }
    }

    /// Forgets a slot: its receipts are somebody else's to repeat.
    mutating func forget(slot: Int) {
        for publish in slots.removeValue(forKey: slot) ?? [] { entries[publish] = nil }
    }

    /// Forgets what has had its time.
    mutating func expire(_ now: Int64) {
        while let oldest = order.first, oldest.until <= now {
            order.removeFirst()
            // It may have been forgotten with its slot, and come back with it since.
            guard let entry = entries[oldest.publish], entry.until <= now else { continue }
            entries[oldest.publish] = nil
            let slot = oldest.publish.key.slot
            if slots[slot]?.first == oldest.publish {
                slots[slot]?.removeFirst()
            } else {
                slots[slot]?.removeAll { $0 == oldest.publish }
            }
            if slots[slot]?.isEmpty == true { slots[slot] = nil }
        }
    }
}
