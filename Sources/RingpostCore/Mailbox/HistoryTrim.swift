// Which histories lose messages when a node's memory runs short: the largest first, without a look at all mailboxes at once. Rounds go over
// the table, a slice at a time: the first one halves those that have half of what a mailbox may have, the next those that have half of that,
// down to what is little.

/// Where a round is.
public struct HistoryTrim {
    /// A history of fewer bytes is left alone.
    public static let bytesMin = 64 * 1_024
    /// Mailboxes that are looked at in one go.
    public static let looksMax = 8_192
    /// When nothing has been asked for so long, the next round is a first one.
    static let restMilliseconds: Int64 = 10_000

    private(set) var threshold: Int
    private let firstThreshold: Int
    private var next = 0
    private var lastUsed = Int64.min

    /// - Parameter bytesMax: what memory holds of a mailbox at most.
    init(bytesMax: Int) {
        firstThreshold = max(Self.bytesMin, bytesMax / 2)
        threshold = firstThreshold
    }

    mutating func begin(now: Int64) {
        if lastUsed == .min || now - lastUsed >= Self.restMilliseconds { (threshold, next) = (firstThreshold, 0) }
        lastUsed = now
    }

    /// The place in a table of so many that is looked at next.
    mutating func nextIndex(count: Int) -> Int {
        if next >= count {
            next = 0
            threshold = max(Self.bytesMin, threshold / 2)
        }
        defer { next += 1 }
        return next
    }
}

extension MailboxStore {
    /// Drops the older part of large histories from memory; returns how many bytes went.
    ///
    /// - Parameter bytes: when so many have gone, it is enough.
    mutating func trim(_ bytes: Int, now: Int64) -> Int {
        trimming.begin(now: now)
        let before = historyBytes
        for _ in 0..<min(HistoryTrim.looksMax, mailboxes.all.count) {
            if before - historyBytes >= bytes { break }
            let mailboxIndex = trimming.nextIndex(count: mailboxes.all.count)
            if mailboxes.all[mailboxIndex].historyBytes < trimming.threshold { continue }
            while before - historyBytes < bytes, mailboxes.all[mailboxIndex].historyBytes > trimming.threshold / 2,
                mailboxes.all[mailboxIndex].history.count > 1
            {
                dropOldest(at: mailboxIndex, now: now)
            }
        }
        return before - historyBytes
    }
}
