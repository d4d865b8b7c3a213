// How long to wait before connecting again: exponential with full jitter, so that the clients of a node that died don't
// come back in one moment (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

/// The waits between attempts to connect.
package struct Backoff: Sendable {
    /// A server's wish beyond this is cut: a wrong `Retry-After` must not keep a client away for hours.
    package static let wishMillisecondsMax = 60_000

    private let firstMilliseconds: Int
    private let lastMilliseconds: Int
    private var attempt = 0

    /// - Parameters:
    ///   - firstMilliseconds: the upper bound of the first wait.
    ///   - lastMilliseconds: the upper bound of all later ones.
    package init(firstMilliseconds: Int = 100, lastMilliseconds: Int = 10_000) {
        self.firstMilliseconds = firstMilliseconds
        self.lastMilliseconds = lastMilliseconds
    }

    /// The next wait: anything up to a bound that doubles, on top of what the server wished. A server may have wished the same
    /// of a whole crowd, so the bound is at least a quarter of the wish.
    package mutating func next(wish: Int? = nil, using generator: inout some RandomNumberGenerator) -> Int {
        // Beyond 2^20 times the first wait every bound is the last one.
        let bound = min(lastMilliseconds, firstMilliseconds << min(attempt, 20))
        attempt += 1
        let wish = min(max(wish ?? 0, 0), Self.wishMillisecondsMax)
        return wish + Int.random(in: 0...max(bound, wish / 4), using: &generator)
    }

    /// The connection has proved itself; the next wait is a short one again.
    package mutating func reset() { attempt = 0 }
}
