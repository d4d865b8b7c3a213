// Who might still have a copy, or believe that it may act: what a new owner waits for when no member has a copy of a slot.

extension NodeMachine {
    /// So many of those that the roster names, and that are no members, are asked who they are. With more, the longest time is waited.
    public static let departedMax = 256

    /// What a slot waits for of which no member has a copy.
    public enum Vacancy: Equatable, Sendable {
        /// So many milliseconds.
        case wait(Int64)
        /// Ask these members' addresses which boot they have; then see ``NodeMachine/vacancyWait(after:)``.
        case ask([Member])
    }

    /// - Parameters:
    ///   - roster: its entries. Who is a member by the newest view has been asked for its copies; of all others, also those that had an
    ///     entry's id before, nobody knows what they have.
    ///   - unreadable: entries that can't be read: somebody's, who can't be asked.
    /// - Returns: `nil` while the cluster's times are not known.
    public func vacancy(roster: [Member], unreadable: Int = 0) -> Vacancy? {
        guard case .zooKeeper = cluster, let document else { return document == nil ? nil : .wait(0) }
        let strangers = strangers(in: roster)
        if strangers.isEmpty, unreadable == 0 { return .wait(0) }
        if strangers.count > Self.departedMax || unreadable > 0 { return .wait(Self.longestWait(document)) }
        return .ask(strangers)
    }

    /// Of the roster's entries, and of those that had their ids before, who is no member, and was never this process.
    public func strangers(in roster: [Member]) -> [Member] {
        if case .zooKeeper(let membership) = cluster { membership.strangers(in: roster) } else { [] }
    }

    private static func longestWait(_ document: ClusterDocument) -> Int64 {
        Int64(max(document.vacancyMillisecondsMax, document.recoveryMilliseconds))
    }

    /// How long to wait: S + H if nobody is there any more; the recovery wait if somebody may come back with a copy, because another boot
    /// answers there, or because the copies are on a disk and so have outlived their process; S + H + M if somebody may still act.
    ///
    /// - Parameter results: of those that were to be asked, up to the first that may still act.
    public func vacancyWait(after results: [(member: Member, result: ProbeResult)]) -> Int64? {
        guard let document else { return nil }
        if results.contains(where: \.result.mayStillAct) { return Self.longestWait(document) }
        let mayComeBack = results.contains { $0.result == .otherBoot || $0.member.disk != nil }
        return Int64(mayComeBack ? document.recoveryMilliseconds : document.vacancyMillisecondsMin)
    }
}
