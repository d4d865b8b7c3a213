// Remembers the receipts of publishes that carried an idempotency key, so that a repeat gets the first receipt.
// Entries leave when their time has come, never earlier: a full window refuses new keys instead of forgetting old ones.
import DequeModule

struct IdempotencyWindow {
    private var receipts: [MessageID: Entry] = [:]
    private var order: Deque<(id: MessageID, until: Int64)> = []
    private let entriesMax: Int
    private let milliseconds: Int64

    private struct Entry {
        let receipt: Receipt
        let slot: Int
        let until: Int64
    }

    init(entriesMax: Int, milliseconds: Int64) {
        self.entriesMax = entriesMax
        self.milliseconds = milliseconds
    }

    var count: Int { receipts.count }

    /// The first receipt, if the key is remembered.
    mutating func receipt(of id: MessageID, now: Int64) -> Receipt? {
        expire(now)
        return receipts[id]?.receipt
    }

    var isFull: Bool { receipts.count >= entriesMax }

    mutating func remember(_ receipt: Receipt, slot: Int, now: Int64) {
        let until = now + milliseconds
        receipts[receipt.id] = Entry(receipt: receipt, slot: slot, until: until)
        order.append((receipt.id, until))
    }

    /// Forgets the keys of slots that have changed hands: their receipts are somebody else's to repeat.
    mutating func forget(slots isGone: (Int) -> Bool) {
        receipts = receipts.filter { !isGone($0.value.slot) }
    }

    private mutating func expire(_ now: Int64) {
        while let oldest = order.first, oldest.until <= now {
            order.removeFirst()
            if let entry = receipts[oldest.id], entry.until <= now { receipts[oldest.id] = nil }
        }
    }
}
