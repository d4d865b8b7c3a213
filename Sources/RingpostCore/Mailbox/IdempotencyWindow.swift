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

    private var receipts: [Repeatable: Receipt] = [:]
    private var order: Deque<(publish: Repeatable, until: Int64)> = []
    private let entriesMax: Int
    private let milliseconds: Int64

    init(entriesMax: Int, milliseconds: Int64) {
        self.entriesMax = entriesMax
        self.milliseconds = milliseconds
    }

    var count: Int { receipts.count }

    /// The first receipt, if the key is remembered.
    mutating func receipt(of id: MessageID, to key: KeyHash, now: Int64) -> Receipt? {
        expire(now)
        return receipts[Repeatable(id: id, key: key)]
    }

    var isFull: Bool { receipts.count >= entriesMax }

    /// Remembers a receipt that ``receipt(of:to:now:)`` has just not found.
    mutating func remember(_ receipt: Receipt, to key: KeyHash, now: Int64) {
        let publish = Repeatable(id: receipt.id, key: key)
        receipts[publish] = receipt
        order.append((publish, now + milliseconds))
    }

    /// Forgets the keys of slots that have changed hands: their receipts are somebody else's to repeat.
    mutating func forget(slots isGone: (Int) -> Bool) {
        receipts = receipts.filter { !isGone($0.key.key.slot) }
        order.removeAll { isGone($0.publish.key.slot) }
    }

    private mutating func expire(_ now: Int64) {
        while let oldest = order.first, oldest.until <= now {
            order.removeFirst()
            receipts[oldest.publish] = nil
        }
    }
}
