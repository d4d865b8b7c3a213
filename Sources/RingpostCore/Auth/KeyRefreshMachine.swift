// When a set of keys is fetched again that somebody else publishes at an address (a JWKS URL). A token that names a key nobody knows is
// either made with a new key, then one fetch helps, or by a stranger who wants many fetches: so one fetch at a time, no matter how many
// wait for it, and a pause before the next. Failures are tried again with back-off; the keys that are known stay in force meanwhile.

/// Decides when to fetch.
public struct KeyRefreshMachine: Sendable {
    /// The bounds of the times, in milliseconds.
    public struct Times: Sendable, Equatable {
        /// Keys are fetched again after so long, unless the server says sooner or later.
        public var refreshMilliseconds: Int64 = 300_000
        /// The server's word (`Cache-Control: max-age`) counts within these.
        public var refreshMillisecondsMin: Int64 = 30_000
        /// See ``refreshMillisecondsMin``.
        public var refreshMillisecondsMax: Int64 = 3_600_000
        /// Unknown keys cause at most one fetch in so long.
        public var unknownKeyMilliseconds: Int64 = 10_000
        /// The pause after a failure doubles between these.
        public var retryMillisecondsMin: Int64 = 1_000
        /// See ``retryMillisecondsMin``.
        public var retryMillisecondsMax: Int64 = 60_000

        /// The defaults.
        public init() {}
    }

    /// What is to be done about a token whose key is not known.
    public enum Answer: Equatable, Sendable {
        /// Fetch now; who asked waits for the end of it.
        case fetch
        /// A fetch is under way that began after the last one ended: wait for it.
        case wait
        /// The keys are as new as they get: the key is unknown.
        case refuse
    }

    private enum State: Equatable {
        /// Can transition to fetching.
        case idle(next: Int64)
        /// Can transition to idle. `isStale`: it began before the last order to fetch, and may bring what was so before that.
        case fetching(isStale: Bool)
    }

    private let times: Times
    private var state = State.idle(next: .min)
    private var failures = 0
    private var lastFetch: Int64?

    /// Nothing is known; the first fetch is due at once.
    public init(times: Times = Times()) { self.times = times }

    /// Time passes: true when a fetch begins now.
    public mutating func onTick(now: Int64) -> Bool {
        guard case .idle(let next) = state, now >= next else { return false }
        begin(now: now)
        return true
    }

    /// A token names a key that is not there.
    public mutating func onUnknownKey(now: Int64) -> Answer {
        if case .fetching = state { return .wait }
        if let lastFetch, now - lastFetch < times.unknownKeyMilliseconds { return .refuse }
        begin(now: now)
        return .fetch
    }

    /// An operator wants the keys as they are now: true when a fetch begins now, otherwise one follows the one that is under way.
    public mutating func onOrder(now: Int64) -> Bool {
        if case .fetching = state {
            state = .fetching(isStale: true)
            return false
        }
        begin(now: now)
        return true
    }

    /// The keys are here.
    ///
    /// - Parameter maxAgeSeconds: how long the server says that they can be kept.
    public mutating func onFetched(maxAgeSeconds: Int64?, now: Int64) {
        failures = 0
        if case .fetching(isStale: true) = state { return state = .idle(next: now) }
        let seconds = min(max(maxAgeSeconds ?? times.refreshMilliseconds / 1_000, 0), times.refreshMillisecondsMax / 1_000)
        state = .idle(next: now + max(seconds * 1_000, times.refreshMillisecondsMin))
    }

    /// They could not be fetched, or read.
    public mutating func onFailed(now: Int64) {
        failures += 1
        if case .fetching(isStale: true) = state { return state = .idle(next: now) }
        state = .idle(next: now + min(times.retryMillisecondsMax, times.retryMillisecondsMin << Int64(min(failures - 1, 16))))
    }

    private mutating func begin(now: Int64) {
        state = .fetching(isStale: false)
        lastFetch = now
    }
}
