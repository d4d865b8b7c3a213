// The sockets of a node that is about to leave are asked to go elsewhere one after the other, evenly over the time there
// is, so that neither this node nor those that take them in meet a crowd. Which of them goes when, and what it is told.

/// The plan for one event loop's sockets, which are numbered from 0.
public struct SocketMove: Sendable {
    /// A client stays away for at least so long: one that came back at once would do so while its close is still under way.
    public static let afterMillisecondsMin = 100
    /// Sockets that are closed in one moment come back over at least one batch's time…
    public static let batchMilliseconds = 50
    /// … and, where a batch is large, at no more than so many a second.
    public static let comeBackPerSecond = AdmissionGate.ratePerSecondDefault
    /// Nobody is sent away for longer, however many there are.
    public static let afterMillisecondsMax = 10_000

    /// Other nodes' client addresses, which take turns.
    public let elsewhere: [String]
    private let startedAt: Int64
    private let milliseconds: Int64
    private let count: Int
    /// The first socket that has not been asked yet.
    private var next = 0

    /// - Parameters:
    ///   - count: how many sockets there are.
    ///   - milliseconds: over what time to spread them; with 0, or less, all of them go at once.
    ///   - elsewhere: other nodes' client addresses.
    public init(count: Int, now: Int64, milliseconds: Int64, elsewhere: [String]) {
        self.count = count
        self.elsewhere = elsewhere
        self.milliseconds = milliseconds
        startedAt = now
    }

    /// Whether every socket has been asked.
    public var isDone: Bool { next >= count }

    /// The sockets whose turn has come since the last look. Number i of n goes when i / n of the time has passed: the first
    /// one at once, so that a node with few sockets need not wait for its time to be over.
    public mutating func onTick(now: Int64) -> Range<Int> {
        let first = next
        let passed = max(0, now - startedAt)
        let due = passed >= milliseconds ? count : Int(passed) * count / Int(milliseconds) + 1
        next = min(count, max(next, due))
        return first..<next
    }

    /// What one socket of a batch is told.
    public func disconnect(_ socket: Int, in batch: Range<Int>) -> Disconnect {
        let longest = Self.afterMillisecondsMax - Self.afterMillisecondsMin
        let spread = min(max(Self.batchMilliseconds, batch.count * 1_000 / Self.comeBackPerSecond), longest)
        let after = Self.afterMillisecondsMin + (socket - batch.lowerBound) * spread / max(1, batch.count)
        return Disconnect(.goingAway, afterMilliseconds: after, at: elsewhere.isEmpty ? [] : [elsewhere[socket % elsewhere.count]])
    }
}
