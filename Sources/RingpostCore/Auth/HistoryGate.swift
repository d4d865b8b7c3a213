// Who may read a page of a history now. Pages cost their owners reading and all nodes on the way bytes, so they are counted for whoever asks:
// so many at once, and so many bytes a second. Nobody else's pages wait for that.

/// Counts pages by who asks, for one event loop.
public struct HistoryGate: Sendable {
    /// Pages of one asker that are under way.
    public static let pagesPerOwnerMax = 8
    /// Pages of all that are under way.
    public static let pagesMax = 256
    /// What one page costs at least.
    public static let pageKilobytesMin = 4
    /// So many seconds' worth an asker may have at once.
    public static let burstSeconds = 4
    /// Askers whose rate is remembered; beyond it those are forgotten that have been quiet, and if there are none, new ones are refused.
    public static let ownersMax = 16_384

    /// What was too much.
    public enum Refusal: Equatable, Sendable {
        /// Of this asker.
        case tooFast
        /// Of all together.
        case overloaded
    }

    private struct Entry {
        var pages = 0
        var pace = Pace()
    }

    private let kilobytesPerSecond: Int
    private var owners: [ByteOwner: Entry] = [:]
    private var sweptAt: Int64?
    /// Pages that are under way.
    public private(set) var pages = 0

    /// - Parameter kilobytesPerSecond: what one asker may read.
    public init(kilobytesPerSecond: Int) { self.kilobytesPerSecond = kilobytesPerSecond }

    /// Askers that are remembered.
    public var ownerCount: Int { owners.count }

    /// One more page; `nil` if it is counted, and to be given back with ``close(_:bytes:now:)``.
    public mutating func open(_ owner: ByteOwner, now: Int64) -> Refusal? {
        if pages >= Self.pagesMax { return .overloaded }
        if owners[owner] == nil, owners.count >= Self.ownersMax {
            forgetQuiet(now: now)
            if owners.count >= Self.ownersMax { return .overloaded }
        }
        var entry = owners[owner, default: Entry()]
        if entry.pages >= Self.pagesPerOwnerMax { return .tooFast }
        // What the last ones have cost is known when they are here: whoever is over it waits.
        var looked = entry.pace
        if spend(0, in: &looked, now: now) > 0 { return .tooFast }
        _ = spend(Self.pageKilobytesMin, in: &entry.pace, now: now)
        entry.pages += 1
        pages += 1
        owners[owner] = entry
        return nil
    }

    /// A page is answered, or its asker is gone.
    public mutating func close(_ owner: ByteOwner, bytes: Int, now: Int64) {
        guard var entry = owners[owner], entry.pages > 0 else { preconditionFailure("a page that was not opened") }
        entry.pages -= 1
        pages -= 1
        _ = spend(max(0, bytes / 1_024 - Self.pageKilobytesMin), in: &entry.pace, now: now)
        owners[owner] = entry
    }

    private func spend(_ kilobytes: Int, in pace: inout Pace, now: Int64) -> Int64 {
        pace.spend(kilobytes, now: now, ratePerSecond: kilobytesPerSecond, burst: kilobytesPerSecond * Self.burstSeconds)
    }

    /// Looking through all of them is dear: not more often than once a second.
    private mutating func forgetQuiet(now: Int64) {
        if let sweptAt, now - sweptAt < 1_000 { return }
        sweptAt = now
        owners = owners.filter { $0.value.pages > 0 || !$0.value.pace.isUnused(now: now) }
    }
}
