// Users and what their sockets come to, and what of it the next one up the tree has not been told.

/// Who listens, as one part of the tree reports it.
public struct PresenceList {
    /// Users that a report names; the sockets of more count without a name.
    public static let listedMax = 1_000
    /// Below this others are named in the place of those who have gone.
    private static let refillBelow = listedMax * 3 / 4

    private struct Entry {
        var count: PresenceCount
        var isListed: Bool
    }

    private var entries: [[UInt8]: Entry] = [:]
    private var listedCount = 0
    /// Sockets of users that are not listed.
    private var unlisted = 0
    /// Sockets without a user.
    private(set) var anonymous = 0
    private var changed: Set<[UInt8]> = []
    private var isDue = true
    private var isWholeDue = true

    /// Nobody.
    public init() {}

    /// Something has changed since the last report.
    public var hasNews: Bool { isDue }
    /// Nobody is there.
    public var isEmpty: Bool { entries.isEmpty && anonymous == 0 }

    subscript(user: [UInt8]) -> PresenceCount { entries[user]?.count ?? PresenceCount() }

    mutating func setAnonymous(_ sockets: Int) {
        if sockets == anonymous { return }
        anonymous = sockets
        isDue = true
    }

    mutating func set(_ user: [UInt8], to count: PresenceCount) {
        let old = entries[user]
        if old?.count ?? PresenceCount() == count { return }
        isDue = true
        let isListed = old?.isListed ?? (listedCount < Self.listedMax)
        if let old {
            if old.isListed { listedCount -= 1 } else { unlisted -= old.count.subscribers }
        }
        if count.isPresent {
            entries[user] = Entry(count: count, isListed: isListed)
            if isListed { listedCount += 1 } else { unlisted += count.subscribers }
        } else {
            entries[user] = nil
        }
        if isListed { changed.insert(user) }
        if listedCount < Self.refillBelow, entries.count > listedCount { refill() }
    }

    private mutating func refill() {
        for (user, entry) in entries where !entry.isListed && listedCount < Self.listedMax {
            entries[user]?.isListed = true
            listedCount += 1
            unlisted -= entry.count.subscribers
            changed.insert(user)
        }
    }

    /// Whom it is told has heard nothing of what was said before.
    mutating func beginAnew() {
        isWholeDue = true
        isDue = true
    }

    /// What is to be told now.
    mutating func report(wantsNews: Bool = false, wantsList: Bool = false) -> PresenceReport {
        // So many come and go that it is shorter to say who is there.
        if changed.count > 2 * Self.listedMax { isWholeDue = true }
        let users = isWholeDue ? entries.filter { $0.value.isListed }.map(\.key) : Array(changed)
        let listeners = users.sorted { $0.lexicographicallyPrecedes($1) }.map { PresenceReport.Listener(user: $0, count: self[$0]) }
        let report = PresenceReport(
            isWhole: isWholeDue, wantsNews: wantsNews, wantsList: wantsList, others: UInt32(clamping: anonymous + unlisted),
            listeners: listeners)
        changed = []
        isDue = false
        isWholeDue = false
        return report
    }
}

/// The sockets of one event loop that listen to one channel.
public struct ShardPresence {
    private var list = PresenceList()
    private var lingering: [[UInt8]: Int64] = [:]

    /// Nobody.
    public init() {}

    /// Something has changed since the last report.
    public var hasNews: Bool { list.hasNews }
    /// Nobody is there, and nobody is between two polls.
    public var isEmpty: Bool { list.isEmpty }
    /// Somebody is between two polls: ``expire(now:)`` has something to look at.
    public var isLingering: Bool { !lingering.isEmpty }
    /// How many are between two polls, or may be.
    public var lingeringCount: Int { lingering.count }

    /// A socket listens.
    ///
    /// - Parameter user: whose it is; `nil` for nobody's.
    public mutating func open(_ user: [UInt8]?) {
        guard let user else { return list.setAnonymous(list.anonymous + 1) }
        list.set(user, to: PresenceCount(sockets: list[user].sockets + 1, lingers: lingering[user] != nil))
    }

    /// A socket that was opened listens no more.
    ///
    /// - Parameters:
    ///   - user: the same as when it was opened.
    ///   - until: of a poll, until when the next one is waited for, in monotonic milliseconds. Polls without a user can't be told apart:
    ///     they are there as long as they wait.
    ///   - now: the present time.
    public mutating func close(_ user: [UInt8]?, lingersUntil until: Int64? = nil, now: Int64) {
        guard let user else { return list.setAnonymous(max(0, list.anonymous - 1)) }
        let sockets = list[user].sockets
        if sockets == 0 { return }
        if let until, until > now { lingering[user] = max(until, lingering[user] ?? until) }
        list.set(user, to: PresenceCount(sockets: sockets - 1, lingers: lingering[user] != nil))
    }

    /// Who has not come back in time has gone.
    public mutating func expire(now: Int64) {
        for (user, until) in lingering where until <= now {
            lingering[user] = nil
            list.set(user, to: PresenceCount(sockets: list[user].sockets))
        }
    }

    /// What the loop of the channel's slot is to be told now.
    public mutating func report(wantsNews: Bool = false, wantsList: Bool = false) -> PresenceReport {
        list.report(wantsNews: wantsNews, wantsList: wantsList)
    }
}
