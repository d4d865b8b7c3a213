// Which messages of a producer's connection, a batch or another node's link are refused because an earlier one of them
// was: on one stream nothing may overtake what was refused, until the stream begins again in order.

/// The streams on which something was refused, and since when.
struct RefusedStreams {
    /// Keys that one stream remembers. Beyond it everything on the stream that doesn't restart is refused until the stream
    /// ends: never wrong, only slow. A node's stream counts slots and can't get there.
    static let unitsMax = 65_536

    private struct Refusals {
        /// By key or slot: the arrival number of the first message that was refused.
        var since: [UInt64: UInt64] = [:]
        var allSince = UInt64.max
    }

    private var streams: [UInt64: Refusals] = [:]
    /// Streams that have ended a moment ago, each with the arrival number of the last message by then. Whoever sent on them has begun
    /// again elsewhere: what comes back refused goes nowhere, or it could get its place without those before it.
    private var endedLately: [UInt64: UInt64] = [:]
    private var endedBefore: [UInt64: UInt64] = [:]
    private var turnsAt: Int64 = .min

    var isEmpty: Bool { streams.isEmpty && endedLately.isEmpty && endedBefore.isEmpty }

    /// Producers know keys, and begin again key by key; nodes begin again slot by slot, which keeps their lists short.
    private static func unit(_ key: Key, _ context: PublishContext) -> UInt64 {
        context.hops == 0 ? key.hash.rawValue : UInt64(key.slot)
    }

    /// True when an earlier message of the same stream and key, or slot, was refused, or when the stream has ended since.
    func refuses(_ key: Key, _ context: PublishContext, arrival: UInt64) -> Bool {
        if context.stream == 0 { return false }
        if let last = endedLately[context.stream] ?? endedBefore[context.stream], arrival <= last { return true }
        guard let refusals = streams[context.stream] else { return false }
        if let since = refusals.since[Self.unit(key, context)], arrival > since { return true }
        return arrival > refusals.allSince && !context.restarts
    }

    /// Remembers a refusal.
    mutating func add(_ key: Key, _ context: PublishContext, arrival: UInt64) {
        guard context.stream != 0, endedLately[context.stream] == nil, endedBefore[context.stream] == nil else { return }
        let unit = Self.unit(key, context)
        var refusals = streams.removeValue(forKey: context.stream) ?? Refusals()
        if refusals.since[unit] == nil, refusals.since.count >= Self.unitsMax {
            refusals.allSince = min(refusals.allSince, arrival)
        } else {
            refusals.since[unit] = min(refusals.since[unit] ?? .max, arrival)
        }
        streams[context.stream] = refusals
    }

    /// The stream begins again with this key or slot.
    mutating func restart(_ key: Key, _ context: PublishContext) {
        guard let index = streams.index(forKey: context.stream) else { return }
        streams.values[index].since[Self.unit(key, context)] = nil
        if streams.values[index].since.isEmpty, streams.values[index].allSince == .max { streams.remove(at: index) }
    }

    /// - Parameter last: the number of the last arrival, if any of the stream may still be here.
    mutating func end(_ stream: UInt64, underWayUpTo last: UInt64?) {
        streams[stream] = nil
        endedLately[stream] = last
    }

    /// Forgets ended streams once no budget of theirs can still be running.
    mutating func onTick(now: Int64) {
        if now < turnsAt { return }
        turnsAt = now + Publish.budgetMillisecondsMax
        endedBefore = endedLately
        endedLately = [:]
    }
}
