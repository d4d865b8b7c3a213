// Reports of several parts of the tree, added up.

/// Who listens on all sources together: the loops of a node, or a cluster's nodes.
public struct PresenceTally<Source: Hashable & Sendable> {
    private struct Part {
        var others: Int
        var listeners: [[UInt8]: PresenceCount] = [:]
    }

    private struct Sum {
        var sockets = 0
        var lingering = 0

        var count: PresenceCount { PresenceCount(sockets: UInt32(clamping: sockets), lingers: sockets == 0 && lingering > 0) }
    }

    private var parts: [Source: Part] = [:]
    private var sums: [[UInt8]: Sum] = [:]
    /// For the next one up the tree.
    private var list = PresenceList()
    private var others = 0

    /// Nobody.
    public init() {}

    /// Something has changed since the last report.
    public var hasNews: Bool { list.hasNews }
    /// There is nothing to add up.
    public var isEmpty: Bool { parts.isEmpty }
    /// All sockets, and users between two polls.
    var subscribers: Int { sums.values.reduce(others) { $0 + $1.count.subscribers } }

    subscript(user: [UInt8]) -> PresenceCount { sums[user]?.count ?? PresenceCount() }

    /// The sockets of one source.
    func subscribers(on source: Source) -> Int {
        guard let part = parts[source] else { return 0 }
        return part.listeners.values.reduce(part.others) { $0 + $1.subscribers }
    }

    /// A source says what there is. One that was not heard of before has to say everything; see ``isKnown(_:)``.
    public mutating func apply(_ report: PresenceReport, from source: Source) {
        if report.isWhole { withdraw(source) }
        var part = parts[source] ?? Part(others: 0)
        others += Int(report.others) - part.others
        part.others = Int(report.others)
        for listener in report.listeners {
            change(listener.user, from: part.listeners[listener.user] ?? PresenceCount(), to: listener.count)
            part.listeners[listener.user] = listener.count.isPresent ? listener.count : nil
        }
        parts[source] = part
        list.setAnonymous(others)
    }

    /// A source is gone, and all that it has said.
    public mutating func remove(_ source: Source) {
        withdraw(source)
        list.setAnonymous(others)
    }

    private mutating func withdraw(_ source: Source) {
        guard let part = parts.removeValue(forKey: source) else { return }
        others -= part.others
        for (user, count) in part.listeners { change(user, from: count, to: PresenceCount()) }
    }

    /// Whether a source has said something.
    public func isKnown(_ source: Source) -> Bool { parts[source] != nil }

    private mutating func change(_ user: [UInt8], from old: PresenceCount, to new: PresenceCount) {
        if old == new { return }
        var sum = sums[user] ?? Sum()
        sum.sockets += Int(new.sockets) - Int(old.sockets)
        sum.lingering += (new.lingers ? 1 : 0) - (old.lingers ? 1 : 0)
        sums[user] = sum.sockets == 0 && sum.lingering == 0 ? nil : sum
        list.set(user, to: sum.count)
    }

    /// Whom it is told has heard nothing of what was said before.
    public mutating func beginAnew() { list.beginAnew() }

    /// What the next one up the tree is to be told now.
    public mutating func report(wantsNews: Bool = false, wantsList: Bool = false) -> PresenceReport {
        list.report(wantsNews: wantsNews, wantsList: wantsList)
    }
}
