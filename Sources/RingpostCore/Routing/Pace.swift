// How often something may happen, in one word, where there are very many of it: instead of tokens it keeps the moment up to which the
// rate is used up (the generic cell rate algorithm, ITU-T I.371, annex A). Where there are few, a TokenBucket says it plainer.

/// What has been used of a rate.
public struct Pace: Sendable, Equatable {
    /// Nanoseconds on the clock of `now`.
    private var usedThrough: Int64 = .min

    /// Nothing is used.
    public init() {}

    /// Takes one; false when there is none.
    ///
    /// - Parameters:
    ///   - now: monotonic milliseconds.
    ///   - ratePerSecond: 1 at least.
    ///   - burst: so many at once, 1 at least.
    public mutating func take(now: Int64, ratePerSecond: Int, burst: Int) -> Bool {
        let now = now * 1_000_000
        let interval = Self.nanoseconds(1, ratePerSecond)
        let most = Self.nanoseconds(max(1, burst), ratePerSecond)
        // More can't have been taken: another clock counts now.
        if usedThrough > now + most { usedThrough = now }
        let used = max(usedThrough, now)
        guard used - now + interval <= most else { return false }
        usedThrough = used + interval
        return true
    }

    /// Takes what has been used already, also more than there is.
    ///
    /// - Returns: milliseconds until more may be used; 0 for at once.
    public mutating func spend(_ count: Int, now: Int64, ratePerSecond: Int, burst: Int) -> Int64 {
        usedThrough = max(usedThrough, now * 1_000_000) + Self.nanoseconds(count, ratePerSecond)
        let over = usedThrough - now * 1_000_000 - Self.nanoseconds(max(1, burst), ratePerSecond)
        return over <= 0 ? 0 : (over + 999_999) / 1_000_000
    }

    /// All of the rate may be used at once: it is as if nothing had ever been taken.
    public func isUnused(now: Int64) -> Bool { usedThrough <= now * 1_000_000 }

    private static func nanoseconds(_ count: Int, _ ratePerSecond: Int) -> Int64 {
        Int64(count) * 1_000_000_000 / Int64(max(1, ratePerSecond))
    }
}
