// Who listens to a channel on one shard, as decisions only: what the channel's shard is told of it, and what those are told who want to hear
// who comes and goes.

/// The listeners of one channel on one shard.
public struct LocalChannelMachine {
    /// Something to be told.
    public enum Item: Equatable, Sendable {
        /// Who is there, to those who have not been told yet: ``LocalChannelMachine/board``.
        case everybody
        /// Who has gone, to those who have been told who is there.
        case left([[UInt8]])
        /// Who has come, to the same.
        case joined([[UInt8]])
    }

    /// Who is there, as the owner says.
    public private(set) var board = PresenceBoard()
    private var presence = ShardPresence()
    /// Subscriptions that want to hear who comes and goes.
    private var watchers = 0
    private var wantsList = false
    private var saysWatching = false
    /// Somebody new wants to know who is there: said to all of them at once, in the next tick.
    private var owesList = false

    /// Nobody listens.
    public init() {}

    /// Nobody listens, and nobody is between two polls.
    public var isEmpty: Bool { presence.isEmpty }
    /// Somebody is between two polls, or may be: time alone can bring news.
    public var isLingering: Bool { presence.isLingering }
    /// How many are between two polls, or may be.
    public var lingeringCount: Int { presence.lingeringCount }
    /// Somebody wants to hear who comes and goes.
    public var isWatched: Bool { watchers > 0 }

    /// A socket listens.
    ///
    /// - Parameter user: whose it is; `nil` for nobody's.
    public mutating func open(_ user: [UInt8]?) { presence.open(user) }

    /// A socket that was opened listens no more.
    ///
    /// - Parameters:
    ///   - user: the same as when it was opened.
    ///   - until: of a poll, until when the next one is waited for.
    ///   - isWatching: it was one for which ``watch()`` was called.
    ///   - now: the present time.
    public mutating func close(_ user: [UInt8]?, lingersUntil until: Int64?, isWatching: Bool, now: Int64) {
        presence.close(user, lingersUntil: until, now: now)
        guard isWatching else { return }
        watchers -= 1
        if watchers == 0 { board = PresenceBoard() }
    }

    /// One more subscription wants to hear who comes and goes.
    public mutating func watch() {
        watchers += 1
        if board.hasBegun { owesList = true } else { wantsList = true }
    }

    /// What the owner says of who listens.
    public mutating func onNews(_ news: PresenceNews) -> [Item] {
        if watchers == 0 { return [] }
        let isFirst = !board.hasBegun
        let (joined, left) = board.apply(news)
        if isFirst { return [.everybody] }
        return (left.isEmpty ? [] : [.left(left)]) + (joined.isEmpty ? [] : [.joined(joined)])
    }

    /// What time, and whatever has happened since the last tick, have brought.
    ///
    /// - Returns: whether who is there is to be told, and what the channel's shard is to be told, if anything.
    public mutating func onTick(now: Int64) -> (tellsEverybody: Bool, report: PresenceReport?) {
        if presence.isLingering { presence.expire(now: now) }
        let tells = owesList && board.hasBegun
        owesList = false
        let watches = watchers > 0
        guard presence.hasNews || wantsList || watches != saysWatching else { return (tells, nil) }
        let report = presence.report(wantsNews: watches, wantsList: wantsList && watches)
        wantsList = false
        saysWatching = watches
        return (tells, report)
    }
}
