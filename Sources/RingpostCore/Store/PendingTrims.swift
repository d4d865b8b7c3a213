// Messages that have left their histories but are still needed: a receipt for repeats lies in its message. They are removed when the window's
// time is over, a mailbox's all at once, because a store reads the more slowly the more ranges were removed one by one.

/// Ranges of messages that are to be removed.
struct PendingTrims: Sendable {
    /// Mailboxes that wait. What is more is removed with the mailbox's next trim: its first messages go with the later ones.
    static let mailboxesMax = 65_536
    /// Ranges that are removed with one batch.
    static let rangesMax = 256

    private struct Trim {
        var through: UInt64
        var due: Int64
        /// What came while this one waited.
        var later: (through: UInt64, due: Int64)?
    }

    private struct Place: Hashable {
        let slot: Int
        let mailbox: [UInt8]
        /// Of the trim for which it was put in: a mailbox that was forgotten meanwhile may have another one.
        let due: Int64
    }

    /// No receipt is remembered for longer.
    private let milliseconds: Int64

    private var trims: [Int: [[UInt8]: Trim]] = [:]
    /// In the order in which they are due; some may be gone or later by now, but never more than there may be trims.
    private var order: [Place] = []
    private var first = 0
    private(set) var count = 0

    init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// - Parameter mailbox: what all of the mailbox begins with.
    mutating func add(_ mailbox: [UInt8], slot: Int, through: UInt64, now: Int64) {
        let due = now &+ milliseconds
        if trims[slot]?[mailbox] != nil {
            trims[slot]?[mailbox]?.later = (through, due)
            return
        }
        guard count < Self.mailboxesMax, order.count - first < 2 * Self.mailboxesMax else { return }
        trims[slot, default: [:]][mailbox] = Trim(through: through, due: due)
        order.append(Place(slot: slot, mailbox: mailbox, due: due))
        count += 1
    }

    /// A mailbox is forgotten: another one under its name must not lose its messages.
    mutating func remove(_ mailbox: [UInt8], slot: Int) {
        guard trims[slot]?.removeValue(forKey: mailbox) != nil else { return }
        count -= 1
        if trims[slot]?.isEmpty == true { trims[slot] = nil }
    }

    /// All of a slot is replaced.
    mutating func removeAll(ofSlot slot: Int) { count -= trims.removeValue(forKey: slot)?.count ?? 0 }

    /// The mailboxes, at most ``rangesMax``, of which messages may go now, and up to which one.
    mutating func takeDue(now: Int64) -> [(mailbox: [UInt8], through: UInt64)] {
        var due: [(mailbox: [UInt8], through: UInt64)] = []
        while first < order.count, due.count < Self.rangesMax {
            let place = order[first]
            guard let trim = trims[place.slot]?[place.mailbox], trim.due == place.due else {
                first += 1
                continue
            }
            if place.due > now { break }
            first += 1
            due.append((place.mailbox, trim.through))
            if let later = trim.later {
                trims[place.slot]?[place.mailbox] = Trim(through: later.through, due: later.due)
                order.append(Place(slot: place.slot, mailbox: place.mailbox, due: later.due))
            } else {
                remove(place.mailbox, slot: place.slot)
            }
        }
        if first > order.count / 2 {
            order.removeFirst(first)
            first = 0
        }
        return due
    }
}
