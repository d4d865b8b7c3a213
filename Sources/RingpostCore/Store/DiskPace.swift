// Whether the disk under a store is slow: not so slow that the node ends, but so that everybody waits for it. Somebody should look at it before
// it fails.

/// Watches for how long an event loop's ticks wait for the store.
public struct DiskPace: Sendable {
    /// A disk is slow when a tick has waited for so long: an `fdatasync` takes a thousandth of that, and publishers give up after ten times as
    /// much.
    public static let slowMilliseconds: Int64 = 1_000
    /// It is over when no tick has waited for that long for this time, so that a disk that stalls every few seconds is one alarm.
    public static let calmMilliseconds: Int64 = 10_000

    /// What has become of it.
    public enum Change: Hashable, Sendable {
        /// It is slow from now on.
        case isSlow
        /// It is as it should be.
        case isWell
    }

    /// When a tick was last seen to have waited for too long; `nil` while the disk is well.
    private var slowAt: Int64?

    /// A disk that is well.
    public init() {}

    /// Looks at the oldest tick that waits.
    ///
    /// - Parameters:
    ///   - waited: for how long it has; 0 where none waits.
    ///   - now: the present time.
    /// - Returns: `nil` where nothing has changed.
    public mutating func onTick(waited: Int64, now: Int64) -> Change? {
        if waited > Self.slowMilliseconds {
            defer { slowAt = now }
            return slowAt == nil ? .isSlow : nil
        }
        guard let slowAt, now - slowAt >= Self.calmMilliseconds else { return nil }
        self.slowAt = nil
        return .isWell
    }
}
