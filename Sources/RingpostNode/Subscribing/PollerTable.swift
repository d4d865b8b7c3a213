// Users who poll: they count as present from their first poll until the next one has not come.
import RingpostCore

struct PollerTable {
    /// Pollers that one shard remembers between their polls, and as many that its channels do; beyond it they count only while they wait.
    static let countMax = 100_000

    private struct Poller {
        let since: Int64
        let until: Int64
    }

    private var pollers: [Key: Poller] = [:]

    /// A user's poll has ended, and the next one is waited for.
    mutating func remember(_ user: Key, since: Int64, until: Int64) {
        let before = pollers[user]
        if before == nil, pollers.count >= Self.countMax { return }
        pollers[user] = Poller(since: min(since, before.map { $0.until > since ? $0.since : since } ?? since), until: until)
    }

    /// Since when the user has been polling; `nil` when the next poll has not come in time.
    func since(_ user: Key, now: Int64) -> Int64? { pollers[user].flatMap { $0.until > now ? $0.since : nil } }

    mutating func expire(now: Int64) { pollers = pollers.filter { $0.value.until > now } }
}
