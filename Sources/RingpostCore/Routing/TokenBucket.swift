// How often something may happen: tokens fall at a rate into a bucket of a size, and each time takes one out.

/// A token bucket.
public struct TokenBucket: Sendable {
    let tokensPerMillisecond: Double
    private let size: Double
    private(set) var tokens: Double
    private var filledAt: Int64?

    /// A full bucket.
    ///
    /// - Parameters:
    ///   - ratePerSecond: tokens that fall in a second, more than 0.
    ///   - burst: tokens that the bucket holds, at least 1.
    public init(ratePerSecond: Double, burst: Double) {
        precondition(ratePerSecond > 0, "a bucket into which \(ratePerSecond) tokens a second fall stays empty")
        tokensPerMillisecond = ratePerSecond / 1_000
        size = max(1, burst)
        tokens = size
    }

    /// As many tokens as there can be: it is as if nothing had ever been taken.
    func isFull(now: Int64) -> Bool { tokens + Double(max(0, now - (filledAt ?? now))) * tokensPerMillisecond >= size }

    /// Takes a token out; false when there is none.
    public mutating func take(now: Int64) -> Bool {
        if let filledAt { tokens = min(size, tokens + Double(max(0, now - filledAt)) * tokensPerMillisecond) }
        filledAt = max(now, filledAt ?? now)
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }
}
