// The presence of all channels of one shard, and which of them have something to tell. Presence is not logged and not mirrored: the nodes
// report it, and report it again to a channel's next owner.
import DequeModule

/// Who listens to a shard's channels.
struct ChannelPresences {
    private var presences: [Key: ChannelPresence] = [:]
    /// Channels that have something to tell now.
    private var dirty: Deque<Key> = []
    /// Channels that will have something to tell later, in the order of time; a few entries for each channel (see
    /// ``ChannelPresence/nextDue()``).
    private var expected: Deque<(key: Key, at: Int64)> = []

    /// Whether a channel is waited for that has something to tell later.
    var isExpecting: Bool { !expected.isEmpty }
    /// Whether some channels have something to tell now.
    var isDirty: Bool { !dirty.isEmpty }
    func summary(of key: Key) -> PresenceSummary? { presences[key]?.summary }

    /// A node reports who of its sockets listens to a channel.
    mutating func apply(_ report: PresenceReport, on key: Key, from address: ReturnAddress, node: String, now: Int64) {
        presences[key, default: ChannelPresence(now: now)].apply(report, from: address, node: node, now: now)
        markDirty(key)
    }

    /// An attachment is gone.
    mutating func remove(_ address: ReturnAddress, on key: Key, now: Int64) {
        guard presences[key] != nil else { return }
        presences[key]?.remove(address, now: now)
        markDirty(key)
    }

    /// A link connection is gone.
    mutating func removeAll(connectionID: UInt32, now: Int64) {
        let changed = Array(presences.keys).filter { presences[$0]?.removeAll(connectionID: connectionID, now: now) == true }
        // In an order that does not depend on chance, so that a simulation repeats exactly.
        for key in changed.sorted(by: { $0.hash.rawValue < $1.hash.rawValue }) { markDirty(key) }
    }

    /// The channel has changed hands.
    mutating func forget(_ key: Key) { presences[key] = nil }

    private mutating func markDirty(_ key: Key) {
        if presences[key]?.isDirty == false {
            presences[key]?.isDirty = true
            dirty.append(key)
        }
        if let due = presences[key]?.nextDue() { expected.append((key, due)) }
    }

    /// Time passes: channels that were waited for have something to tell.
    mutating func onTick(now: Int64) {
        while let first = expected.first, first.at <= now {
            expected.removeFirst()
            markDirty(first.key)
        }
    }

    /// The news of the next channel that has something to tell, and the nodes that get it; `nil` when no channel is left.
    mutating func popNews(now: Int64) -> [(address: ReturnAddress, news: PresenceNews)]? {
        guard let key = dirty.popFirst() else { return nil }
        presences[key]?.isDirty = false
        let news = presences[key]?.onTick(now: now) ?? []
        if presences[key]?.isOver != false { presences[key] = nil }
        return news
    }
}
