// Whether this node's slots have had nobody for too long, and what people are told of it: how many, for whom they wait, until when.

/// Watches the slots that are to be this node's and that nobody serves.
public struct SlotWatch: Sendable {
    /// It is too long after so many times S, as with a cut link: the restart of a node, and the wait for a dead one, are over by then.
    static let longSessions: Int64 = 2
    /// So many names are said.
    static let namesMax = 8

    /// What operators are shown.
    public struct Report: Hashable, Sendable {
        /// How many slots wait.
        public let slots: Int
        /// Since when, without a moment in which none did.
        public let since: Int64
        /// Ids of those that they wait for.
        public let names: [String]
        /// Those of them whose copies are on a disk, so that they come back with them when they are started.
        public let disks: [String]
        /// When the last of them begins anew, if none of those comes; `nil` where that is not known.
        public let until: Int64?
        /// It is too long: the node does not count as ready.
        public let isLong: Bool

        /// A report.
        public init(slots: Int, since: Int64, names: [String], disks: [String] = [], until: Int64?, isLong: Bool) {
            self.slots = slots
            self.since = since
            self.names = names
            self.disks = disks
            self.until = until
            self.isLong = isLong
        }
    }

    private var waits = SlotWaits()
    private var since: Int64?
    /// Who the roster names that is no member, and might still act or come back.
    private var strangers: [Member] = []

    /// What the shards have counted together.
    mutating func onWaits(_ waits: SlotWaits, now: Int64) {
        self.waits = waits
        since = waits.slots == 0 ? nil : since ?? now
    }

    /// What the roster has said to whoever asked last.
    mutating func onRoster(strangers: [Member]) { self.strangers = strangers }

    private func longAt(_ sessionTimeout: Int) -> Int64? { since.map { $0 + Self.longSessions * Int64(sessionTimeout) } }

    /// When it becomes too long.
    func nextWake(_ sessionTimeout: Int, now: Int64) -> Int64? { longAt(sessionTimeout).flatMap { $0 > now ? $0 : nil } }

    /// `nil` while none wait.
    func report(_ sessionTimeout: Int, now: Int64) -> Report? {
        guard let since, let longAt = longAt(sessionTimeout) else { return nil }
        let strangers = waits.vacant > 0 ? strangers : []
        let isKnown = waits.silent.isEmpty && waits.fenced == 0
        return Report(
            slots: waits.slots, since: since, names: Set(waits.silent.map(\.id) + strangers.map(\.id)).sorted(),
            disks: Self.disks(of: strangers), until: isKnown ? waits.vacantUntil : nil, isLong: now >= longAt)
    }

    private static func disks(of strangers: [Member]) -> [String] { Set(strangers.filter { $0.disk != nil }.map(\.id)).sorted() }

    /// What to do about nodes that have their copies on a disk; `nil` where there are none.
    public static func advice(disks: [String]) -> String? {
        guard let first = disks.first else { return nil }
        if disks.count == 1 { return "\(first) has its copies on a disk: start it again" }
        let more = disks.count > namesMax ? " and \(disks.count - namesMax) more" : ""
        return "\(disks.prefix(namesMax).joined(separator: ", "))\(more) have their copies on disks: start them again"
    }

    /// Once it is too long. The sentence holds until something else is waited for.
    func sentence(_ sessionTimeout: Int, now: Int64) -> String? {
        guard let report = report(sessionTimeout, now: now), report.isLong else { return nil }
        var parts = ["slots of this node have had nobody for more than \(Self.longSessions * Int64(sessionTimeout) / 1_000) s"]
        if !waits.silent.isEmpty {
            parts.append("\(Self.list(waits.silent.sorted { $0.id < $1.id })) can't be reached, and may have copies")
        }
        if waits.fenced > 0 {
            parts.append(
                "\(waits.fenced) wait for a later epoch, of which another member has heard: if it does not come, ZooKeeper holds an older state than "
                    + "that member has seen")
        }
        if waits.vacant > 0 {
            parts.append(
                strangers.isEmpty
                    ? "no member has a copy of some that is certainly the newest"
                    : "no member has a copy of some that is certainly the newest, and \(Self.list(strangers.map(\.identity))), which the roster names, might "
                        + "still act or come back with one")
            if let advice = Self.advice(disks: report.disks) { parts.append(advice) }
        }
        return parts.joined(separator: "; ")
    }

    private static func list(_ members: [MemberIdentity]) -> String {
        let more = members.count > namesMax ? " and \(members.count - namesMax) more" : ""
        return members.prefix(namesMax).map(\.description).joined(separator: ", ") + more
    }
}
