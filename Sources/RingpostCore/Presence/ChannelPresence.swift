// Who listens to a channel, as its owner knows it: what the nodes report, added up, and what of it those who ask are told. Someone who is
// back within a few seconds has never been away; and an owner that has only just begun takes nobody's leave before every node can have
// reported, because who was there under the last owner is there still.
import DequeModule

/// The presence of one channel, at its owner.
public struct ChannelPresence {
    /// Who has gone for so long has left; and for so long a new owner says nothing of those that it has not heard of.
    public static let lingerMilliseconds: Int64 = 5_000
    /// Who leaves within so long is told of together, so that few times are waited for at once: ``lingerMilliseconds`` divided by this, and
    /// one more.
    static let dueStepMilliseconds: Int64 = 250
    /// Users that are listed, with those who may be back. Beyond it who goes has left at once.
    static let listedMax = 2 * PresenceList.listedMax

    private var tally = PresenceTally<ReturnAddress>()
    private var nodes: [ReturnAddress: String] = [:]
    private var watchers: Set<ReturnAddress> = []
    /// Watchers that are to be told everybody.
    private var owing: Set<ReturnAddress> = []
    /// Who is there as far as anybody is told, and when they will have left; the end of time for those who have not gone.
    private var listed: [[UInt8]: Int64] = [:]
    private var leaving: Deque<(user: [UInt8], at: Int64)> = []
    private var joined: Set<[UInt8]> = []
    private var left: Set<[UInt8]> = []
    private let completeAt: Int64
    private var isComplete = false
    /// The latest time at which somebody has been told to look at it again.
    private var awaited = Int64.min
    /// Something has changed that was not told yet.
    var isDirty = false

    init(now: Int64) { completeAt = now + Self.lingerMilliseconds }

    /// Nobody reports, and nobody may come back.
    var isOver: Bool { tally.isEmpty && listed.isEmpty }

    /// When there will be something to tell that was not known of when this was asked last; `nil` when nothing has come up. What comes up
    /// later is due later, so those who keep these times need not sort them.
    mutating func nextDue() -> Int64? {
        let due = max(isComplete ? .min : completeAt, leaving.last?.at ?? .min)
        if due <= awaited { return nil }
        let steps = (due + Self.dueStepMilliseconds - 1) / Self.dueStepMilliseconds
        awaited = steps * Self.dueStepMilliseconds
        return awaited
    }

    /// A node's report; one that was not heard of before has to say everything.
    mutating func apply(_ report: PresenceReport, from address: ReturnAddress, node: String, now: Int64) {
        guard report.isWhole || tally.isKnown(address) else { return }
        nodes[address] = node
        tally.apply(report, from: address)
        if report.wantsNews { watchers.insert(address) } else { watchers.remove(address) }
        if report.wantsNews, report.wantsList { owing.insert(address) }
        applyTally(now: now)
    }

    /// A node's attachment is gone.
    mutating func remove(_ address: ReturnAddress, now: Int64) {
        tally.remove(address)
        nodes[address] = nil
        watchers.remove(address)
        owing.remove(address)
        applyTally(now: now)
    }

    /// All attachments that came on a connection are gone; false when there were none.
    mutating func removeAll(connectionID: UInt32, now: Int64) -> Bool {
        let gone = nodes.keys.filter { $0.connectionID == connectionID }
        for address in gone { remove(address, now: now) }
        return !gone.isEmpty
    }

    /// Applies what has changed in the tally to the list of users.
    private mutating func applyTally(now: Int64) {
        guard tally.hasNews else { return }
        let report = tally.report()
        for listener in report.listeners where listener.count.isPresent {
            if listed.updateValue(.max, forKey: listener.user) == nil, left.remove(listener.user) == nil { joined.insert(listener.user) }
        }
        for listener in report.listeners where !listener.count.isPresent { leave(listener.user, now: now) }
        // In an order that does not depend on chance, so that a simulation repeats exactly.
        if report.isWhole { for user in Self.ordered(listed.keys.filter { !tally[$0].isPresent }) { leave(user, now: now) } }
    }

