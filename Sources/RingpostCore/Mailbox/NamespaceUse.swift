// What one store holds of one namespace, and its rules as the store applies them. The namespace's mailboxes with messages stand in a ring that
// is looked at a few at a time: to make room, and to let go what has been kept for long enough. Those that are here only because somebody
// listens keep nothing and can make no room, so they are counted and stand nowhere.
import DequeModule

struct NamespaceUse {
    /// Mailboxes that are looked at to find room for one more, and to find bytes that are used least; beyond it the one that wants more
    /// has to give.
    static let looksMax = 16

    let historyMessagesMax: Int
    let historyBytesMax: Int
    /// How long a message is kept; `Int64.max` for no bound of its own.
    let keptMilliseconds: Int64
    let messagesPerSecond: Int
    /// Mailboxes and bytes of this store.
    let mailboxesMax: Int
    let bytesMax: Int
    private(set) var mailboxCount = 0
    private(set) var bytes = 0

    private struct Place {
        let mailboxIndex: Int32
        let incarnation: UInt64
        /// When the mailbox had been used last when this place was looked at.
        var usedAt: Int64
    }
    /// The next one to be looked at stands first. Places of mailboxes that are gone stay until they are met.
    private var ring: Deque<Place> = []

    /// - Parameter shardCount: what a node may hold is shared out evenly to so many stores.
    init(_ namespace: Namespace, limits: MailboxLimits, shardCount: Int) {
        func share(_ count: Int?) -> Int { count.map { ($0 + shardCount - 1) / shardCount } ?? .max }
        historyMessagesMax = namespace.historyMessages ?? limits.historyMessagesMax
        historyBytesMax = namespace.historyBytes ?? limits.historyBytesMax
        keptMilliseconds = namespace.historySeconds.map { Int64($0) * 1_000 } ?? limits.historyMilliseconds ?? .max
        messagesPerSecond = namespace.messagesPerSecond ?? limits.channelMessagesPerSecond
        mailboxesMax = share(namespace.channels)
        bytesMax = share(namespace.bytes)
    }

    var isFull: Bool { mailboxCount >= mailboxesMax }
    var isOverBytes: Bool { bytes > bytesMax }
    /// Messages grow old here.
    var ages: Bool { keptMilliseconds < .max }
    /// Nobody looks for room where there is no bound.
    private var isBounded: Bool { ages || mailboxesMax < .max || bytesMax < .max }
    /// Many places are of mailboxes that are gone, or that have another one.
    var isStale: Bool { ring.count > 2 * mailboxCount + 64 }

    mutating func insert() { mailboxCount += 1 }
    mutating func remove() { mailboxCount -= 1 }
    mutating func add(bytes count: Int) { bytes += count }

    /// Somebody has written to a mailbox for the first time.
    mutating func addPlace(_ mailboxIndex: Int, incarnation: UInt64, now: Int64) {
        if isBounded { ring.append(Place(mailboxIndex: Int32(truncatingIfNeeded: mailboxIndex), incarnation: incarnation, usedAt: now)) }
    }

    /// Leaves one place for each mailbox that is there: a copy that comes again may have more.
    mutating func forgetPlaces(where isGone: (_ mailboxIndex: Int, _ incarnation: UInt64) -> Bool) {
        var there: Set<Int32> = []
        ring.removeAll { isGone(Int($0.mailboxIndex), $0.incarnation) || !there.insert($0.mailboxIndex).inserted }
    }

    /// The next mailbox in the ring, which goes to its end; `nil` for a place whose mailbox is gone.
    ///
    /// - Parameter lastUse: when a mailbox was used last; `nil` when it is gone.
    /// - Returns: with it, whether it has been used since it was looked at last.
    mutating func look(lastUse: (_ mailboxIndex: Int, _ incarnation: UInt64) -> Int64?) -> (mailboxIndex: Int, isUsed: Bool)? {
        guard var place = ring.popFirst(), let used = lastUse(Int(place.mailboxIndex), place.incarnation) else { return nil }
        let isUsed = used > place.usedAt
        place.usedAt = used
        ring.append(place)
        return (Int(place.mailboxIndex), isUsed)
    }
}