    private mutating func leave(_ user: [UInt8], now: Int64) {
        guard listed[user] == .max else { return }
        let at = listed.count > Self.listedMax ? now : now + Self.lingerMilliseconds
        listed[user] = at
        leaving.append((user, at))
    }

    /// What is to be told now, and to whom.
    mutating func onTick(now: Int64) -> [(address: ReturnAddress, news: PresenceNews)] {
        let hasWaited = now >= completeAt
        while let first = leaving.first, listed.count > Self.listedMax || (hasWaited && first.at <= now) {
            leaving.removeFirst()
            // Who came back meanwhile is there, or has another time.
            guard listed[first.user] == first.at else { continue }
            listed[first.user] = nil
            if joined.remove(first.user) == nil { left.insert(first.user) }
        }
        // Until now only those who came were told. And where so many come and go, it is shorter to say who is there.
        if hasWaited != isComplete || joined.count + left.count > Self.listedMax { owing.formUnion(watchers) }
        isComplete = hasWaited
        if owing.isEmpty, joined.isEmpty, left.isEmpty { return [] }
        let subscribers = UInt32(clamping: tally.subscribers)
        let news = PresenceNews(isWhole: false, subscribers: subscribers, joined: Self.ordered(joined), left: Self.ordered(left))
        let everybody =
            owing.isEmpty ? news : PresenceNews(isWhole: isComplete, subscribers: subscribers, joined: Self.ordered(listed.keys))
        let told = watchers.sorted { ($0.connectionID, $0.id) < ($1.connectionID, $1.id) }.filter {
            owing.contains($0) || !joined.isEmpty || !left.isEmpty
        }
        let result = told.map { (address: $0, news: owing.contains($0) ? everybody : news) }
        owing = []
        joined = []
        left = []
        return result
    }

    private static func ordered(_ users: some Sequence<[UInt8]>) -> [[UInt8]] { users.sorted { $0.lexicographicallyPrecedes($1) } }

    /// For operators.
    var summary: PresenceSummary {
        PresenceSummary(
            subscribers: tally.subscribers,
            users: Self.ordered(listed.keys).prefix(PresenceList.listedMax).map {
                PresenceSummary.User(user: $0, sockets: Int(tally[$0].sockets))
            },
            nodes: Dictionary(nodes.map { ($1, tally.subscribers(on: $0)) }, uniquingKeysWith: +), isComplete: isComplete)
    }
}

/// Who listens to a channel, at one moment.
public struct PresenceSummary: Hashable, Sendable {
    /// One user.
    public struct User: Hashable, Sendable {
        /// A user id.
        public let user: [UInt8]
        /// Sockets and polls; 0 for one who may be back in a moment, or is between two polls.
        public let sockets: Int
    }

    /// All sockets, of users and of nobody.
    public let subscribers: Int
    /// In the order of their bytes, ``PresenceList/listedMax`` at most.
    public let users: [User]
    /// Subscribers by the node that holds them.
    public let nodes: [String: Int]
    /// False for a few seconds after the channel got another owner: a node may not have reported yet.
    public let isComplete: Bool
}

/// Whom a node's sockets have been told of: turns what the owner says into who has come and who has gone.
public struct PresenceBoard {
    private var users: Set<[UInt8]> = []
    /// How many sockets listen, as last told.
    public private(set) var subscribers: UInt32 = 0
    /// Something has been told.
    public private(set) var hasBegun = false

    /// Before anything is told.
    public init() {}

    /// Everybody, in the order of their bytes.
    public var everybody: [[UInt8]] { users.sorted { $0.lexicographicallyPrecedes($1) } }

    /// Who has come and who has gone, of those of whom nobody has been told yet.
    public mutating func apply(_ news: PresenceNews) -> (joined: [[UInt8]], left: [[UInt8]]) {
        hasBegun = true
        subscribers = news.subscribers
        var left = news.left.filter { users.remove($0) != nil }
        if news.isWhole {
            let gone = users.subtracting(news.joined).sorted { $0.lexicographicallyPrecedes($1) }
            users.subtract(gone)
            left += gone
        }
        let joined = news.joined.filter { users.insert($0).inserted }
        return (joined, left)
    }
}
